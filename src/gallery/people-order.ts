/** Orders in which people are listed, other than by faceid, and the first of so many in such an order. */
import { searchKey } from './names.js';
import type { Person, PeopleSort } from './types.js';

/** Somebody's place in an order. */
export interface Placed {
  key: string | number;
  faceid: string;
}

/** People whose places are sorted in one go, before they are merged with the first ones: a few milliseconds. */
const CHUNK = 4096;

const KEYS: Record<PeopleSort, (person: Person) => string | number> = {
  name: ({ username }) => searchKey(username),
  newest: ({ enrolledAt = '' }) => enrolledAt,
  faces: ({ faces }) => faces.length,
};
const DESCENDING: ReadonlySet<PeopleSort> = new Set(['newest', 'faces']);

/**
 * Finds the first of many people in an order, without ever sorting all of them at once. Of two who are equal the one with
 * the lower faceid comes first.
 * @param most how many to keep
 */
export function createFirstPeople(sort: PeopleSort, most: number) {
  const keyOf = KEYS[sort];
  const sign = DESCENDING.has(sort) ? -1 : 1;
  let first: Placed[] = [];
  let chunk: Placed[] = [];

  function compare(a: Placed, b: Placed): number {
    if (a.key !== b.key) return a.key < b.key ? -sign : sign;
    return a.faceid < b.faceid ? -1 : 1;
  }

  function merge(): void {
    const others = chunk.sort(compare);
    chunk = [];
    const merged: Placed[] = [];
    let [a, b] = [0, 0];
    while (merged.length < most && (a < first.length || b < others.length)) {
      const isOlder = b >= others.length || (a < first.length && compare(first[a], others[b]) < 0);
      merged.push(isOlder ? first[a++] : others[b++]);
    }
    first = merged;
  }

  return {
    add(person: Person): void {
      const placed = { key: keyOf(person), faceid: person.faceid };
      if (first.length >= most && (most === 0 || compare(placed, first[most - 1]) > 0)) return;
      chunk.push(placed);
      if (chunk.length >= CHUNK) merge();
    },

    /** The first of those who were added, in order. */
    list(): readonly Placed[] {
      merge();
      return first;
    },
  };
}
