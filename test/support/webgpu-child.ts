/**
 * `node webgpu-child.js WHAT`: does something on WebGPU and prints what came out as one line of JSON. A process of its
 * own, because the environment that Vulkan needs is read when a process begins, and because what goes wrong ends it.
 */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { createOnnxIndex } from '../../src/gallery/index/onnx-index.js';
import { buildONet } from '../../src/models/onnx/graphs/onet.js';
import { buildPNet } from '../../src/models/onnx/graphs/pnet.js';
import { buildRNet } from '../../src/models/onnx/graphs/rnet.js';
import { preparePack } from '../../src/models/packs/prepare.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { createMtcnnDetector } from '../../src/vision/detectors/mtcnn.js';
import { createEmbedder, type Embedder } from '../../src/vision/embedder.js';
import { decodeImage } from '../../src/vision/image.js';
import { Runtime } from '../../src/vision/ort.js';
import { madeFace } from '../../src/vision/self-check.js';
import { seededGolden } from './golden.js';
import { tinyNetwork } from './own-pack.js';
import { SeededMtcnn, seededPicture } from './seeded-weights.js';
import { shared, SHARED_MISSING } from './shared.js';
import { randomUnitVector, seededRandom } from './vectors.js';

const folder = await mkdtemp(path.join(tmpdir(), 'kaomon-test-'));
const openRuntime = (provider: string) => new Runtime({ providers: [provider], threads: 1, selfCheck: true });

/** Whether it runs at all. @throws why it does not */
async function probe(): Promise<unknown> {
  const file = path.join(folder, 'tiny.onnx');
  await writeFile(file, tinyNetwork({ size: 8, cells: 2 }));
  const runtime = openRuntime('webgpu');
  const embedder = await createEmbedder(runtime, {
    ...{ name: 'tiny', network: file, length: 12, size: 8, colour: 'rgb', mean: 0, scale: 1 },
    ...{ alignment: 'box', input: 'data', output: 'fc1' },
  });
  await embedder.release();
  if (runtime.provider !== 'webgpu') throw new Error(runtime.refused[0].reason);
  return {};
}

/** MTCNN with seeded weights over the picture that the reference has looked at, too. */
async function detect(): Promise<unknown> {
  const { cascade } = seededGolden();
  const files = { pnet: '', rnet: '', onet: '' };
  const builders = { pnet: buildPNet, rnet: buildRNet, onet: buildONet };
  for (const net of ['pnet', 'rnet', 'onet'] as const) {
    files[net] = path.join(folder, `${net}.onnx`);
    await writeFile(files[net], builders[net](new SeededMtcnn(net)));
  }
  const runtime = openRuntime('webgpu');
  const { minFaceSize, thresholds, width, height } = cascade;
  const detector = await createMtcnnDetector(runtime, files, { minFaceSize, thresholds });
  const faces = await detector.detect(seededPicture('scene', width, height, 8));
  await detector.release();
  return {
    provider: runtime.provider,
    refused: runtime.refused,
    faces: faces.map(({ box, probability, landmarks }) => ({
      box: [box.x1, box.y1, box.x2, box.y2],
      probability,
      landmarks: [...(landmarks ?? [])],
    })),
  };
}

/** face-api's embedder beside the index of ONNX Runtime, both on WebGPU and both at once. */
async function embedAndSearch(): Promise<unknown> {
  const { embedder: spec } = await preparePack('faceapi', { modelsDir: path.join(PROJECT_ROOT, 'models') });
  const runtime = openRuntime('webgpu');
  const embedder = await createEmbedder(runtime, spec);
  const onCpu = await createEmbedder(openRuntime('cpu'), spec);
  const index = await compareIndex(embedder, madeFace(spec.size, 1));
  const [here] = await embedder.embed([madeFace(spec.size, 2)]);
  const [there] = await onCpu.embed([madeFace(spec.size, 2)]);
  const found = {
    provider: runtime.provider,
    refused: runtime.refused,
    cosine: cosine(here, there),
    golden: SHARED_MISSING ? 1 : await goldenCosine(embedder),
    index,
  };
  await embedder.release();
  await onCpu.release();
  return found;
}

/** An index of two segments is built and searched while faces are embedded: three threads that want the GPU. */
async function compareIndex(embedder: Embedder, face: Uint8Array) {
  const length = 32;
  const notes: string[] = [];
  const index = createOnnxIndex(length, {
    ...{ providers: ['webgpu', 'cpu'], growingLimit: 100, segmentBytes: 150 * length * 4 },
    note: (message) => notes.push(message),
  });
  const exact = createExactIndex(length);
  const random = seededRandom(7);
  const vectors = () => randomUnitVector(random, length);
  for (let i = 0; i < 300; i++) {
    const vector = vectors();
    index.add(`p${i}`, vector);
    exact.add(`p${i}`, vector);
  }
  const built = index.settled();
  await embedder.embed([face]);
  await built;
  let same = 0;
  const searches = Array.from({ length: 6 }, async () => {
    const query = vectors();
    const [found, expected] = await Promise.all([index.search(query, 3), exact.search(query, 3)]);
    if (found.hits.every(({ id }, i) => id === expected.hits[i].id)) same += 1;
  });
  await Promise.all([...searches, embedder.embed([face])]);
  const { kind } = index;
  await index.close();
  return { kind, notes, same };
}

/** Cosine of what WebGPU makes of a face to what face-api itself makes of it. */
async function goldenCosine(embedder: Embedder): Promise<number> {
  const name = 'rec150-paul_rudd.png';
  const file = shared('golden', 'faceapi', 'outputs.json');
  const { outputs } = JSON.parse(await readFile(file, 'utf8')) as {
    outputs: Record<string, { descriptor: number[] }>;
  };
  const { data } = await decodeImage(await readFile(shared('golden', 'faceapi', name)), {
    maxPixels: 1_000_000,
  });
  const [embedding] = await embedder.embed([data]);
  return cosine(embedding, Float32Array.from(outputs[name].descriptor));
}

function cosine(a: Float32Array, b: Float32Array): number {
  const product = (one: Float32Array, other: Float32Array) =>
    one.reduce((sum, value, i) => sum + value * other[i], 0);
  return product(a, b) / Math.sqrt(product(a, a) * product(b, b));
}

const WORK: Record<string, () => Promise<unknown>> = { probe, detect, embedAndSearch };
try {
  console.log(JSON.stringify(await WORK[process.argv[2]]()));
} finally {
  await rm(folder, { recursive: true, force: true });
}
