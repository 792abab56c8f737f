import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { it, type TestContext } from 'node:test';
import { CompreFace } from '@exadel/compreface-js-sdk';
import { buildApp } from '../../../src/app.js';
import { composeFrame } from '../../../src/bench/frames.js';
import { loadConfig } from '../../../src/settings/config.js';
import { createFileStore } from '../../../src/gallery/store/file-store.js';
import { createGallery } from '../../../src/gallery/gallery.js';
import { createExactIndex } from '../../../src/gallery/index/exact-index.js';
import { preparePack } from '../../../src/models/packs/prepare.js';
import { createVisionPool } from '../../../src/vision/pool.js';
import { peopleIn } from '../../support/faces.js';
import { KNOWN, writePortraits } from '../../support/photographs.js';
import { shared, SHARED_MISSING } from '../../support/shared.js';
import { temporaryFolder } from '../../support/temporary.js';

/** The server with the embedded pack, listening over HTTP on a free port of the loopback. */
async function realServer(t: TestContext): Promise<number> {
  const config = loadConfig({
    MODEL_PACK: 'faceapi',
    TLS: 'false',
    PORT: '0',
    HOST: '127.0.0.1',
    AUTH: 'none',
  });
  const pack = await preparePack(config.MODEL_PACK, { modelsDir: config.MODELS_DIR });
  const vision = await createVisionPool({
    ...{ pack, providers: ['cpu'], threads: 1, poolThreads: 2, queueLength: 64 },
    maxPixels: config.MAX_PIXELS,
    minFaceSize: config.MIN_FACE_SIZE,
  });
  const { length } = pack.embedder;
  const store = createFileStore({
    folder: await temporaryFolder(t),
    pack: pack.id,
    length,
    warn: () => undefined,
  });
  const gallery = await createGallery({ pack: pack.id, store, index: createExactIndex(length) });
  const app = await buildApp({ config, vision, gallery, pack });
  t.after(async () => {
    await app.close();
    await vision.close();
    await gallery.close();
  });
  await app.listen({ host: config.HOST, port: config.PORT });
  return (app.server.address() as AddressInfo).port;
}

/** As the SDK takes a path for one: it begins with a dot. */
const sdkPath = (file: string) => path.relative('.', file).replace(/^(?!\.)/, './');

/** Two pictures of each person, and one of a stranger. */
interface Cast {
  people: { name: string; files: string[] }[];
  stranger: string;
}

/** Of every clone: a portrait and its mirror image. */
async function fromPhotographs(t: TestContext): Promise<Cast> {
  const folder = await temporaryFolder(t);
  const [stranger, ...people] = await Promise.all(
    KNOWN.slice(0, 7).map(async (name) => ({
      name,
      files: await writePortraits(path.join(folder, name), name, [{}, { mirrored: true }]),
    })),
  );
  return { people, stranger: stranger.files[0] };
}

/** Other pictures of the same people. */
async function fromLfw(): Promise<Cast> {
  const [stranger] = await peopleIn(shared('images', 'lfw-strangers'));
  return { people: (await peopleIn(shared('images', 'lfw'))).slice(0, 6), stranger: stranger.files[0] };
}

for (const [source, castOf, skip] of [
  ['the photographs of face-api', fromPhotographs, false],
  ['LFW', fromLfw, SHARED_MISSING],
] as const) {
  it(
    `CompreFace's JavaScript SDK on faces of ${source}: adds, recognises, verifies and detects`,
    { skip },
    async (t) => {
      const compreFace = new CompreFace('http://127.0.0.1', await realServer(t));
      const recognition = compreFace.initFaceRecognitionService('key');
      const { people, stranger } = await castOf(t);
      interface Added {
        image_id: string;
        subject: string;
      }
      const added: Added[] = [];
      for (const { name, files } of people) {
        added.push(await recognition.getFaceCollection().add<Added>(sdkPath(files[0]), name));
      }
      assert.deepEqual(
        added.map(({ subject }) => subject),
        people.map(({ name }) => name),
      );

      interface Recognised {
        result: {
          subjects: { subject: string; similarity: number }[];
          landmarks?: number[][];
          age?: { low: number; high: number };
          gender?: { value: string };
        }[];
      }
      const options = { limit: 1, prediction_count: 2, face_plugins: 'landmarks,age,gender' };
      for (const { name, files } of people) {
        const { result } = await recognition.recognize<Recognised>(sdkPath(files[1]), options);
        const [first, second] = result[0].subjects;
        assert.equal(first.subject, name);
        assert.ok(first.similarity > second.similarity);
        t.diagnostic(`${name}: ${first.similarity}, next ${second.subject} ${second.similarity}`);
        assert.equal(result[0].landmarks?.length, 5);
        assert.ok((result[0].age?.low ?? 0) > 0);
        assert.ok(['male', 'female'].includes(result[0].gender?.value ?? ''));
      }
      const unknown = await recognition.recognize<Recognised>(sdkPath(stranger), options);
      assert.ok(unknown.result[0].subjects[0].similarity < 0.5);

      interface Compared {
        result: { subject: string; similarity: number }[];
      }
      const verified = await recognition
        .getFaceCollection()
        .verify<Compared>(sdkPath(people[0].files[1]), added[0].image_id, { limit: 1 });
      assert.equal(verified.result[0].subject, people[0].name);
      interface Pair {
        result: [{ face_matches: { similarity: number }[] }];
      }
      const verification = compreFace.initFaceVerificationService('key');
      const pair = async (a: string, b: string) =>
        (await verification.verify<Pair>(sdkPath(a), sdkPath(b), { limit: 1 })).result[0].face_matches[0]
          .similarity;
      assert.ok(
        (await pair(people[0].files[0], people[0].files[1])) > (await pair(people[0].files[0], stranger)),
      );
      const crowd = path.join(await temporaryFolder(t), 'crowd.jpg');
      await writeFile(crowd, await composeFrame('32 faces'));
      const detection = compreFace.initFaceDetectionService('key');
      const { result } = await detection.detect<{ result: object[] }>(sdkPath(crowd), { limit: 0 });
      assert.ok(result.length > 20, `${result.length} of 32`);
    },
  );
}
