import { squaredDistance } from './distance.js';
import { splitFaceId } from './ids.js';
import type { StoredCorrection } from './store/store.js';
import type { Match } from './types.js';

/** Squared L2: an index may round so much, and a picture that is enrolled in spite of a correction must be found. */
const ROUNDING = 1e-4;

/** Of one person. Every search that finds the person compares with all of them. */
export const MOST_CORRECTIONS = 200;

/** See {@link createCorrections}. */
export type Corrections = ReturnType<typeof createCorrections>;

/**
 * What was said of people: "this face is not theirs". Few, so every process holds all of them, beside base and overlay.
 * A person is ruled out for a face that is nearer to one of these than to all that is enrolled.
 */
export function createCorrections() {
  const byPerson = new Map<string, readonly StoredCorrection[]>();

  const of = (faceid: string): readonly StoredCorrection[] => byPerson.get(faceid) ?? [];

  /**
   * The correction that rules a person out.
   * @param distance squared L2 of the face to the person's nearest
   */
  function ruling(faceid: string, embedding: Float32Array, distance: number): StoredCorrection | undefined {
    return of(faceid).find(({ vector }) => squaredDistance(vector, embedding) < distance - ROUNDING);
  }

  return {
    of,
    ruling,
    people: () => [...byPerson.keys()],
    /** @param groups of these alone */
    count(groups?: ReadonlySet<string>): number {
      let all = 0;
      for (const [faceid, { length }] of byPerson)
        if (!groups || groups.has(splitFaceId(faceid)?.groupid ?? '')) all += length;
      return all;
    },

    /** @param all of this person's */
    set(faceid: string, all: readonly StoredCorrection[]): void {
      if (all.length === 0) byPerson.delete(faceid);
      else byPerson.set(faceid, all.toSorted(byDate));
    },

    /**
     * The nearest people who are not ruled out.
     * @param search the nearest `k`, ruled out or not, nearest first; fewer where fewer are there
     */
    async nearest(
      embedding: Float32Array,
      k: number,
      search: (k: number) => Promise<Match[]>,
    ): Promise<Match[]> {
      for (let most = k; ;) {
        const found = await search(most);
        const left = found.filter(({ person, distance }) => !ruling(person.faceid, embedding, distance));
        if (left.length >= k || found.length < most) return left.slice(0, k);
        most += k - left.length;
      }
    },
  };
}

/** The oldest first, as a store reads them: a date has whole seconds. */
const byDate = (a: StoredCorrection, b: StoredCorrection) => (a.at + a.id < b.at + b.id ? -1 : 1);
