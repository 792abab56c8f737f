import { nearestRows } from './rows.js';
import type { Found, VectorIndex } from './vector-index.js';

interface Addition {
  id: string;
  vector: Float32Array;
}

/**
 * Makes a search also find vectors that were added while it ran. Otherwise it would miss a person who was moved, or got
 * another template, meanwhile: the old vectors are no longer found, and it has not seen the new ones. Vectors added during
 * searches are held until those end.
 * @param index finds what it held when a search began, less what was removed since
 */
export function createCurrentIndex(index: VectorIndex): VectorIndex {
  /** Vectors added since the oldest running search began; `dropped` more were added before. */
  let additions: Addition[] = [];
  let dropped = 0;
  /** How many vectors had been added when each running search began. */
  const running = new Set<{ began: number }>();

  function end(search: { began: number }): void {
    running.delete(search);
    const first = Math.min(dropped + additions.length, ...[...running].map(({ began }) => began));
    const over = first - dropped;
    if (over === 0) return;
    additions = additions.slice(over);
    dropped += over;
  }

  async function finish(
    searching: Promise<Found>,
    search: { began: number },
    query: Float32Array,
    k: number,
  ) {
    try {
      const found = await searching;
      const since = additions.slice(search.began - dropped).filter(({ id }) => id !== '');
      return since.length === 0 ? found : merge(found, since, query, k);
    } finally {
      end(search);
    }
  }

  return {
    get kind() {
      return index.kind;
    },
    get size() {
      return index.size;
    },

    add(id, vector) {
      index.add(id, vector);
      if (running.size > 0) additions.push({ id, vector: vector.slice() });
    },

    remove(id) {
      const at = additions.findIndex((addition) => addition.id === id);
      // Its entry stays, because searches count entries.
      if (at >= 0) additions[at] = { id: '', vector: additions[at].vector };
      return index.remove(id);
    },

    search(query, k) {
      const copy = query.slice();
      const searching = index.search(copy, k);
      const search = { began: dropped + additions.length };
      running.add(search);
      return finish(searching, search, copy, k);
    },

    settled: () => index.settled(),
    close: () => index.close(),
  };
}

/** The `k` nearest of both, each once. */
function merge(found: Found, since: readonly Addition[], query: Float32Array, k: number): Found {
  const known = new Set(found.hits.map(({ id }) => id));
  const others = since
    .filter(({ id }) => !known.has(id))
    .map(({ id, vector }) => ({ id, distance: nearestRows(vector, 1, query, 1).distances[0] }));
  const hits = [...found.hits, ...others].sort((a, b) => a.distance - b.distance);
  return { hits: hits.slice(0, k), isAll: found.isAll && hits.length <= k };
}
