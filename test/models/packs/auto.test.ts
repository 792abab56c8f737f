import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type Config, loadConfig } from '../../../src/settings/config.js';
import { KaomonError } from '../../../src/platform/errors.js';
import { enrolledPacks } from '../../../src/gallery/enrolled.js';
import { nameFace } from '../../../src/gallery/face-name.js';
import { openStore } from '../../../src/gallery/open.js';
import {
  AGE_GENDER,
  FACE_API_EMBEDDER,
  FACENET_EMBEDDER,
  FR_FEATURE_EMBEDDER,
  MTCNN,
  SSD,
} from '../../../src/models/packs/components.js';
import { listPacks } from '../../../src/models/packs/list.js';
import { EMBEDDERS, PACKS } from '../../../src/models/packs/packs.js';
import { preparePack, type PrepareContext } from '../../../src/models/packs/prepare.js';
import { freePort } from '../../support/port.js';
import { pretendBuilt } from '../../support/pretend.js';
import { REDIS_MISSING, REDIS_PASSWORD, startRedis } from '../../support/redis.js';
import { temporaryFolder } from '../../support/temporary.js';
import { randomUnitVector, seededRandom } from '../../support/vectors.js';

const LENGTH = 8;
const random = seededRandom(12);
const EMBEDDED = [SSD, FACE_API_EMBEDDER, AGE_GENDER];
const EVERYTHING = [...EMBEDDED, MTCNN, FR_FEATURE_EMBEDDER, FACENET_EMBEDDER];

const refused = (words: RegExp) => (error: unknown) => {
  assert.ok(error instanceof KaomonError && error.code === 'SETUP', String(error));
  assert.match(error.message, words);
  return true;
};

/** A models folder in which these components look built. */
async function machine(t: TestContext, config: Config, built: (typeof EVERYTHING)[number][]) {
  const modelsDir = await temporaryFolder(t);
  for (const component of built) await pretendBuilt(component, modelsDir);
  const notes: string[] = [];
  const context: PrepareContext = {
    modelsDir,
    enrolledPacks: () => enrolledPacks(config),
    onProgress: ({ message }) => notes.push(message),
  };
  return { modelsDir, notes, context };
}

/** Enrols people with a pack. @param faceless people without a face besides */
async function enrol(config: Config, pack: string, people: number, faceless = 0): Promise<void> {
  const store = await openStore(config, pack, LENGTH, (message) => assert.ok(false, message));
  await store.load();
  for (let i = 0; i < people; i++) {
    const faceid = `default-p${i}`;
    const id = nameFace(faceid, new Date(0), false);
    const face = { id, faceid, enrolledAt: '1970-01-01T00:00:00Z', automatic: false, hasPicture: false };
    await store.addFace(face, randomUnitVector(random, LENGTH), {});
  }
  for (let i = 0; i < faceless; i++)
    await store.createPerson(`default-nobody${i}`, { username: 'N', metadata: {} });
  await store.close();
}

const STORES: Record<string, { skip: false | string; open: (t: TestContext) => Promise<Config> }> = {
  'in files': {
    skip: false,
    open: async (t) => loadConfig({ EMBEDDINGS_DIR: await temporaryFolder(t), AUTH: 'key' }),
  },
  'in Redis': {
    skip: REDIS_MISSING,
    async open(t) {
      const { settings } = await startRedis(t);
      return loadConfig({
        EMBEDDING_STORE: 'redis',
        REDIS_URL: settings.url,
        REDIS_PASSWORD,
        EMBEDDINGS_DIR: await temporaryFolder(t),
      });
    },
  },
};

for (const [where, { skip, open }] of Object.entries(STORES)) {
  describe(`auto with people ${where}`, { skip }, () => {
    it('is the pack that made them, whichever it is and whatever better one is here', async (t) => {
      for (const { id } of PACKS) {
        const config = await open(t);
        const { context, notes } = await machine(t, config, EVERYTHING);
        assert.equal((await preparePack('auto', context)).id, 'facenet', 'before anybody is enrolled');
        await enrol(config, id, 2);
        const pack = await preparePack('auto', context);
        assert.equal(pack.id, id);
        const offer = id === 'facenet' ? undefined : `npm run reembed -- --from ${id} --to facenet`;
        assert.equal(pack.offer?.command, offer);
        assert.equal(
          notes.some((note) => note.includes(`Everyone stays with ${id} until`)),
          id !== 'facenet',
        );
        const { packs } = await listPacks('auto', context);
        assert.deepEqual(
          packs.filter(({ inUse }) => inUse).map((row) => row.id),
          [id],
        );
      }
    });

    it('is refused when that pack cannot be had, and says what to do', async (t) => {
      const config = await open(t);
      await enrol(config, 'mtcnn+faceapi', 1);
      const { context } = await machine(t, config, EMBEDDED);
      await assert.rejects(
        preparePack('auto', context),
        refused(/enrolled with the pack mtcnn\+faceapi, which cannot be had: MTCNN.*With MODEL_PACK=NAME/),
      );
      assert.equal((await preparePack('faceapi', context)).id, 'faceapi', 'a name is followed');
    });

    it('is the pack with the most people of several, of equal ones the best', async (t) => {
      const config = await open(t);
      const { context, notes } = await machine(t, config, EVERYTHING);
      await enrol(config, 'faceapi', 3);
      await enrol(config, 'mtcnn+fr', 2, 5);
      assert.equal((await preparePack('auto', context)).id, 'faceapi');
      assert.ok(
        notes.some((note) => /most with faceapi, .* besides with mtcnn\+fr \(2\)/.test(note)),
        notes.join(),
      );
      await enrol(config, 'mtcnn+fr', 3);
      assert.equal((await preparePack('auto', context)).id, 'mtcnn+fr');
    });

    it('is the best that is here where people have no faces: no pack made them', async (t) => {
      const config = await open(t);
      await enrol(config, 'faceapi', 0, 3);
      const { context } = await machine(t, config, EVERYTHING);
      assert.deepEqual(await enrolledPacks(config), {});
      assert.equal((await preparePack('auto', context)).id, 'facenet');
    });

    it('does not change when somebody brings a better pack meanwhile', async (t) => {
      const config = await open(t);
      const { context, modelsDir, notes } = await machine(t, config, EMBEDDED);
      const { id, offer } = await preparePack('auto', context);
      assert.equal(id, 'faceapi-chip');
      assert.equal(offer, undefined);
      await enrol(config, id, 1);
      for (const component of [MTCNN, FR_FEATURE_EMBEDDER]) await pretendBuilt(component, modelsDir);
      const later = await preparePack('auto', context);
      assert.equal(later.id, 'faceapi-chip');
      assert.equal(later.offer?.pack, 'mtcnn+fr');
      assert.ok(
        notes.some((note) =>
          note.endsWith('Still better ones may be had by npm run models -- --fetch: facenet.'),
        ),
      );
    });
  });
}

describe('auto', () => {
  it("is somebody's own pack where people are enrolled with it, and is refused without it", async (t) => {
    const config = await STORES['in files'].open(t);
    await enrol(config, 'my-pack', 1);
    const { context } = await machine(t, config, EVERYTHING);
    await assert.rejects(
      preparePack('auto', context),
      refused(/enrolled with the pack my-pack, .*no model pack/),
    );
    await mkdir(path.join(context.modelsDir, 'my-pack'));
    const manifest = {
      ...{ format: 'kaomon-pack', title: 'Mine', licence: 'mine', detector: 'ssd' },
      embedder: { file: 'mine.onnx', size: 112, length: LENGTH, alignment: 'five-points' },
      thresholds: { identical: 1, sure: 0.5 },
    };
    await writeFile(path.join(context.modelsDir, 'my-pack', 'manifest.json'), JSON.stringify(manifest));
    await writeFile(path.join(context.modelsDir, 'my-pack', 'mine.onnx'), 'x');
    const { id, offer } = await preparePack('auto', context);
    assert.equal(id, 'my-pack');
    assert.equal(offer, undefined, 'it is not compared with ours');
  });

  it('is not guessed while Redis cannot be reached', async (t) => {
    const port = await freePort();
    const config = loadConfig({ EMBEDDING_STORE: 'redis', REDIS_URL: `redis://127.0.0.1:${port}` });
    const { context } = await machine(t, config, EVERYTHING);
    await assert.rejects(preparePack('auto', context), refused(/Redis does not answer/));
    const { packs, notes } = await listPacks('auto', context);
    assert.ok(packs.every(({ inUse }) => !inUse));
    assert.match(notes.join(), /Who is enrolled cannot be read/);
  });

  it('is the same for workers that start at once, and asks once', async (t) => {
    const config = await STORES['in files'].open(t);
    const { context } = await machine(t, config, EMBEDDED);
    let asked = 0;
    const fetching: PrepareContext = {
      ...context,
      async fetchSource() {
        asked += 1;
        await new Promise((resolve) => setImmediate(resolve));
        // The first worker gets the better pack in the end, while the others wait.
        for (const component of [MTCNN, FR_FEATURE_EMBEDDER])
          await pretendBuilt(component, context.modelsDir);
        throw new KaomonError('SETUP', 'out of reach');
      },
    };
    const packs = await Promise.all([0, 1, 2, 3].map(() => preparePack('auto', fetching)));
    assert.deepEqual(
      packs.map(({ id }) => id),
      ['mtcnn+fr', 'mtcnn+fr', 'mtcnn+fr', 'mtcnn+fr'],
    );
    assert.equal(asked, 1);
  });

  it('serves on with networks of an older version whose weights are gone', async (t) => {
    const config = await STORES['in files'].open(t);
    await enrol(config, 'facenet', 1);
    const { context, modelsDir, notes } = await machine(t, config, [MTCNN, AGE_GENDER]);
    await pretendBuilt(FACENET_EMBEDDER, modelsDir, 1);
    assert.equal((await preparePack('auto', context)).id, 'facenet');
    assert.ok(
      notes.some((note) => /InceptionResnetV1.*older version.*stays in use/.test(note)),
      notes.join(),
    );
    await rm(path.join(modelsDir, FACENET_EMBEDDER.id, 'embedder.onnx'));
    await assert.rejects(preparePack('auto', context), refused(/20180402-114759-vggface2\.pt are not here/));
  });

  it('builds nothing over a pack of somebody’s own', async (t) => {
    const { context, modelsDir } = await machine(t, await STORES['in files'].open(t), [MTCNN]);
    await mkdir(path.join(modelsDir, 'fr-feature'));
    await writeFile(path.join(modelsDir, 'fr-feature', 'manifest.json'), '{"format":"kaomon-pack"}');
    await assert.rejects(preparePack('mtcnn+fr', context), refused(/fr-feature holds a pack of your own/));
  });
});

describe('the packs', () => {
  it('have a name each, and each way of cutting another one', () => {
    assert.equal(new Set(PACKS.map(({ id }) => id)).size, PACKS.length);
    const cuts = PACKS.map(({ detector, embedder, cut }) =>
      JSON.stringify([detector, { ...EMBEDDERS[embedder], component: embedder }, cut]),
    );
    assert.equal(new Set(cuts).size, PACKS.length);
  });

  it('keep what people are enrolled with: the first cut of face-api', () => {
    for (const id of ['faceapi', 'mtcnn+faceapi']) {
      const pack = PACKS.find((candidate) => candidate.id === id);
      assert.equal(pack?.cut, undefined);
      assert.equal(EMBEDDERS.faceapi.input.alignment, 'faceapi');
    }
  });
});
