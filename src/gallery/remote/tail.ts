import type { Found, VectorIndex } from '../index/vector-index.js';
import { ownerOfId } from './template-ids.js';

/** See {@link createTail}. */
export type Tail = ReturnType<typeof createTail>;

/**
 * The vectors that the engine may not show yet, in this process's memory: its own and those of other workers. What it holds
 * need not be anybody's any more, as with the engine: whose it is, is asked of the store.
 * @param index empty; its closing is the caller's. undefined: nobody searches here
 */
export function createTail(index: VectorIndex | undefined) {
  const byOwner = new Map<string, Set<string>>();
  let additions = 0;

  const of = (faceid: string): ReadonlySet<string> => byOwner.get(faceid) ?? new Set();

  function drop(id: string): void {
    const faceid = ownerOfId(id);
    const ids = byOwner.get(faceid);
    if (!ids?.delete(id)) return;
    if (ids.size === 0) byOwner.delete(faceid);
    index?.remove(id);
  }

  return {
    of,
    drop,

    /** Does nothing where it holds the id. */
    add(id: string, vector: Float32Array): void {
      const faceid = ownerOfId(id);
      if (!index || of(faceid).has(id)) return;
      index.add(id, vector);
      const ids = byOwner.get(faceid) ?? new Set();
      byOwner.set(faceid, ids.add(id));
      additions += 1;
    },

    /** Drops what this person no longer has. @param ids that the person has */
    keep(faceid: string, ids: ReadonlySet<string>): void {
      for (const id of of(faceid)) if (!ids.has(id)) drop(id);
    },

    search: (query: Float32Array, k: number): Promise<Found> =>
      index?.search(query, k) ?? Promise.resolve({ hits: [], isAll: true }),
    ids: (): string[] => [...byOwner.values()].flatMap((ids) => [...ids]),
    size: (): number => index?.size ?? 0,
    /** How many were ever added: whoever looked before and finds more looks again. */
    additions: (): number => additions,
  };
}
