import { existsSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { buildInceptionResnetV1 } from '../../src/models/onnx/graphs/inception-resnet-v1.js';
import { buildONet } from '../../src/models/onnx/graphs/onet.js';
import { buildPNet } from '../../src/models/onnx/graphs/pnet.js';
import { buildRNet } from '../../src/models/onnx/graphs/rnet.js';
import { readTorchState } from '../../src/models/weights/torch-state.js';
import { loadMtcnnWeights } from '../../src/models/onnx/mtcnn-weights.js';
import { preparePack } from '../../src/models/packs/prepare.js';
import type { ReadyPack } from '../../src/models/types.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { SHARED_MISSING, shared } from './shared.js';
import { SeededMtcnn, SeededTensors } from './seeded-weights.js';

/** False where MTCNN's published weights are at hand, else the reason to skip what cannot do with seeded ones. */
export const MTCNN_MISSING: false | string =
  SHARED_MISSING && 'needs the published weights of MTCNN, which are in ../shared';

/** The packs of {@link benchPack} that find real faces, with the reason to skip one where it cannot be had. */
export const FACE_PACKS = [
  ['faceapi', false],
  ['mtcnn+faceapi', MTCNN_MISSING],
] as const;

/**
 * Packs for measuring and for tests over pictures. MTCNN has its published weights where the reference data is, else
 * seeded ones.
 * - `facenet`: InceptionResnetV1 with seeded weights. What it answers means nothing; what it costs is the same.
 * - `mtcnn+faceapi`: face-api's embedder, whose answers are real.
 * - `faceapi`: as a user has it.
 */
export async function benchPack(id: 'facenet' | 'mtcnn+faceapi' | 'faceapi'): Promise<ReadyPack> {
  const context = { modelsDir: path.join(PROJECT_ROOT, 'models') };
  const faceapi = await preparePack('faceapi', context);
  if (id === 'faceapi') return faceapi;
  const folder = path.join(PROJECT_ROOT, 'cache', 'bench');
  await mkdir(folder, { recursive: true });
  const weights = async (net: 'pnet' | 'rnet' | 'onet') =>
    SHARED_MISSING ? new SeededMtcnn(net) : await readTorchState(shared('weights', 'mtcnn', `${net}.pt`));
  const origin = SHARED_MISSING ? 'seeded' : 'published';
  const files = {
    pnet: await once(folder, `${origin}-pnet.onnx`, async () => buildPNet(await weights('pnet'))),
    rnet: await once(folder, `${origin}-rnet.onnx`, async () => buildRNet(await weights('rnet'))),
    onet: await once(folder, `${origin}-onet.onnx`, async () => buildONet(await weights('onet'))),
  };
  const detector = { kind: 'mtcnn' as const, ...files, weights: await loadMtcnnWeights(files) };
  const title = 'For measuring';
  if (id === 'mtcnn+faceapi') {
    // face-api's square hangs on the 68 landmarks.
    const { landmarks } = faceapi.detector;
    return { ...faceapi, id, title, detector: { ...detector, ...(landmarks && { landmarks }) } };
  }
  const network = await once(folder, 'seeded-embedder.onnx', () =>
    buildInceptionResnetV1(new SeededTensors()),
  );
  return {
    ...{ id, title, licence: 'MIT', detector, ageGender: undefined },
    thresholds: { identical: 0.49, sure: 0.35 },
    embedder: {
      ...{ name: 'facenet', network, length: 512, size: 160 },
      ...{ colour: 'rgb', mean: 0, scale: 1, alignment: 'box' },
    },
  };
}

/** Writes a file unless it is there; another process may do the same at the same time. */
async function once(
  folder: string,
  name: string,
  make: () => Uint8Array | Promise<Uint8Array>,
): Promise<string> {
  const file = path.join(folder, name);
  if (!existsSync(file)) {
    const mine = `${file}.${process.pid}`;
    await writeFile(mine, await make());
    await rename(mine, file);
  }
  return file;
}
