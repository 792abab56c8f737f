import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { faissRefusal } from '../../src/gallery/index/faiss-addon.js';
import { createFaissIndex } from '../../src/gallery/index/faiss-index.js';
import { createOnnxIndex } from '../../src/gallery/index/onnx-index.js';
import type { VectorIndex } from '../../src/gallery/index/vector-index.js';

export interface Engine {
  name: string;
  create: (length: number) => VectorIndex;
  skip: string | false;
  /** Every answer is exact; else the nearest is found nearly always. */
  exact: boolean;
}

export const WITHOUT_FAISS = faissRefusal() ?? false;

/** Every kind of index, of sizes at which each does all that it can do. */
export const ENGINES: Engine[] = [
  { name: 'exact', create: createExactIndex, skip: false, exact: true },
  { name: 'faiss flat', create: createFaissIndex, skip: WITHOUT_FAISS, exact: true },
  {
    name: 'faiss IVFFlat',
    create: (length) => createFaissIndex(length, { listsFrom: 2000 }),
    skip: WITHOUT_FAISS,
    exact: false,
  },
  {
    name: 'ONNX',
    // Small enough that segments are built, joined and split all the time.
    create: (length) =>
      createOnnxIndex(length, { providers: ['cpu'], growingLimit: 400, segmentBytes: 4 * length * 2000 }),
    skip: false,
    exact: true,
  },
];
