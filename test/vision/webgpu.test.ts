import assert from 'node:assert/strict';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { nameFace } from '../../src/gallery/face-name.js';
import { encodeNpy } from '../../src/gallery/store/npy.js';
import { preparePack } from '../../src/models/packs/prepare.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { createAnalyzer } from '../../src/vision/analyzer.js';
import { recognise, register } from '../support/faces.js';
import { largestDifference, seededGolden } from '../support/golden.js';
import { tinyNetwork, writeOwnPack } from '../support/own-pack.js';
import { shared, SHARED_MISSING } from '../support/shared.js';
import { startServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';
import { findWebgpu, runOnWebgpu } from '../support/webgpu.js';

/** Jobs for when all is over: a suite's own hooks would run before those of its tests. */
const jobs: (() => Promise<void>)[] = [];
after(() => Promise.all(jobs.map((job) => job())));

const webgpu = await findWebgpu((job) => jobs.push(job));
const env = 'env' in webgpu ? webgpu.env : {};
const skip = 'reason' in webgpu ? webgpu.reason : false;

interface Served {
  provider: string;
  refused: unknown[];
}

describe('on WebGPU', { skip }, () => {
  it('MTCNN finds what the reference finds', async () => {
    const { faces, ...served } = (await runOnWebgpu(env, 'detect')) as Served & {
      faces: { box: number[]; probability: number; landmarks: number[] }[];
    };
    assert.deepEqual(served, { provider: 'webgpu', refused: [] });
    const expected = seededGolden().cascade.faces;
    assert.equal(faces.length, expected.length);
    for (const [i, { box, probability, landmarks }] of faces.entries()) {
      const numbers = [...expected[i].box, expected[i].probability];
      assert.ok(largestDifference([...box, probability], numbers) < 2e-3, `face ${i}`);
      assert.ok(largestDifference(landmarks, expected[i].landmarks) < 2e-2, `landmarks of face ${i}`);
    }
  });

  it('a face is embedded as on the CPU and as by face-api, while the index is built and searched', async () => {
    const found = (await runOnWebgpu(env, 'embedAndSearch')) as Served & {
      cosine: number;
      golden: number;
      index: { kind: string; notes: string[]; same: number };
    };
    assert.deepEqual([found.provider, found.refused], ['webgpu', []]);
    assert.ok(found.cosine > 0.99999, String(found.cosine));
    assert.ok(found.golden > 0.9999, String(found.golden));
    assert.deepEqual(found.index, { kind: 'onnx (webgpu)', notes: [], same: 6 });
  });
});

/** Faces of one number more than what the index searches without a network of its own. */
const CROWD = 1001;

describe('the server on WebGPU', { skip: skip || SHARED_MISSING }, () => {
  it('asked for four vision threads, answers eight requests at once, alive and right', async (t) => {
    const projectModels = path.join(PROJECT_ROOT, 'models');
    await preparePack('mtcnn+faceapi', {
      modelsDir: projectModels,
      sourceDirs: [shared('weights', 'mtcnn')],
    });
    const folder = await temporaryFolder(t);
    const [MODELS_DIR, EMBEDDINGS_DIR] = [path.join(folder, 'models'), path.join(folder, 'embeddings')];
    await mkdir(MODELS_DIR);
    for (const name of ['mtcnn', 'age-gender'])
      await symlink(path.join(projectModels, name), path.join(MODELS_DIR, name));
    // MTCNN is what it is; the embedder is small, for a processor that plays GPU.
    const manifest = {
      ...{ format: 'kaomon-pack', title: 'Tiny', licence: 'none', detector: 'mtcnn' },
      embedder: { file: 'tiny.onnx', size: 32, length: 48, alignment: 'box', input: 'data', output: 'fc1' },
      thresholds: { identical: 0.01, sure: 0.005 },
    };
    await writeOwnPack(MODELS_DIR, 'tiny', manifest, tinyNetwork({ size: 32, cells: 4 }));
    await writeCrowd(path.join(EMBEDDINGS_DIR, 'tiny'));
    const server = await startServer({
      ...{ ...env, MODELS_DIR, EMBEDDINGS_DIR, CACHE_DIR: path.join(folder, 'cache'), MODEL_PACK: 'tiny' },
      ...{ EXECUTION_PROVIDERS: 'webgpu,cpu', VISION_THREADS: '4', INDEX: 'onnx', MIN_FACE_SIZE: '60' },
      MIN_ENROL_SIZE: '60',
    });
    t.after(() => server.end());

    const files = ['Abdoulaye_Wade', 'Adam_Sandler'].map((name) =>
      shared('images', 'lfw', name, `${name}_0001.jpg`),
    );
    const analyzer = await createAnalyzer({
      pack: await preparePack('tiny', { modelsDir: MODELS_DIR }),
      ...{ providers: ['cpu'], threads: 1, maxPixels: 1_000_000, minFaceSize: 60 },
    });
    t.after(() => analyzer.release());
    const looks = await analyzer.analyze(
      await Promise.all(files.map(async (file) => ({ bytes: await readFile(file), options: {} }))),
    );
    const boxes = looks.map((look) => (look.status === 'fulfilled' ? look.value.faces[0].box : undefined));

    for (const [i, file] of files.entries()) {
      const answer = await register(server, `person${i}`, file);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    }
    const asked = Array.from({ length: 8 }, (_, i) => recognise(server, files[i % 2]));
    for (const [i, faces] of (await Promise.all(asked)).entries()) {
      const [{ userid, distance, x, y, width, height }] = faces;
      assert.equal(userid, `person${i % 2}`);
      assert.ok((distance ?? 1) < 1e-6, String(distance));
      const { x1 = 0, y1 = 0, x2 = 0, y2 = 0 } = boxes[i % 2] ?? {};
      assert.ok(largestDifference([x, y, width, height], [x1, y1, x2 - x1, y2 - y1]) < 1.01, `request ${i}`);
    }
    const health = (await server.get('/api/v1/health')).body as {
      vision: { threads: number; provider: string; refusedProviders: unknown[]; note: string };
      gallery: { index: string; faces: number };
    };
    const { threads, provider, refusedProviders, note } = health.vision;
    assert.deepEqual([threads, provider, refusedProviders], [1, 'webgpu', []]);
    assert.match(note, /one vision thread, not 4/);
    assert.deepEqual([health.gallery.index, health.gallery.faces], ['onnx (webgpu)', CROWD + 2]);
    assert.equal(await server.end(), 0);
  });
});

/** A person with so many faces that the index takes to ONNX Runtime, as files. @param pack the folder of a pack */
async function writeCrowd(pack: string): Promise<void> {
  const faceid = 'default-crowd';
  const random = seededRandom(3);
  await mkdir(path.join(pack, faceid), { recursive: true });
  for (let i = 0; i < CROWD; i++) {
    const name = nameFace(faceid, new Date(2026, 0, 1, 0, 0, i), false);
    await writeFile(path.join(pack, faceid, `${name}.npy`), encodeNpy(randomUnitVector(random, 48)));
  }
}
