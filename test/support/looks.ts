import sharp from 'sharp';
import { KaomonError } from '../../src/platform/errors.js';
import { loadConfig } from '../../src/settings/config.js';
import { preparePack } from '../../src/models/packs/prepare.js';
import type { ReadyPack } from '../../src/models/types.js';
import { type Analyzer, createAnalyzer } from '../../src/vision/analyzer.js';
import type { ThreadOptions } from '../../src/vision/types.js';
import type { Analysis } from '../../src/vision/types.js';

/** A pack that this machine has, or the reason why it has not; nothing is fetched. */
export async function packHere(id: string): Promise<ReadyPack | string> {
  try {
    return await preparePack(id, { modelsDir: loadConfig({}).MODELS_DIR });
  } catch (error) {
    if (error instanceof KaomonError) return `the pack ${id} is not here: ${error.message}`;
    throw error;
  }
}

/** One vision thread's work, without the thread. */
export function openAnalyzer(pack: ReadyPack, minFaceSize = 20): Promise<Analyzer> {
  return createAnalyzer({
    ...{ pack, providers: ['cpu'], gpuDevice: 0, threads: 1 },
    ...{ maxPixels: 25_000_000, minFaceSize },
  });
}

/** What an analyzer sees in one picture. */
export async function lookAt(
  analyzer: Analyzer,
  bytes: Uint8Array,
  options: ThreadOptions = {},
): Promise<Analysis> {
  const [result] = await analyzer.analyze([{ bytes: new Uint8Array(bytes), options }]);
  if (result.status === 'rejected') throw result.reason;
  return result.value;
}

/** A portrait turned clockwise; what of it does not fit into its old frame is cut off. */
export async function turned(file: string, degrees: number): Promise<Uint8Array> {
  const { width, height } = await sharp(file).metadata();
  const upright = await sharp(file).toColourspace('srgb').png().toBuffer();
  const whole = await sharp(upright).rotate(degrees, { background: '#808080' }).png().toBuffer();
  const size = await sharp(whole).metadata();
  const frame = { width: Math.min(width, size.width), height: Math.min(height, size.height) };
  const left = (size.width - frame.width) >> 1;
  const top = (size.height - frame.height) >> 1;
  return new Uint8Array(
    await sharp(whole)
      .extract({ left, top, ...frame })
      .png()
      .toBuffer(),
  );
}
