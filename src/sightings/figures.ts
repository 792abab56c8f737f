import type { SightingStore } from './store/client.js';
import type { Kept } from './types.js';

/** So long what was counted counts, milliseconds: whoever looks more often is told the same. */
const FRESH = 10_000;

/**
 * Counts what is kept, for status and metrics: in the background, because nobody who asks for figures should wait for a disk.
 * @param now milliseconds, of a clock that nobody sets
 */
export function createFigures(store: Pick<SightingStore, 'ask'>, now = () => performance.now()) {
  let known: Kept | undefined;
  let countedAt = -Infinity;
  let counting: Promise<void> | undefined;

  return {
    /** As it was when last counted; undefined before that, or while the store cannot be read. */
    kept(): Kept | undefined {
      if (now() - countedAt >= FRESH)
        counting ??= store
          .ask('figures')
          .then(
            (figures) => (known = figures),
            () => (known = undefined),
          )
          .then(() => {
            countedAt = now();
            counting = undefined;
          });
      return known;
    },
  };
}
