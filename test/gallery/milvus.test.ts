/**
 * The real Milvus: what is true of the other stores and engines is true over it, and of workers while it is killed and started.
 * It is left out, by name, where Milvus is not there: `TEST_MILVUS=fetch npm test -- gallery/milvus` fetches it once.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { copyGallery } from '../../src/gallery/copy-gallery.js';
import type { VectorEngine } from '../../src/gallery/remote/engine.js';
import { connectMilvus } from '../../src/gallery/remote/milvus-client.js';
import { collectionName } from '../../src/gallery/remote/milvus-collection.js';
import { openMilvus } from '../../src/gallery/remote/milvus-engine.js';
import { createRemoteGallery } from '../../src/gallery/remote/remote-gallery.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import { loadConfig } from '../../src/settings/config.js';
import { chaos } from '../support/chaos.js';
import { TINY } from '../support/galleries.js';
import { lockMilvus } from '../support/locked-milvus.js';
import { milvusMissing, startMilvus, type TestMilvus } from '../support/milvus.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { milvusSettings, openInMilvus, openRemoteStore, overMilvus } from '../support/remote-stores.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { identities, randomUnitVector, seededRandom } from '../support/vectors.js';

const skip = REDIS_MISSING || (await milvusMissing());
const random = seededRandom(1800);
/** `CHAOS=5000` runs as long as it is meant to. */
const OPERATIONS = Number(process.env.CHAOS ?? 250);

let started: Promise<TestMilvus> | undefined;
const ends: (() => Promise<void>)[] = [];
const milvus = (): Promise<TestMilvus> =>
  (started ??= startMilvus({ after: (end?: unknown) => void ends.push(end as () => Promise<void>) }));
after(async () => {
  for (const end of ends) await end();
});
overMilvus(async () => (await milvus()).env);
if (!skip) await import('./stores.test.js');

const FACES = 3000;
const LENGTH = 64;

/** Another prefix is another collection. */
async function openEngine(kind: string, prefix = `test_${kind}`, length = LENGTH): Promise<VectorEngine> {
  const env = { ...(await milvusSettings()), REDIS_PREFIX: prefix };
  const config = loadConfig({ ...env, ...(kind && { MILVUS_INDEX: kind }), MILVUS_FACES: String(FACES) });
  return openMilvus({ config, pack: 'tiny', length, warn: (message) => assert.fail(message) });
}

async function dropCollection(prefix: string): Promise<void> {
  const sdk = await connectMilvus(loadConfig(await milvusSettings()));
  await sdk.dropCollection({ collection_name: collectionName(prefix, 'tiny', LENGTH) });
  await sdk.closeConnection();
}

const at = async (engine: VectorEngine, probes: readonly Float32Array[]) => {
  const found = [];
  for (const probe of probes)
    found.push((await engine.search(probe, 3)).map(({ id, distance }) => ({ id, distance })));
  return found;
};

describe('vectors in Milvus', { skip }, () => {
  for (const [kind, least] of [
    ['flat', 1],
    ['ivf_flat', 0.9],
    ['ivf_sq8', 0.9],
    ['hnsw', 0.95],
  ] as const) {
    it(`are found with their exact distances by ${kind}`, async (t) => {
      const engine = await openEngine(kind);
      t.after(async () => {
        await engine.close();
        // Each collection makes the starts that follow slower.
        if (kind !== 'flat') await dropCollection(`test_${kind}`);
      });
      const exact = createExactIndex(LENGTH);
      const made = identities(random, LENGTH, { people: FACES, faces: 1 });
      const vectors = [...made.faces()].map(({ vector }) => vector);
      const rows = vectors.map((vector, i) => {
        const [group, person] = [`g${i % 5}`, `g${i % 5}-u${i}`];
        return { id: `${person}_20260101_000000_m${i}`, person, group, vector };
      });
      for (const { id, vector } of rows) exact.add(id, vector);
      await engine.write(rows);
      await until(async () => (await engine.count()) === FACES);
      // The bound of a search.
      await until(async () => (await engine.held(rows.map(({ id }) => id))).size === FACES);
      const probes = Array.from({ length: 100 }, (_, i) => {
        const noise = randomUnitVector(random, LENGTH);
        const sum = vectors[i * 7].map((value, at) => value + 0.3 * noise[at]);
        return sum.map((value) => value / Math.hypot(...sum));
      });
      const found = await at(engine, probes);
      let first = 0;
      for (const [i, probe] of probes.entries()) {
        const { hits } = await exact.search(probe, FACES);
        const distances = new Map(hits.map(({ id, distance }) => [id, distance]));
        if (found[i][0].id === hits[0].id) first += 1;
        for (const { id, distance } of found[i])
          assert.ok(Math.abs(distance - (distances.get(id) ?? NaN)) < 1e-5, `${id} ${distance}`);
      }
      t.diagnostic(`${kind}: recall at 1 ${first / probes.length}`);
      assert.ok(first / probes.length >= least);
      // Of one group, and without what was removed.
      const [near] = await engine.search(rows[3].vector, 1, new Set(['g1', 'g2']));
      assert.match(near.id, /^g[12]-/);
      const vectorsOf = await engine.vectors([rows[3].id, 'nobody'], { fresh: true });
      assert.deepEqual([...vectorsOf], [[rows[3].id, rows[3].vector]]);
      await engine.remove([rows[3].id]);
      await until(async () => (await engine.search(rows[3].vector, 1))[0].id !== rows[3].id);
      await engine.compact();
    });
  }

  it('are left alone where their collection is not as expected, with a sentence that says what differs', async (t) => {
    const config = loadConfig(await milvusSettings());
    const sdk = await connectMilvus(config);
    t.after(() => sdk.closeConnection());
    const name = collectionName('foreign', 'tiny', LENGTH);
    await sdk.createCollection({
      collection_name: name,
      fields: [
        { name: 'id', data_type: 'Int64', is_primary_key: true, autoID: true },
        { name: 'vector', data_type: 'FloatVector', dim: LENGTH },
      ],
    });
    await assert.rejects(openEngine('', 'foreign'), {
      code: 'SETUP',
      message: /is not as Kaomon makes it: the field "id" is not a text\. It is left as it is/,
    });
    const { value } = await sdk.hasCollection({ collection_name: name });
    assert.equal(value, true);
    const engine = await openEngine('', 'test_flat');
    assert.equal(engine.kind, 'milvus flat', 'what it has counts');
    await engine.close();
    await assert.rejects(openEngine('hnsw', 'test_flat'), {
      code: 'SETUP',
      message: /has an index of the kind flat, and MILVUS_INDEX=hnsw/,
    });
  });

  it('are reached over TLS by a token or a user, and by nobody else', async (t) => {
    const reached = await milvusSettings();
    const place = await lockMilvus(t, reached.MILVUS_URL, 'ken:田中');
    const opened = (own: Record<string, string | undefined>) => {
      const config = loadConfig({ ...reached, ...place, ...own });
      return openMilvus({ config, pack: 'tiny', length: TINY, warn: (message) => assert.fail(message) });
    };
    for (const own of [{ MILVUS_TOKEN: 'ken:田中' }, { MILVUS_USER: 'ken', MILVUS_PASSWORD: '田中' }]) {
      const engine = await opened(own);
      const vector = randomUnitVector(random, TINY);
      const person = `default-${Object.keys(own)[0].toLowerCase()}`;
      const id = `${person}_20260101_000000_m1`;
      await engine.write([{ id, person, group: 'default', vector }]);
      assert.deepEqual(await engine.vectors([id], { fresh: true }), new Map([[id, vector]]));
      assert.equal(await engine.obstacle(), undefined);
      await engine.close();
    }
    for (const own of [{ MILVUS_TOKEN: 'ken:other' }, {}])
      await assert.rejects(opened(own), {
        code: 'SETUP',
        message: /does not let Kaomon in: set MILVUS_TOKEN/,
      });
  });

  it('are copied there and back, and on after an interruption', async (t) => {
    const { settings } = await startRedis(t);
    const folders = [await temporaryFolder(t), await temporaryFolder(t)];
    const [files, back] = folders.map((folder) =>
      createFileStore({ folder, pack: 'tiny', length: TINY, warn: (message) => assert.fail(message) }),
    );
    const remote = await openRemoteStore({ ...settings, prefix: 'copied' }, openInMilvus);
    t.after(() => remote.close());
    await files.prepare();
    const faces = new Map<string, Float32Array>();
    for (let i = 0; i < 60; i++) {
      const faceid = `default-u${i}`;
      for (const second of i % 3 === 0 ? [1, 2] : [1]) {
        const vector = randomUnitVector(random, TINY);
        const id = `${faceid}_20260101_00000${second}_m${i}`;
        const face = {
          id,
          faceid,
          enrolledAt: `2026-01-01T00:00:0${second}Z`,
          automatic: false,
          hasPicture: i === 3,
        };
        const extras = { profile: { username: `田中 ${i}`, metadata: { floor: i } } };
        await files.addFace(face, vector, i === 3 ? { ...extras, crop: Uint8Array.of(1, 2, 3) } : extras);
        faces.set(id, vector);
      }
    }
    const engine = {
      settled: () => remote.journal.carried(),
      held: (ids: readonly string[]) => remote.engine.held(ids, { fresh: true }),
      vectors: (ids: readonly string[]) => remote.engine.vectors(ids, { fresh: true }),
    };
    const common = { log: undefined, exact: false, progress: () => undefined };
    const stop = new AbortController();
    const interrupted = copyGallery({
      ...{ ...common, from: files, to: remote, engine: { ...engine, other: files }, signal: stop.signal },
      progress: () => stop.abort(new Error('stopped')),
    });
    await assert.rejects(interrupted, /stopped/);
    const { signal } = new AbortController();
    const there = await copyGallery({
      ...common,
      from: files,
      to: remote,
      engine: { ...engine, other: files },
      signal,
    });
    assert.deepEqual([there.people, there.faces, there.written], [60, 80, 0], 'it went on where it was');
    assert.deepEqual([there.differing, there.surplus, there.compared], [[], [], 80]);
    assert.ok(there.farthest < 1e-9);
    const home = await copyGallery({
      ...common,
      from: remote,
      to: back,
      engine: { ...engine, other: back },
      signal,
    });
    assert.deepEqual([home.people, home.faces, home.written, home.differing], [60, 80, 60, []]);
    const { people } = await back.load();
    assert.deepEqual(people, (await files.load()).people);
  });
});

describe('workers over Milvus', { skip }, () => {
  it('say that it is away, and go on when it is back, without being started again', async (t) => {
    const server = await milvus();
    const { settings } = await startRedis(t);
    const store = await openRemoteStore({ ...settings, prefix: 'away' }, openInMilvus);
    const gallery = await createRemoteGallery({ pack: 'tiny', templates: true, store });
    t.after(() => gallery.close());
    const ken = randomUnitVector(random, TINY);
    await gallery.enrol({ groupid: 'default', userid: 'ken' }, ken);
    await store.journal.carried();
    await server.stop();
    const refused = { code: 'STORE_UNAVAILABLE', statusCode: 503, retryAfter: 5 };
    await assert.rejects(gallery.nearest(ken, 1), refused);
    const began = performance.now();
    await assert.rejects(gallery.nearest(ken, 1), refused);
    assert.ok(performance.now() - began < 500, 'once it is known to be away nobody waits');
    assert.equal(gallery.info().obstacle, 'milvus away');
    await assert.rejects(gallery.enrol({ groupid: 'default', userid: 'ann' }, ken), refused);
    assert.equal(await store.profile('default-ann'), undefined);
    await server.start();
    await until(() =>
      gallery.nearest(ken, 1).then(
        ([{ person }]) => person.userid === 'ken',
        () => false,
      ),
    );
    assert.equal(gallery.info().obstacle, undefined);
  });

  it('agree, lose nothing that was acknowledged and find nobody who was deleted, whoever is killed', async (t) => {
    const server = await milvus();
    const redis = await startRedis(t);
    const { url, password } = redis.settings;
    const folder = await temporaryFolder(t);
    const env = {
      ...(await milvusSettings()),
      ...{ EMBEDDINGS_DIR: folder, REDIS_URL: url, REDIS_PASSWORD: password, REDIS_PREFIX: 'storm' },
    };
    const storm = chaos({
      ...{ env, operations: OPERATIONS, killEvery: 60, random: seededRandom(7), pause: 1500 },
      killRedis: async () => {
        await server.stop();
        await sleep(200);
        await server.start();
      },
    });
    t.diagnostic(await storm);
  });
});
