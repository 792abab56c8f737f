/**
 * Keeps a gallery's snapshots young: in every worker it looks for newer ones, and in one worker of a machine it has them
 * made, by a child process.
 */
import type { GalleryChange } from '../../events/event.js';
import { KaomonError } from '../../platform/errors.js';
import { makeFolder } from '../../platform/files/durable.js';
import type { Damage } from '../../platform/files/damage.js';
import { underLock } from '../../platform/files/lock.js';
import { quietMessage } from '../../platform/quiet-error.js';
import type { Base, BasePeople } from '../base/base.js';
import type { StoreConfig } from '../open-store.js';
import { keeperLock, type SnapshotPlace, snapshotNumbers, snapshotsFolder } from './catalogue.js';
import type { FromWriter } from './messages.js';
import { openBase } from './open-base.js';
import type { SnapshotReport } from './writer.js';
import { startWriter, type WriterProcess } from './writer-process.js';

/** Smaller galleries are read at a start: that takes no longer than opening a snapshot. */
const LEAST_FACES = 1000;
/** So many changed people, or this part of them, are reason enough for a snapshot. */
const MANY = { people: 1000, part: 0.02 };

/** Milliseconds. */
const TIMES = {
  /** How often a newer snapshot is looked for, and whether one is due. */
  poll: 2000,
  /** Between two snapshots of many changes. */
  many: 60_000,
  /** Between two of few changes. */
  few: 3_600_000,
  /** From a deletion, or the last snapshot, to the one without the deleted person. */
  erase: 30_000,
  /** After a failure; doubles up to `few`. */
  retry: 60_000,
};

/** Changes after which a snapshot holds what must not be kept. */
const ERASING: ReadonlySet<string> = new Set<GalleryChange['kind']>([
  'removed',
  'face-removed',
  'moved',
  'merged',
]);

export interface KeeperOptions {
  config: StoreConfig;
  place: SnapshotPlace;
  /** What the gallery was opened with. */
  base: Base | undefined;
  gallery: {
    info(): { people: number; faces: number };
    subscribe(listener: (change: GalleryChange) => void): () => void;
    /** Applies what the log holds. */
    catchUp(): Promise<void>;
    /** Takes the base over. */
    rebase(base: Base): Promise<void>;
  };
  /** Gets what a writer finds damaged in the store. */
  damage: Pick<Damage, 'report'>;
  warn: (message: string) => void;
  /** For what is no trouble. */
  note: (message: string) => void;
  times?: Partial<typeof TIMES>;
  leastFaces?: number;
}

/** See {@link startKeeper}. */
export type Keeper = ReturnType<typeof startKeeper>;

export function startKeeper(options: KeeperOptions) {
  const { config, place, gallery, damage, warn, note, leastFaces = LEAST_FACES } = options;
  const times = { ...TIMES, ...options.times };
  let people: BasePeople | undefined = options.base?.people;
  /** Ends this worker's turn as the one that has snapshots made; undefined: it is another's. */
  let release: (() => void) | undefined;
  let held: Promise<void> | undefined;
  let writer: WriterProcess | undefined;
  let changed = new Set<string>();
  /** Whether the store has been compared since this worker had its turn. */
  let isCompared = false;
  let mustErase = false;
  const last = { end: -Infinity, failures: 0 };
  let warned = '';
  let isClosing = false;
  const isOver = () => isClosing;

  const unsubscribe = gallery.subscribe(({ kind, faceid, from }) => {
    const whom = [faceid, from].filter((id) => id !== undefined);
    for (const id of whom) changed.add(id);
    if (!ERASING.has(kind)) return;
    // Who is being written may be in a snapshot a moment later.
    if (writer !== undefined || whom.some((id) => (people?.indexOf(id) ?? -1) >= 0)) mustErase = true;
  });

  /** Says the same thing once. */
  function warnOnce(message: string): void {
    if (message !== warned) warn(message);
    warned = message;
  }

  /** Swaps the gallery's base for the newest snapshot. @param anyway also for the one that it has */
  async function adopt(anyway = false): Promise<boolean> {
    const newest = (await snapshotNumbers(place)).at(0);
    const isKnown = (number: number) => !anyway && number === people?.number;
    if (isOver() || newest === undefined || isKnown(newest)) return false;
    const base = await openBase(place, warn);
    if (!base) return false;
    if (isOver() || isKnown(base.people.number)) {
      await base.close();
      return false;
    }
    ({ people } = base);
    // The base is ahead of a worker that has yet to hear of a move, and would not know whom its tracks have become.
    await gallery.catchUp();
    await gallery.rebase(base);
    return true;
  }

  /** Tries to become the one worker that has snapshots made. */
  async function takeTurn(): Promise<void> {
    await makeFolder(snapshotsFolder(place));
    await new Promise<void>((resolve, reject) => {
      const hold = () =>
        new Promise<void>((end) => {
          release = end;
          isCompared = false;
          resolve();
        });
      held = underLock(keeperLock(place), hold, { patience: 0 }).catch((error: unknown) => {
        if (error instanceof KaomonError && error.code === 'STORE_UNAVAILABLE') resolve();
        else reject(error instanceof Error ? error : new Error(String(error)));
      });
    });
  }

  function isDue(): boolean {
    const since = performance.now() - last.end;
    if (last.failures > 0) return since >= Math.min(times.few, times.retry * 2 ** (last.failures - 1));
    if (!isCompared) return true;
    if (mustErase && since >= times.erase) return true;
    const many = Math.min(MANY.people, Math.max(1, gallery.info().people * MANY.part));
    return since >= (changed.size >= many ? times.many : times.few) && changed.size > 0;
  }

  function hear(message: Exclude<FromWriter, { type: 'done' | 'failed' }>): void {
    if (message.type === 'damaged') damage.report(message.what, message.reason);
    else if (message.type === 'notice') warn(message.message);
    else tellProgress(message);
  }

  let told = '';
  /** Of the first one only: later ones are quick. */
  function tellProgress({ done, all }: { done: number; all: number }): void {
    const line = `The first snapshot of the gallery is being made: ${Math.floor((done / all) * 10) * 10} %`;
    if (people || line === told) return;
    told = line;
    note(line);
  }

  /** @throws Error that says why there is none */
  async function make(): Promise<SnapshotReport> {
    const before = changed;
    const mustHaveErased = mustErase;
    changed = new Set();
    mustErase = false;
    try {
      writer = startWriter({ config, place }, hear);
      const report = await writer.done;
      isCompared = true;
      last.failures = 0;
      warned = '';
      if (report.isNew)
        note(
          `Snapshot ${report.number}: ${report.people} people, ${report.changed} new or changed, ${report.gone} gone, ${report.seconds.toFixed(1)} s.`,
        );
      return report;
    } catch (error) {
      for (const faceid of before) changed.add(faceid);
      mustErase ||= mustHaveErased;
      last.failures += 1;
      throw error;
    } finally {
      writer = undefined;
      last.end = performance.now();
    }
  }

  async function step(): Promise<void> {
    if (isOver()) return;
    await adopt();
    if (gallery.info().faces < leastFaces && (await snapshotNumbers(place)).length === 0) return;
    if (!release) await takeTurn();
    if (!release || isOver() || !isDue()) return;
    await make();
    await adopt();
  }

  /** What is being done: one thing at a time. */
  let running: Promise<unknown> | undefined;

  function alone<T>(work: () => Promise<T>): Promise<T> {
    const mine = (running ?? Promise.resolve()).catch(() => undefined).then(work);
    running = mine;
    void mine
      .catch(() => undefined)
      .finally(() => {
        if (running === mine) running = undefined;
      });
    return mine;
  }

  function poll(): void {
    if (running || isOver()) return;
    alone(step).catch((error: unknown) => {
      if (!isOver()) warnOnce(`No snapshot of the gallery can be made or used: ${quietMessage(error)}`);
    });
  }
  const timer = setInterval(poll, times.poll);
  timer.unref();
  poll();

  return {
    /** The number of the snapshot that the gallery lies over; undefined: none. */
    number: (): number | undefined => people?.number,

    /** Whether this is the worker that has snapshots made. */
    isMaker: (): boolean => release !== undefined,

    /**
     * Compares everybody with the store, after events were missed, and puts the gallery over what was found.
     * @returns false when there is no snapshot, and none can be made: then everybody has to be read
     */
    reconcile: (): Promise<boolean> =>
      alone(async () => {
        if (isOver() || !people) return false;
        try {
          await make();
        } catch (error) {
          warnOnce(`No snapshot of the gallery can be made: ${quietMessage(error)}`);
          return false;
        }
        return await adopt(true);
      }),

    async close(): Promise<void> {
      isClosing = true;
      clearInterval(timer);
      unsubscribe();
      await writer?.stop();
      await running?.catch(() => undefined);
      release?.();
      await held;
    },
  };
}
