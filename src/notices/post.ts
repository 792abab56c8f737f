import { setTimeout as sleep } from 'node:timers/promises';
import { untilAborted } from '../platform/abort.js';
import { quietMessage } from '../platform/quiet-error.js';
import type { Cursor, Cursors } from './cursors.js';
import { keyOf, LANE_TIMES, type LaneOptions, startLane } from './lane.js';
import type { Leadership } from './leadership.js';
import type { Receiver, Source } from './types.js';

/** Milliseconds. */
export const POST_TIMES = {
  ...LANE_TIMES,
  /** Between two looks whether it is this process's turn. */
  turn: 1000,
  /** How often the sources learn what must not be removed. */
  hold: 5000,
  /** Between two looks at what whoever delivers has written of it. */
  look: 2000,
  /** After a failure to find out whose turn it is. */
  again: 5000,
};

/** A receiver that can be opened. */
export interface ReceiverSettings {
  /** See {@link Receiver.id}. */
  id: string;
  /** @param purpose keep: it is also told that this server is online; the one who opens it closes it */
  open: (purpose: 'keep' | 'use') => Receiver;
}

export interface PostOptions extends Pick<LaneOptions, 'maxAge' | 'warn' | 'note'> {
  sources: readonly Source[];
  receivers: readonly ReceiverSettings[];
  cursors: Cursors;
  lead: Leadership;
  times?: typeof POST_TIMES;
}

/** What became of the notices for one receiver, whoever delivers them. */
export interface ReceiverState {
  /** Of its address. */
  id: string;
  /** Its address without the path. */
  receiver: string;
  delivered: number;
  dropped: number;
  /** Attempts that failed. */
  failed: number;
  /** When the oldest thing happened that it has yet to take, ISO 8601; null: it takes all. */
  waitingSince: string | null;
  /** Since when it takes nothing, ISO 8601, and why. */
  failing: { since: string; reason: string } | null;
  isOff: boolean;
}

export type Post = ReturnType<typeof startPost>;

/** Delivers what some sources hold to all receivers, in one process at a time of all that have the same post. */
export function startPost(options: PostOptions) {
  const { sources, receivers: all, cursors, lead, maxAge, warn, times = POST_TIMES } = options;
  const stopping = new AbortController();
  const { signal } = stopping;
  const pause = (ms: number) => sleep(ms, undefined, { signal }).catch(() => undefined);
  let lanes: ReturnType<typeof startLane>[] = [];
  let states: ReceiverState[] = [];
  /** Why the post does not work in this process, by the part of it. */
  const troubles = new Map<string, string>();

  function trouble(part: string, reason: string | undefined): void {
    if (reason === undefined) troubles.delete(part);
    else {
      if (!troubles.has(part)) warn(`The notices (${part}) are in trouble: ${reason}`);
      troubles.set(part, reason);
    }
  }

  /** Forgets how far those were told who are told no more, once there is nothing left that they have not been told. */
  async function forget(known: ReadonlySet<string>): Promise<void> {
    for (const [key, { at }] of await cursors.all()) {
      const isOurs = sources.some(({ name }) => key.startsWith(`${name}-`));
      if (isOurs && !known.has(key) && Date.now() - Date.parse(at) > maxAge) await cursors.remove(key);
    }
  }

  async function work(mine: AbortSignal): Promise<void> {
    const receivers = all.map(({ open }) => open('keep'));
    lanes = sources.flatMap((source) =>
      receivers.map((receiver) =>
        startLane({
          ...options,
          ...{ source, receiver, times },
          trouble: (reason) => trouble(`${source.name}, ${receiver.name}`, reason),
        }),
      ),
    );
    await forget(new Set(lanes.map(({ key }) => key))).catch(() => undefined);
    const timer = setInterval(() => {
      for (const lane of lanes) lane.hold();
    }, times.hold);
    await untilAborted(mine);
    clearInterval(timer);
    await Promise.all(lanes.map((lane) => lane.stop()));
    lanes = [];
    troubles.clear();
    await Promise.all(receivers.map((receiver) => receiver.close().catch(() => undefined)));
  }

  const isOver = () => signal.aborted;

  async function run(): Promise<void> {
    while (!isOver()) {
      try {
        await lead(work, { signal, pause: times.turn });
        trouble('turn', undefined);
      } catch (error) {
        if (isOver()) return;
        trouble('turn', quietMessage(error));
        await pause(times.again);
      }
    }
  }

  function stateOf(id: string, found: ReadonlyMap<string, Cursor>): ReceiverState | undefined {
    const mine = sources.flatMap((source) => found.get(keyOf(source, { id })) ?? []);
    const sum = (of: (cursor: Cursor) => number) => mine.reduce((total, cursor) => total + of(cursor), 0);
    if (mine.length === 0) return undefined;
    return {
      ...{ id, receiver: mine[0].receiver },
      delivered: sum(({ delivered }) => delivered),
      dropped: sum(({ dropped }) => dropped),
      failed: sum(({ failed = 0 }) => failed),
      waitingSince: earliest(mine.map((cursor) => cursor.waitingSince)),
      failing: mine.find(({ failing }) => failing !== null)?.failing ?? null,
      isOff: mine.some(({ isOff }) => isOff),
    };
  }

  /** What is shown comes from the cursors, so that every worker shows the same. */
  async function look(): Promise<void> {
    while (!signal.aborted) {
      const found = await cursors.all().catch(() => undefined);
      if (found) states = all.flatMap(({ id }) => stateOf(id, found) ?? []);
      await pause(times.look);
    }
  }

  const running = Promise.all([run(), look()]);
  return {
    /** There may be news. */
    wake(): void {
      for (const lane of lanes) lane.wake();
    },
    /** Whether this process delivers. */
    leads: () => lanes.length > 0,
    states: () => states,
    trouble: () => troubles.values().next().value,
    async close(): Promise<void> {
      stopping.abort();
      await running;
      cursors.close();
    },
  };
}

/** The first of some dates, ISO 8601; null where there is none. */
export function earliest(dates: readonly (string | null | undefined)[]): string | null {
  return dates.reduce<string | null>((first, at) => (at && (!first || at < first) ? at : first), null);
}
