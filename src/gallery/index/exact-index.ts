import { nearestRows } from './rows.js';
import { checkCount, checkVector, type VectorIndex } from './vector-index.js';

const FIRST_CAPACITY = 256;

/**
 * Exact search in plain TypeScript on the calling thread: without native code, and the reference for the other indexes.
 * Blocks the event loop for about half a millisecond per thousand vectors of 512.
 */
export function createExactIndex(length: number): VectorIndex {
  let vectors = new Float32Array(FIRST_CAPACITY * length);
  const ids: string[] = [];
  const positions = new Map<string, number>();

  return {
    kind: 'exact',
    get size() {
      return ids.length;
    },

    add(id, vector) {
      checkVector(vector, length);
      if (positions.has(id)) throw new RangeError(`The id ${id} is taken.`);
      if ((ids.length + 1) * length > vectors.length) {
        const larger = new Float32Array(vectors.length * 2);
        larger.set(vectors);
        vectors = larger;
      }
      vectors.set(vector, ids.length * length);
      positions.set(id, ids.length);
      ids.push(id);
    },

    remove(id) {
      const position = positions.get(id);
      if (position === undefined) return false;
      // The last one moves into the gap.
      const last = ids.length - 1;
      vectors.copyWithin(position * length, last * length, (last + 1) * length);
      ids[position] = ids[last];
      positions.set(ids[position], position);
      ids.pop();
      positions.delete(id);
      return true;
    },

    search(query, k) {
      checkVector(query, length);
      checkCount(k);
      const copy = query.slice();
      // Deferred, so that a vector removed in this turn is not among the `k`.
      return Promise.resolve().then(() => {
        const { rows, distances } = nearestRows(vectors, ids.length, copy, k);
        const hits = rows.map((row, i) => ({ id: ids[row], distance: distances[i] }));
        return { hits, isAll: hits.length < k };
      });
    },

    settled: () => Promise.resolve(),
    close: () => Promise.resolve(),
  };
}
