import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { AuditEntry } from '../../src/access/audit.js';
import { loadConfig } from '../../src/settings/config.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import { encodeNpy } from '../../src/gallery/store/npy.js';
import { openFillableStore, openStore } from '../../src/gallery/open.js';
import { reembed } from '../../src/cli/reembed.js';
import { drawScene, PORTRAITS } from '../browser/support/portrait.js';
import { runKaomon } from '../support/command.js';
import { TINY } from '../support/galleries.js';
import { freePort } from '../support/port.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';
import { type GalleryWorker, startWorker } from '../support/workers.js';

const FACENET = { PACK: 'facenet', PACK_LENGTH: '512' };

/** Settings that share a gallery in each way there is. */
async function sharing(
  t: TestContext,
  log: 'file' | 'redis',
  store: 'file' | 'redis',
): Promise<Record<string, string>> {
  const env = {
    EMBEDDINGS_DIR: path.join(await temporaryFolder(t), 'embeddings'),
    ...{ EVENT_LOG: log, EMBEDDING_STORE: store },
  };
  if (log === 'file' && store === 'file') return env;
  const { settings } = await startRedis(t);
  return {
    ...{ ...env, REDIS_URL: settings.url },
    ...{ REDIS_PASSWORD: settings.password, REDIS_PREFIX: settings.prefix },
  };
}

async function running(t: TestContext, env: Record<string, string>): Promise<GalleryWorker> {
  const worker = await startWorker(env);
  t.after(() => worker.close());
  return worker;
}

/** maiface's folder: Ken with two vectors, Mai with one. */
async function maifaceFolder(t: TestContext) {
  const folder = await temporaryFolder(t);
  const random = seededRandom(5);
  const vectors = [0, 1, 2].map(() => randomUnitVector(random, 512));
  for (const [i, person] of ['staff-ken', 'staff-ken', 'guests-mai'].entries()) {
    await mkdir(path.join(folder, person), { recursive: true });
    await writeFile(path.join(folder, person, `${i}.npy`), encodeNpy(vectors[i]));
  }
  return { folder, vectors };
}

describe('npm run import beside a running server', () => {
  for (const [log, store] of [
    ['file', 'file'],
    ['redis', 'file'],
    ['redis', 'redis'],
  ] as const) {
    const skip = log === 'redis' && REDIS_MISSING;
    it(`shows in every worker without a restart (log: ${log}, store: ${store})`, { skip }, async (t) => {
      const env = await sharing(t, log, store);
      const workers = [await running(t, { ...env, ...FACENET }), await running(t, { ...env, ...FACENET })];
      const { folder, vectors } = await maifaceFolder(t);

      const { code, text } = await runKaomon(['import', folder], env);
      assert.equal(code, 0, text);
      assert.match(text, /2 people; 3 faces imported/);
      assert.match(text, /A running server with the pack facenet sees them already/);
      for (const worker of workers) {
        await until(async () => (await worker.ask('snapshot')).faces === 3);
        for (const [i, faceid] of ['staff-ken', 'staff-ken', 'guests-mai'].entries()) {
          const nearest = await worker.ask('nearest', [...vectors[i]]);
          assert.equal(nearest?.faceid, faceid);
          assert.ok(nearest.distance < 1e-5, `${faceid}: ${nearest.distance}`);
        }
        const { groups } = await worker.ask('snapshot');
        const ids = groups.map(({ groupid }) => groupid);
        assert.deepEqual(ids.sort(), ['default', 'guests', 'staff']);
        // Pages that are open and other programs hear of each: a person's second face may be there before it is told.
        await until(async () => (await worker.ask('changes')).length >= 5);
        const kinds = (await worker.ask('changes')).map(({ kind }) => kind).sort();
        assert.deepEqual(kinds, [
          ...['enrolled', 'enrolled', 'enrolled'],
          ...['group-created', 'group-created'],
        ]);
      }
      // A server that starts afterwards says the same.
      const later = await running(t, { ...env, ...FACENET });
      assert.deepEqual(await later.ask('snapshot'), await workers[0].ask('snapshot'));
    });
  }

  it('makes the gallery where no server has been yet, and a dry run makes nothing', async (t) => {
    const env = await sharing(t, 'file', 'file');
    const { folder } = await maifaceFolder(t);
    const dry = await runKaomon(['import', folder, '--dry-run'], env);
    assert.match(dry.text, /3 faces to import/);
    const { faces, groups } = await (await running(t, { ...env, ...FACENET })).ask('snapshot');
    assert.deepEqual([faces, groups.map(({ groupid }) => groupid)], [0, ['default']]);

    const fresh = await sharing(t, 'file', 'file');
    const { code, text } = await runKaomon(['import', folder], fresh);
    assert.equal(code, 0, text);
    const later = await running(t, { ...fresh, ...FACENET });
    assert.equal((await later.ask('snapshot')).faces, 3);
    // Who looks for how somebody came into the gallery looks into the audit.
    const audit = await readFile(path.join(fresh.EMBEDDINGS_DIR, 'audit.jsonl'), 'utf8');
    const lines = audit
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditEntry);
    assert.ok(lines.every(({ who, action }) => who === 'command line' && action === 'enrol'));
    assert.deepEqual(lines.map(({ whom = {} }) => [whom.groupid, whom.userid ?? '']).sort(), [
      ['guests', ''],
      ['guests', 'mai'],
      ['staff', ''],
      ['staff', 'ken'],
      ['staff', 'ken'],
    ]);
    await assert.rejects(readFile(path.join(env.EMBEDDINGS_DIR, 'audit.jsonl')), { code: 'ENOENT' });
  });

  it('says that a restart is needed where nobody is told, and fails where the log cannot be reached', async (t) => {
    const env = await sharing(t, 'file', 'file');
    const { folder } = await maifaceFolder(t);
    const { code, text } = await runKaomon(['import', folder], { ...env, EVENT_LOG: 'none' });
    assert.equal(code, 0, text);
    assert.match(text, /EVENT_LOG=none no server is told: restart a running one/);

    const lost = await sharing(t, 'file', 'file');
    const nowhere = { ...lost, EVENT_LOG: 'redis', REDIS_URL: `redis://127.0.0.1:${await freePort()}` };
    const refused = await runKaomon(['import', folder], nowhere);
    assert.equal(refused.code, 1, refused.text);
    assert.match(refused.text, /^kaomon: The event log cannot be reached: see EVENT_LOG and REDIS_URL/m);
    const later = await running(t, { ...lost, ...FACENET });
    assert.equal((await later.ask('snapshot')).faces, 0, 'nothing is written behind the servers’ backs');
  });
});

const keptFace = (faceid: string, unique: string) => ({
  ...{ id: `${faceid}_20240102_030405_m${unique}`, faceid, enrolledAt: '2024-01-02T03:04:05Z' },
  ...{ automatic: false, hasPicture: true },
});

describe('npm run reembed beside a running server', () => {
  for (const store of ['file', 'redis'] as const) {
    const skip = store === 'redis' && REDIS_MISSING;
    it(`shows in a worker of the new pack, whose names stay (store: ${store})`, { skip }, async (t) => {
      const env = await sharing(t, store, store);
      const worker = await running(t, env);
      const random = seededRandom(6);
      const vectors = [0, 1, 2].map(() => randomUnitVector(random, TINY));
      await worker.ask('enrol', 'default', 'mai', [...vectors[2]]);
      await worker.ask('rename', 'default-mai', 'Mai, as she is called now');

      const config = loadConfig(env);
      const from = await openStore(config, 'old', TINY, () => undefined);
      const to = await openFillableStore(config, { pack: 'tiny', length: TINY, warn: () => undefined });
      t.after(() => Promise.all([from.close(), to.close()]));
      await from.load();
      for (const [i, [faceid, username]] of [
        ['default-ken', 'Ken T.'],
        ['default-mai', 'Mai'],
      ].entries()) {
        const extras = { crop: Buffer.from([i]), profile: { username, metadata: {} } };
        await from.addFace(keptFace(faceid, String(i)), vectors[0], extras);
      }
      const box = { x1: 0, y1: 0, x2: 9, y2: 9 };
      const vision = {
        analyze: ([i]: Uint8Array) =>
          Promise.resolve({
            ...{ width: 9, height: 9, times: { queue: 0, decode: 0, detect: 0, embed: 0 } },
            faces: [{ box, probability: 1, landmarks: undefined, embedding: vectors[i] }],
          }),
      };
      assert.equal((await reembed({ from, to, vision, cut: { alignment: 'box' }, atOnce: 2 })).embedded, 2);

      await until(async () => (await worker.ask('snapshot')).faces === 3);
      assert.equal((await worker.ask('nearest', [...vectors[0]]))?.faceid, 'default-ken');
      assert.equal((await worker.ask('nearest', [...vectors[1]]))?.faceid, 'default-mai');
      const { people } = await worker.ask('snapshot');
      assert.deepEqual(
        people.map(([faceid, username]) => [faceid, username]),
        [
          ['default-ken', 'Ken T.'],
          ['default-mai', 'Mai, as she is called now'],
        ],
      );
    });
  }

  it('shows in a worker of that pack through the command, which says who needs a restart', async (t) => {
    const env = await sharing(t, 'file', 'file');
    const folder = env.EMBEDDINGS_DIR;
    const from = createFileStore({ folder, pack: 'mtcnn+faceapi', length: 128, warn: () => undefined });
    await from.load();
    const crop = await drawScene([{ portrait: PORTRAITS.ken, x: 0.5, y: 0.5, scale: 1 }]);
    await from.addFace(keptFace('default-ken', '1'), randomUnitVector(seededRandom(7), 128), { crop });
    await from.close();
    const worker = await running(t, { ...env, PACK: 'faceapi', PACK_LENGTH: '128' });
    const other = await running(t, env);

    const words = ['reembed', '--from', 'mtcnn+faceapi', '--to', 'faceapi'];
    const { code, text } = await runKaomon(words, { ...env, CACHE_DIR: await temporaryFolder(t) });
    assert.equal(code, 0, text);
    assert.match(text, /A running server with the pack faceapi sees them already/);
    assert.match(text, /one with another pack .* restart it with MODEL_PACK=faceapi/);
    await until(async () => (await worker.ask('snapshot')).faces === 1);
    // Its own change comes after those of the command: by then it has passed over them.
    await other.ask('enrol', 'default', 'aya', [1, 0, 0, 0, 0, 0, 0, 0]);
    assert.deepEqual(
      (await other.ask('snapshot')).people.map(([faceid, , faces]) => [faceid, faces.length]),
      [
        ['default-aya', 1],
        ['default-ken', 0],
      ],
      'it lists whom the others have, and uses none of their faces',
    );
  });
});
