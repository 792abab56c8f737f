import type { Config } from '../../settings/config.js';
import { KaomonError } from '../../platform/errors.js';
import { createExactIndex } from './exact-index.js';
import { faissRefusal } from './faiss-addon.js';
import { createFaissIndex } from './faiss-index.js';
import { createOnnxIndex } from './onnx-index.js';
import type { VectorIndex } from './vector-index.js';

/** From here on an exact search takes longer than 15 ms on two cores (docs/benchmarks.md), so `auto` trains lists. */
const AUTO_LISTS_FROM = 300_000;
/** Below, an exact search takes under a millisecond, and lists would be trained on too little. */
const LISTS_FROM = 10_000;

/**
 * The index that the settings ask for.
 * @param length numbers in a vector
 * @param note told what a person should know: that `auto` does without faiss, that lists were trained
 * @throws KaomonError SETUP when faiss is asked for and cannot be used
 */
export function chooseIndex(
  config: Pick<Config, 'INDEX' | 'IVFFLAT' | 'EXECUTION_PROVIDERS' | 'GPU_DEVICE_ID'>,
  length: number,
  note: (message: string) => void,
): VectorIndex {
  const { INDEX, IVFFLAT, EXECUTION_PROVIDERS, GPU_DEVICE_ID: gpuDevice } = config;
  if (INDEX === 'exact') return createExactIndex(length);
  const openOnnx = () =>
    createOnnxIndex(length, { providers: EXECUTION_PROVIDERS.split(','), gpuDevice, note });
  if (INDEX === 'onnx') return openOnnx();
  const refusal = faissRefusal();
  if (!refusal) {
    const wantsLists = INDEX === 'ivfflat' || (IVFFLAT && INDEX === 'auto');
    const listsFrom = wantsLists ? LISTS_FROM : INDEX === 'auto' ? AUTO_LISTS_FROM : Infinity;
    return createFaissIndex(length, { listsFrom, note });
  }
  if (INDEX !== 'auto' || IVFFLAT) {
    const setting = INDEX === 'auto' ? 'IVFFLAT=true' : `INDEX=${INDEX}`;
    throw new KaomonError('SETUP', `${setting}, but ${refusal}. Run "npm run setup", or leave it unset.`);
  }
  note(`faiss is not used (${refusal}): ONNX Runtime searches. "npm run setup" compiles faiss.`);
  return openOnnx();
}
