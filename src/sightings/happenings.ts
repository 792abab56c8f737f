import type { SightingStore } from './store/client.js';
import type { Happening } from './types.js';

/** How often the happenings of other workers are looked for while somebody follows, milliseconds. */
const EVERY = 1000;
/** The most happenings that are handed over at a time. */
const AT_ONCE = 200;

/** Gets what happened, in order; the next batch comes when it is done. */
export interface HappeningListener {
  happened(batch: Happening[]): Promise<void> | void;
  /**
   * Called before the first batch, with the position from which it follows, and again where it cannot go on from there.
   * @param isLost what came after the position asked for has been trimmed, at least a part of it, or a Redis that was shared
   * has lost it
   */
  at?(position: number, isLost: boolean): void;
}

export interface FollowedHappenings {
  /** Up to where everything has been handed over; undefined while that is not known yet. */
  position(): number | undefined;
  close(): void;
}

/** See {@link createHappenings}. */
export type Happenings = ReturnType<typeof createHappenings>;

/**
 * Hands over what happens to sightings, in all workers, by position. Nothing is read while nobody follows;
 * while the store cannot be read, followers wait.
 */
export function createHappenings(store: Pick<SightingStore, 'ask'>) {
  const followers = new Set<(last: number, isNow: boolean) => void>();
  let timer: NodeJS.Timeout | undefined;

  /** @param seq the position of the last happening @param isNow just asked for: where it is smaller, some were lost */
  function tell(seq: number, isNow: boolean): void {
    for (const take of followers) take(seq, isNow);
  }

  function look(): void {
    void store.ask('lastHappening').then(
      (seq) => tell(seq, true),
      () => undefined,
    );
  }

  return {
    /** To be called when something may have happened here. @param seq the position of the last happening */
    nudge: (seq: number): void => tell(seq, false),

    /** @param after a position; undefined: from now on */
    follow(after: number | undefined, listener: HappeningListener): FollowedHappenings {
      let position: number | undefined;
      let isClosed = false;
      let isReading = false;
      let last = 0;

      async function begin(asked: number): Promise<number> {
        // Beyond the end: of another file, which has been removed since.
        return asked > last ? last : Math.max(asked, await store.ask('firstHappening'));
      }

      async function read(): Promise<void> {
        if (position === undefined) {
          position = after === undefined ? last : await begin(after);
          listener.at?.(position, after !== undefined && position !== after);
        } else if (position > last) {
          position = last;
          listener.at?.(position, true);
        }
        for (let from = position; !isClosed && from < last; position = from) {
          const batch: Happening[] = await store.ask('happenings', from, AT_ONCE);
          // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition -- it may be closed meanwhile
          if (!isClosed && batch.length > 0) await listener.happened(batch);
          // None: they were trimmed in the meantime.
          from = batch.at(-1)?.seq ?? last;
        }
      }

      function take(seq: number, isNow: boolean): void {
        last = isNow ? seq : Math.max(last, seq);
        if (isReading || isClosed || position === last) return;
        isReading = true;
        read()
          .catch(() => undefined)
          .finally(() => (isReading = false));
      }

      followers.add(take);
      if (followers.size === 1) {
        timer = setInterval(look, EVERY);
        timer.unref();
      }
      look();
      return {
        position: () => position,
        close() {
          isClosed = true;
          followers.delete(take);
          if (followers.size === 0) clearInterval(timer);
        },
      };
    },

    close(): void {
      clearInterval(timer);
      followers.clear();
    },
  };
}
