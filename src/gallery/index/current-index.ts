import { nearestRows } from './rows.js';
import type { Found, VectorIndex } from './vector-index.js';

/** A vector that was added. */
export interface Addition {
  id: string;
  /** Only read. */
  vector: Float32Array;
}

/** A search that has begun and may ask several times; see {@link CurrentIndex.begin}. */
export interface Begun {
  /** As {@link VectorIndex.search}: without what was added since. */
  search(query: Float32Array, k: number): Promise<Found>;
  /** What was added since it began and is still there; the search may or may not have found it. */
  since(): Addition[];
  end(): void;
}

export interface CurrentIndex extends VectorIndex {
  /**
   * Begins a search. Whoever looks into other places as well, or more than once, calls this before the first, looks at
   * `since` after the last, in the turn in which the answer is made, and ends it.
   */
  begin(): Begun;
  /** Resolves when the searches that run now have ended. */
  ended(): Promise<void>;
}

/**
 * Makes a search also find vectors that were added while it ran. Otherwise it would miss a person who was moved, or got
 * another template, meanwhile: the old vectors are no longer found, and it has not seen the new ones. Vectors added during
 * searches are held until those end.
 * @param index finds what it held when a search began, less what was removed since
 */
export function createCurrentIndex(index: VectorIndex): CurrentIndex {
  /** Vectors added since the oldest running search began; `dropped` more were added before. */
  let additions: Addition[] = [];
  let dropped = 0;
  /** How many vectors had been added when each running search began. */
  const running = new Set<{ began: number }>();
  /** Who waits for searches to end. */
  const waiting = new Set<() => void>();

  function end(search: { began: number }): void {
    running.delete(search);
    for (const look of waiting) look();
    const first = Math.min(dropped + additions.length, ...[...running].map(({ began }) => began));
    const over = first - dropped;
    if (over === 0) return;
    additions = additions.slice(over);
    dropped += over;
  }

  function begin(): Begun {
    const search = { began: dropped + additions.length };
    running.add(search);
    return {
      search: (query, k) => index.search(query, k),
      since: () => additions.slice(search.began - dropped).filter(({ id }) => id !== ''),
      end: () => end(search),
    };
  }

  async function finish(searching: Promise<Found>, begun: Begun, query: Float32Array, k: number) {
    try {
      const found = await searching;
      const since = begun.since();
      return since.length === 0 ? found : merge(found, since, query, k);
    } finally {
      begun.end();
    }
  }

  return {
    begin,

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
      return finish(searching, begin(), copy, k);
    },

    ended() {
      const before = [...running];
      return new Promise((resolve) => {
        const look = () => {
          if (before.some((search) => running.has(search))) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
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
