import { existsSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../settings/config.js';
import { makeFolder } from '../platform/files/durable.js';
import { buildInceptionResnetV1 } from '../models/onnx/graphs/inception-resnet-v1.js';
import { listPacks } from '../models/packs/list.js';
import { preparePack } from '../models/packs/prepare.js';
import type { ReadyPack } from '../models/types.js';
import type { BenchContext } from './effort.js';
import { sharedMtcnn } from './frames.js';
import { SeededTensors } from '../accuracy/seeded-weights.js';

const SEEDED = 'facenet-seeded';

export interface BenchPack {
  readonly pack: ReadyPack;
  /** The settings with which a server uses it. */
  readonly env: Readonly<Record<string, string>>;
}

/**
 * The facenet pack if it is installed; else MTCNN with the published weights and InceptionResnetV1 with seeded ones, which
 * take as long; else the pack faceapi.
 * @param asked a pack that is wanted instead
 */
export async function benchPack(
  { MODELS_DIR }: Pick<Config, 'MODELS_DIR'>,
  { folder, note }: BenchContext,
  asked?: string,
): Promise<BenchPack> {
  const use = async (id: string, modelsDir: string, sourceDirs: string[] = []): Promise<BenchPack> => ({
    pack: await preparePack(id, { modelsDir, sourceDirs }),
    env: { MODEL_PACK: id, MODELS_DIR: modelsDir },
  });
  if (asked !== undefined) return await use(asked, MODELS_DIR);
  const { packs } = await listPacks('facenet', { modelsDir: MODELS_DIR });
  const real = packs.find(({ id }) => id === 'facenet');
  if (real && (real.state === 'installed' || real.state === 'buildable'))
    return await use('facenet', MODELS_DIR);
  const mtcnn = sharedMtcnn();
  if (!mtcnn) {
    note('The pack faceapi is used: the weights of MTCNN are neither installed nor beside the checkout.');
    return await use('faceapi', MODELS_DIR);
  }
  note('InceptionResnetV1 has seeded weights instead of the real ones: it takes as long with them.');
  const modelsDir = path.join(folder, 'models');
  await writeSeededPack(path.join(modelsDir, SEEDED));
  return await use(SEEDED, modelsDir, [mtcnn]);
}

async function writeSeededPack(folder: string): Promise<void> {
  if (existsSync(path.join(folder, 'manifest.json'))) return;
  await makeFolder(folder);
  await writeFile(path.join(folder, 'embedder.onnx'), buildInceptionResnetV1(new SeededTensors()));
  const manifest = {
    format: 'kaomon-pack',
    title: 'MTCNN + InceptionResnetV1 with seeded weights',
    licence: 'MIT',
    detector: 'mtcnn',
    embedder: { file: 'embedder.onnx', size: 160, length: 512, alignment: 'box' },
    thresholds: { identical: 0.49, sure: 0.35 },
  };
  const made = path.join(folder, 'manifest.new');
  await writeFile(made, JSON.stringify(manifest, null, 2));
  await rename(made, path.join(folder, 'manifest.json'));
}
