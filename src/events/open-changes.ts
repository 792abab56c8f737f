import type { GalleryEvent } from './event.js';
import type { LoggedEvent } from './log.js';

interface OpenChange {
  begun: GalleryEvent;
  /** The position before its `begun`. */
  before: string;
  isTold: boolean;
  timers: NodeJS.Timeout[];
}

/** What is known when a change that stays open is looked after. */
export interface Settling {
  /** It is looked after no more. */
  isLast: boolean;
  /** Another process has said since that it has done the same: whose doing the store shows is not known. */
  isTold: boolean;
}

/** Managers look at different times, so that one of them is usually told by another: by up to so much of the time later. */
const SPREAD = 0.1;

/**
 * The changes that were begun and are not closed yet. One that stays open was left by a worker that died or lost the
 * store, so the store must be checked for what became of it.
 * @param settleAfter when that is done, milliseconds; after the last time the change is forgotten
 * @param settle called with the `begun` of such a change
 */
export function createOpenChanges(
  settleAfter: readonly number[],
  settle: (begun: GalleryEvent, how: Settling) => void,
) {
  const late = 1 + SPREAD * Math.random();
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
      if (event.kind !== 'begun') {
        for (const change of open.values()) change.isTold ||= isSame(change.begun, event);
        return;
      }
      close(event.uid);
      const change: OpenChange = { begun: event, before, isTold: false, timers: [] };
      change.timers = settleAfter.map((after, i) =>
        setTimeout(() => {
          const isLast = i === settleAfter.length - 1;
          if (isLast) open.delete(event.uid);
          settle(event, { isLast, isTold: change.isTold });
        }, after * late),
      );
      open.set(event.uid, change);
    },

    /** The position before the oldest of them: following the log from there finds all. */
    start: (): string | undefined => open.values().next().value?.before,

    /** Makes positions before this one, which are no longer valid, this one. */
    moveTo(position: string): void {
      for (const change of open.values()) change.before = position;
    },
  };
}

/** Whether an event says that what was begun there was done. */
const isSame = (begun: GalleryEvent, { kind, groupid, faceid, face }: GalleryEvent): boolean =>
  begun.will === kind && begun.groupid === groupid && begun.faceid === faceid && begun.face === face;
