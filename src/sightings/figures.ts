import type { SightingStore } from './store/client.js';

/** So long what was counted counts, milliseconds: whoever looks more often is told the same. */
const FRESH = 10_000;

/** What is in the store: of all workers of the machine. */
export interface Kept {
  sightings: number;
  /** Those of strangers among them. */
  strangers: number;
  /** Strangers whose sightings stand together. */
  unknowns: number;
  /** When the oldest one was over, milliseconds since 1970; null: there are none. */
  oldest: number | null;
  /** Size of the file. */
  bytes: number;
}

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
