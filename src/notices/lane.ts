import { setTimeout as sleep } from 'node:timers/promises';
import { createNotifier } from '../events/notifier.js';
import { untilAborted } from '../platform/abort.js';
import { quietMessage } from '../platform/quiet-error.js';
import type { Cursor, Cursors } from './cursors.js';
import { DeliveryError, type Item, type Notice, type Receiver, type Source } from './types.js';

/** Milliseconds. */
export const LANE_TIMES = {
  /** How often a source is looked at that has nothing new. */
  poll: 500,
  /** How often a cursor is written while notices go out: what came since is told again after a crash. */
  save: 1000,
  /** After a failure; doubles up to `longest`. */
  retry: 500,
  longest: 60_000,
  /** How long a delivery may go on when the lane is stopped. */
  farewell: 1000,
  /** Between two lines of the log about notices that are dropped. */
  tell: 600_000,
};
/** The longest that a receiver may ask to be left alone, seconds. */
const LONGEST_RETRY_AFTER = 3600;

export interface LaneOptions {
  source: Source;
  receiver: Receiver;
  cursors: Cursors;
  /** Older notices are dropped, milliseconds. */
  maxAge: number;
  warn: (message: string) => void;
  /** For what is no trouble any more. */
  note: (message: string) => void;
  /** Told why the cursor cannot be read or written, undefined when it can be again. */
  trouble: (reason: string | undefined) => void;
  times?: typeof LANE_TIMES;
}

export type Lane = ReturnType<typeof startLane>;

/** @returns null where a log holds a date that is none */
const dateOf = (at: number): string | null =>
  Number.isNaN(new Date(at).getTime()) ? null : new Date(at).toISOString();

/** The name of a cursor. */
export const keyOf = (source: Pick<Source, 'name'>, receiver: Pick<Receiver, 'id'>) =>
  `${source.name}-${receiver.id}`;

/**
 * Tells one receiver what one source holds: one after another, each until the receiver has it or it is too old. Nothing
 * of one lane waits for another.
 */
export function startLane(options: LaneOptions) {
  const { source, receiver, cursors, maxAge, warn, note, trouble, times = LANE_TIMES } = options;
  const key = keyOf(source, receiver);
  const holder = `notices-${key}`;
  const stopping = new AbortController();
  const { signal } = stopping;
  /** Ends a delivery that takes too long while the lane is stopped. */
  const cutting = new AbortController();
  const isOver = () => signal.aborted;
  const notifier = createNotifier();
  let cursor: Cursor | undefined;
  /** Where to read on; ahead of the cursor. */
  let place = '';
  let isDirty = false;
  let savedAt = -Infinity;
  /** Dropped, and not said in the log. */
  let droppedNow = 0;
  let toldAt = -Infinity;

  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined);

  function change(current: Cursor, changes: Partial<Cursor>): void {
    Object.assign(current, changes);
    isDirty = true;
  }

  /** @param anyway also when it was saved a moment ago */
  async function save(current: Cursor, anyway = false): Promise<void> {
    if (!isDirty || (!anyway && performance.now() - savedAt < times.save)) return;
    savedAt = performance.now();
    try {
      await cursors.save(key, { ...current, at: new Date().toISOString() });
      isDirty = false;
      trouble(undefined);
    } catch (error) {
      // Deliveries go on: after a crash the receiver drops what it has already.
      trouble(quietMessage(error));
    }
  }

  async function open(): Promise<Cursor> {
    const known = await cursors.load(key);
    if (known) await source.hold?.(holder, known.position);
    // A start asks a receiver again that wanted no more.
    if (known) return { ...known, receiver: receiver.name, isOff: false };
    const fresh = { delivered: 0, dropped: 0, untold: 0, isLost: false, failing: null, isOff: false, at: '' };
    const first = { receiver: receiver.name, position: await source.now(), ...fresh };
    await source.hold?.(holder, first.position);
    // At once, so that what happens from now on is told even if this process dies before the first notice.
    await cursors.save(key, { ...first, at: new Date().toISOString() });
    return first;
  }

  /** The notice that says that others were dropped; undefined: none were. */
  function missed({ untold, isLost, dropped }: Cursor): Notice | undefined {
    if (untold === 0 && !isLost) return undefined;
    const at = new Date().toISOString();
    return { id: `missed-${key}-${dropped}-${place}`, type: 'missed', at, count: isLost ? null : untold };
  }

  function drop(current: Cursor): void {
    change(current, { dropped: current.dropped + 1, untold: current.untold + 1 });
    droppedNow += 1;
  }

  /** Says how many were dropped: now, or once in a while as long as that goes on. */
  function tellDropped(now: boolean): void {
    const isDue = now || performance.now() - toldAt > times.tell;
    if (droppedNow === 0 || !isDue) return;
    toldAt = performance.now();
    warn(
      `Notices for ${receiver.name} were older than EVENT_MAX_AGE allows and were dropped: ${droppedNow}.`,
    );
    droppedNow = 0;
  }

  async function fail(current: Cursor, error: unknown, item: Item): Promise<DeliveryError> {
    const failure = error instanceof DeliveryError ? error : new DeliveryError(quietMessage(error));
    const { failing, failed = 0 } = current;
    change(current, { failed: failed + 1, waitingSince: dateOf(item.at) });
    if (!failing && !failure.isGone)
      warn(`${receiver.name} ${failure.message}: notices wait for it and are sent again (docs/notices.md).`);
    if (failing?.reason !== failure.message) {
      const since = failing?.since ?? new Date().toISOString();
      change(current, { failing: { since, reason: failure.message } });
      await save(current, true);
    } else await save(current);
    return failure;
  }

  /** Until the receiver has it, or it is too old. @returns false when the lane was stopped before */
  async function hand(current: Cursor, item: Item, make: NonNullable<Item['make']>): Promise<boolean> {
    for (let wait = times.retry; !isOver(); wait = Math.min(2 * wait, times.longest)) {
      if (Date.now() - item.at > maxAge) {
        drop(current);
        tellDropped(false);
        return true;
      }
      try {
        // Made anew for each attempt: who was deleted meanwhile is not named.
        const notice = await make();
        if (!notice) return true;
        const before = missed(current);
        if (before) {
          await receiver.deliver(before, cutting.signal);
          change(current, { untold: 0, isLost: false });
        }
        await receiver.deliver(notice, cutting.signal);
        tellDropped(true);
        if (current.failing) note(`${receiver.name} takes notices again.`);
        change(current, { delivered: current.delivered + 1, failing: null, waitingSince: null });
        return true;
      } catch (error) {
        if (isOver()) return false;
        const { isGone, retryAfter = 0 } = await fail(current, error, item);
        if (isGone) {
          warn(
            `${receiver.name} wants no more notices (410) and gets none until the server is started again.`,
          );
          change(current, { isOff: true });
          await save(current, true);
          await untilAborted(signal);
          return false;
        }
        const asked = Math.min(retryAfter, LONGEST_RETRY_AFTER) * 1000;
        await pause(Math.max(asked, wait * (0.8 + 0.4 * Math.random())));
      }
    }
    return false;
  }

  async function step(current: Cursor): Promise<void> {
    const { items, next, settled, isLost } = await source.read(place);
    if (isLost) change(current, { isLost: true });
    for (const item of items) {
      if (item.make && !(await hand(current, item, item.make))) return;
      change(current, { position: item.position });
      await save(current);
      if (isOver()) return;
    }
    const isIdle = next === place;
    place = next;
    if (settled !== undefined && settled !== current.position) change(current, { position: settled });
    if (!isIdle) return;
    await save(current, true);
    await notifier.wait(times.poll);
  }

  async function run(): Promise<void> {
    let told = '';
    while (!isOver()) {
      try {
        cursor ??= await open();
        if (place === '') place = cursor.position;
        await step(cursor);
        if (told !== '') trouble(undefined);
        told = '';
      } catch (error) {
        const reason = quietMessage(error);
        if (reason !== told) trouble(reason);
        told = reason;
        await pause(times.retry);
      }
    }
    tellDropped(true);
    if (cursor) await save(cursor, true);
  }

  const running = run();
  return {
    key,
    /** There may be news. */
    wake: () => notifier.notify(),
    /** Keeps in the log what the receiver has yet to be told; of who wants no more, nothing. */
    hold(): void {
      if (cursor && !cursor.isOff) source.hold?.(holder, cursor.position).catch(() => undefined);
    },
    /** What is not delivered by then is told by the next one. */
    async stop(): Promise<void> {
      stopping.abort();
      notifier.notify();
      // Else the receiver would have what is on its way a second time.
      const timer = setTimeout(() => cutting.abort(), times.farewell);
      await running;
      clearTimeout(timer);
    },
  };
}
