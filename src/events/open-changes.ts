import type { GalleryEvent } from './event.js';
import type { LoggedEvent } from './log.js';

interface OpenChange {
  /** The position before its `begun`. */
  before: string;
  timers: NodeJS.Timeout[];
}

/**
 * The changes that were begun and are not closed yet. One that stays open was left by a worker that died or lost the
 * store, so the store must be checked for what became of it.
 * @param settleAfter when that is done, milliseconds; after the last time the change is forgotten
 * @param settle called with the `begun` of such a change
 */
export function createOpenChanges(settleAfter: readonly number[], settle: (begun: GalleryEvent) => void) {
  /** By the uid of their `begun`, in the order of the log. */
  const open = new Map<string, OpenChange>();

  function close(uid: string): void {
    for (const timer of open.get(uid)?.timers ?? []) clearTimeout(timer);
    open.delete(uid);
  }

  return {
    /** Takes in the next entry of the log. */
    note({ event, before }: LoggedEvent): void {
      if (event.of !== undefined) close(event.of);
      if (event.kind !== 'begun') return;
      close(event.uid);
      const timers = settleAfter.map((after, i) =>
        setTimeout(() => {
          if (i === settleAfter.length - 1) open.delete(event.uid);
          settle(event);
        }, after),
      );
      open.set(event.uid, { before, timers });
    },

    /** The position before the oldest of them: following the log from there finds all. */
    start: (): string | undefined => open.values().next().value?.before,

    /** Makes positions before this one, which are no longer valid, this one. */
    moveTo(position: string): void {
      for (const change of open.values()) change.before = position;
    },
  };
}
