import { availableParallelism } from 'node:os';
import { openFaissVectors } from './faiss-addon.js';
import { createLabels } from './labels.js';
import { checkCount, checkVector, type VectorIndex } from './vector-index.js';

/** Full blocks (1,024 vectors each) that may wait outside the lists. */
const TAIL_BLOCKS = 4;
/** Removed vectors that may stay in the lists, as a share of all: each may displace a result. */
const DEAD_SHARE = 0.05;
const DEAD_ALLOWED = 500;
/** Lists are trained again when the number of vectors has grown or shrunk by this factor. */
const GROWTH = 2;
/** How many lists a search reads: at least so many, and this share of all (measured in docs/benchmarks.md). */
const NPROBE_LEAST = 32;
const NPROBE_SHARE = 1 / 16;
/** The most vectors in a list: with more it holds so many people that its centre is near none of them. */
const VECTORS_A_LIST = 128;
/** How long to wait after a failed training (out of memory), milliseconds. */
const RETRY_AFTER = 60_000;
/** Training leaves half of the cores to the pictures. */
const THREADS = Math.max(1, Math.floor(availableParallelism() / 2));

export interface FaissIndexOptions {
  /** The number of vectors from which inverted lists (IVFFlat) are searched; below, search is exact. Default: never. */
  listsFrom?: number;
  /** Called when lists were trained, or a training failed, after which searches go on as before. */
  note?: (message: string) => void;
}

/** How many lists suit `size` vectors: comparing all centres then costs about as much as reading the lists near a probe. */
function listsFor(size: number): number {
  return Math.max(1, Math.round(Math.max(4 * Math.sqrt(size), size / VECTORS_A_LIST)));
}

/**
 * faiss with our ids: exact (IndexFlatL2) for few vectors, IVFFlat from `listsFrom` on. Training and searches run on
 * libuv's threads, and searches never wait for a training.
 * @throws Error when faiss cannot be used here (see `faissRefusal`)
 */
export function createFaissIndex(length: number, options: FaissIndexOptions = {}): VectorIndex {
  const { listsFrom = Infinity, note = () => undefined } = options;
  const vectors = openFaissVectors(length);
  const labels = createLabels();
  let closed = false;
  /** Size when the lists were trained; 0 while there are none. */
  let trainedFor = 0;
  let upkeep: Promise<void> | undefined;
  let failedAt = -Infinity;

  /** The maintenance that is due, or undefined. */
  function dueWork(): (() => Promise<void>) | undefined {
    const { size } = labels;
    const { lists, blocks, dead } = vectors.info();
    // The last block is never moved.
    if (lists === 0) return size >= listsFrom && blocks > 1 ? train : undefined;
    // A gallery that has shrunk gets one list, which is an exact search.
    const few = size < listsFrom / GROWTH;
    if (few && lists > 1) return train;
    if (!few && (size > trainedFor * GROWTH || size < trainedFor / GROWTH)) return train;
    const tooManyDead = dead > Math.max(DEAD_ALLOWED, size * DEAD_SHARE);
    return blocks > TAIL_BLOCKS || tooManyDead ? () => vectors.tidy(THREADS) : undefined;
  }

  async function train(): Promise<void> {
    const { size } = labels;
    const lists = size < listsFrom / GROWTH ? 1 : listsFor(size);
    const started = performance.now();
    await vectors.train(lists, THREADS);
    vectors.setNprobe(Math.max(NPROBE_LEAST, Math.round(lists * NPROBE_SHARE)));
    trainedFor = size;
    const seconds = ((performance.now() - started) / 1000).toFixed(1);
    note(`The index was trained for ${size} vectors: ${lists} lists, ${seconds} s.`);
  }

  /** Starts due maintenance after the current turn, so that a gallery that is being loaded is trained once. */
  function keepUp(): void {
    if (closed || upkeep || listsFrom === Infinity || performance.now() - failedAt < RETRY_AFTER) return;
    upkeep = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
      try {
        for (let work = dueWork(); work && !closed; work = dueWork()) await work();
      } catch (error) {
        failedAt = performance.now();
        if (!closed) note(`The index could not be trained; searches go on as before: ${String(error)}`);
      } finally {
        upkeep = undefined;
      }
    });
  }

  return {
    get kind() {
      return vectors.info().lists > 1 ? 'ivfflat' : 'flat';
    },
    get size() {
      return labels.size;
    },

    add(id, vector) {
      checkVector(vector, length);
      if (labels.has(id)) throw new RangeError(`The id ${id} is taken.`);
      labels.set(id, vectors.add(vector));
      keepUp();
    },

    remove(id) {
      const label = labels.take(id);
      if (label === undefined) return false;
      vectors.remove(label);
      keepUp();
      return true;
    },

    search(query, k) {
      checkVector(query, length);
      checkCount(k);
      return vectors
        .search(query, k)
        .then((found) => ({ hits: labels.hits(found), isAll: found.labels.length < k }));
    },

    async settled() {
      while (upkeep) await upkeep;
    },

    async close() {
      closed = true;
      vectors.cancel();
      await upkeep;
    },
  };
}
