import { MOST_LISTED } from './types.js';

/** Keeps the first of many, by a number, and counts all. @param most of them that are kept */
export function createShortlist<T>(by: (thing: T) => number, most = MOST_LISTED) {
  let kept: T[] = [];
  let total = 0;
  const sort = () => {
    kept.sort((a, b) => by(a) - by(b));
    kept = kept.slice(0, most);
  };
  return {
    add(thing: T): void {
      total += 1;
      kept.push(thing);
      // Seldom, because each sorting takes its time.
      if (kept.length >= 2 * most) sort();
    },
    list(): T[] {
      sort();
      return kept;
    },
    total: () => total,
  };
}
