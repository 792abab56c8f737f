import type { Config } from '../../settings/config.js';
import { KaomonError } from '../../platform/errors.js';
import { createExactIndex } from './exact-index.js';
import { faissRefusal } from './faiss-addon.js';
import { createFaissIndex } from './faiss-index.js';
import { createOnnxIndex } from './onnx-index.js';
import type { VectorIndex } from './vector-index.js';

/** The number of faces from which faiss searches lists instead of all vectors. */
const LISTS_FROM = {
  flat: Infinity,
  // From here on an exact search takes longer than 15 ms on two cores (docs/benchmarks.md).
  auto: 300_000,
  // Below, an exact search takes under a millisecond, and lists would be trained on too little.
  ivfflat: 10_000,
  // Of what Milvus does not show yet.
  milvus: Infinity,
};

/**
 * The index that the settings ask for.
 * @param length numbers in a vector
 * @param note called with what an administrator should know: that `auto` goes without faiss, that lists were trained
 * @throws KaomonError SETUP when faiss is required and cannot be used
 */
export function chooseIndex(
  config: Pick<Config, 'INDEX' | 'EXECUTION_PROVIDERS' | 'GPU_DEVICE_ID'>,
  length: number,
  note: (message: string) => void,
): VectorIndex {
  const { INDEX, EXECUTION_PROVIDERS, GPU_DEVICE_ID: gpuDevice } = config;
  if (INDEX === 'exact') return createExactIndex(length);
  const openOnnx = () =>
    createOnnxIndex(length, { providers: EXECUTION_PROVIDERS.split(','), gpuDevice, note });
  if (INDEX === 'onnx') return openOnnx();
  const refusal = faissRefusal();
  if (!refusal) return createFaissIndex(length, { listsFrom: LISTS_FROM[INDEX], note });
  if (INDEX !== 'auto' && INDEX !== 'milvus')
    throw new KaomonError(
      'SETUP',
      `INDEX=${INDEX} needs faiss, but ${refusal}. Run "npm run setup", or leave INDEX unset.`,
    );
  note(`faiss is not used (${refusal}): ONNX Runtime searches. "npm run setup" compiles faiss.`);
  return openOnnx();
}
