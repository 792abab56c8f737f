import { availableParallelism } from 'node:os';
import { openFaissVectors } from './faiss-addon.js';
import { createLabels } from './labels.js';
import { checkCount, checkVector, type VectorIndex } from './vector-index.js';

/** Full blocks (1,024 vectors each) that wait outside the lists before they are put into them. */
const TAIL_BLOCKS = 4;
/** Removed vectors that may stay in the lists, of all: each may cost a search a place. */
const DEAD_SHARE = 0.05;
const DEAD_ALLOWED = 500;
/** The lists fit until there are this many times as many vectors, or as few. */
const GROWTH = 2;
/** Lists that a search reads, at least, and of all: how both were found stands in docs/benchmarks.md. */
const NPROBE_LEAST = 32;
const NPROBE_SHARE = 1 / 16;
/** A list of more vectors holds so many people that its centre is near to none of them. */
const VECTORS_A_LIST = 128;
/** After a training that failed (no memory) the next one waits this long, milliseconds. */
const RETRY_AFTER = 60_000;
/** Trainings leave half of the cores to the pictures. */
const THREADS = Math.max(1, Math.floor(availableParallelism() / 2));

export interface FaissIndexOptions {
  /** Vectors from which searches go through inverted lists (IVFFlat); default: never. Below, search is exact. */
  listsFrom?: number;
  /** Told when the way of searching changes, or a training fails: searches go on as before it. */
  note?: (message: string) => void;
}

/** Lists for `size` vectors: reading all centres then costs about as much as reading the lists near a probe. */
export function listsFor(size: number): number {
  return Math.max(1, Math.round(Math.max(4 * Math.sqrt(size), size / VECTORS_A_LIST)));
}

/**
 * faiss under our ids: exact (IndexFlatL2) while there are few vectors, IVFFlat from `listsFrom` on. Lists are trained
 * and kept on threads of libuv's pool; searches run there too and never wait for a training.
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

  /** What is due, or undefined. */
  function dueWork(): (() => Promise<void>) | undefined {
    const { size } = labels;
    const { lists, blocks, dead } = vectors.info();
    // The last block is never moved.
    if (lists === 0) return size >= listsFrom && blocks > 1 ? train : undefined;
    // One list is an exact search: what is left of a gallery that has shrunk.
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

  /** Begins what is due once the present call is through: a gallery that is being loaded is trained for once. */
  function keepUp(): void {
    if (closed || upkeep || listsFrom === Infinity || performance.now() - failedAt < RETRY_AFTER) return;
    upkeep = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
      try {
        for (let work = dueWork(); work && !closed; work = dueWork()) await work();
      } catch (error) {
        failedAt = performance.now();
        if (!closed) note(`The index could not be trained, searches go on without: ${String(error)}`);
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
