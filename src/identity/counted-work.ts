import { availableParallelism } from 'node:os';
import { clientGone, KaomonError, throwIfGone } from '../platform/errors.js';
import { createShares } from '../platform/shares.js';
import { TaskQueue, type Waiting } from '../vision/queue.js';

/** For whom work is done. */
export interface Whose {
  /** Callers take turns. Default: the server itself. */
  caller?: string;
  /** Aborted when the caller has hung up: what has not begun then never does. */
  signal?: AbortSignal;
  /** It was let in before what led to it ({@link CountedWork.admit}): it counts, and is not refused any more. */
  isAdmitted?: boolean;
}

/** What is under way, and what was refused since the start. */
export interface WorkInfo {
  /** Running and waiting. */
  inFlight: number;
  refused: { busy: number; caller: number };
}

export interface CountedWorkOptions {
  /** The most that may be in flight. */
  most: number;
  /** The part of it that a lone caller may have, 0 to 1. */
  share: number;
  /** The most that run at a time, 1 or more. */
  atOnce: number;
  /** The most pieces of calls of many that run at a time. Default: half of the cores; the others are left to the pictures. */
  manyAtOnce?: number;
  /**
   * Whether pieces of calls of many must leave time to others: then each is followed by a pause as long as it took.
   * Default: never.
   */
  givesWay?: (() => boolean) | undefined;
  /** Messages of a refusal, see {@link createShares}. */
  full: string;
  mine: string;
  /** Seconds after which to try again. */
  retryAfter: number;
}

/** See {@link createCountedWork}. */
export type CountedWork = ReturnType<typeof createCountedWork>;

/** Work that waits for its turn. */
interface WaitingWork extends Waiting {
  begin: () => void;
}

/** More pieces than that in one call are no picture of a crowd, but a program's list: the call can wait. */
const MANY = 256;
const MANY_AT_ONCE = Math.max(1, Math.floor(availableParallelism() / 2));
/** While others wait for a turn, calls of many pieces get one in so many: enough to come to an end. */
const TURN_OF_MANY = 4;

/**
 * Work of which a process can do only a little at a time, done for all callers in turn: one who brings a thousand pieces
 * in a call makes nobody else wait for more than what is running. As long as nothing waits, work begins at once.
 *
 * A call with many pieces has at most `atOnce` of them in flight, so what is bounded is the calls; a call that was let in
 * is never refused half-way. All but its first pieces begin in a turn of the event loop of their own, one a turn, because
 * a piece may take its time on this thread. Calls of many pieces have `manyAtOnce` between them, however many calls there
 * are, and their pieces come after those of others.
 */
export function createCountedWork({
  most,
  atOnce,
  manyAtOnce = MANY_AT_ONCE,
  givesWay,
  ...refusals
}: CountedWorkOptions) {
  const places = createShares({ total: most, ...refusals });
  const queue = new TaskQueue<WaitingWork>();
  /** Pieces of calls of many. */
  const queueOfMany = new TaskQueue<WaitingWork>();
  const refused = { busy: 0, caller: 0 };
  let running = 0;
  let runningOfMany = 0;
  let turn = 0;
  let isDue = false;

  function take(caller: string, amount: number): void {
    try {
      places.take(caller, amount);
    } catch (error) {
      refused[error instanceof KaomonError && error.code === 'BUSY' ? 'busy' : 'caller'] += 1;
      throw error;
    }
  }

  function enter({ caller = '', signal, isAdmitted = false }: Whose, amount: number): void {
    throwIfGone(signal);
    if (isAdmitted) places.put(caller, amount);
    else take(caller, amount);
  }

  async function begin<R>(work: () => Promise<R>, isOfMany = false): Promise<R> {
    const begun = performance.now();
    running += 1;
    if (isOfMany) runningOfMany += 1;
    try {
      return await work();
    } finally {
      running -= 1;
      if (isOfMany && givesWay?.()) setTimeout(endOfMany, performance.now() - begun);
      else if (isOfMany) endOfMany();
      startSoon();
    }
  }

  function endOfMany(): void {
    runningOfMany -= 1;
    startSoon();
  }

  const mayOfMany = () => queueOfMany.length > 0 && runningOfMany < manyAtOnce;

  function startSoon(): void {
    if (isDue || running >= atOnce || (queue.length === 0 && !mayOfMany())) return;
    isDue = true;
    setImmediate(startNext);
  }

  function startNext(): void {
    isDue = false;
    const isTurnOfMany = mayOfMany() && (queue.length === 0 || turn++ % TURN_OF_MANY === 0);
    const [next] = (isTurnOfMany ? queueOfMany : queue).take(1);
    next.begin();
    startSoon();
  }

  function inTurn<R>({ caller = '', signal }: Whose, work: () => Promise<R>, isOfMany = false): Promise<R> {
    return new Promise<R>((resolve, reject) => {
      const start = () => {
        if (signal?.aborted) reject(clientGone());
        else begin(work, isOfMany).then(resolve, reject);
      };
      (isOfMany ? queueOfMany : queue).push({ caller, alone: false, begin: start });
      startSoon();
    });
  }

  /** A call's first pieces; the others wait for a turn even when nobody else does. */
  function first<R>(whose: Whose, work: () => Promise<R>): Promise<R> {
    return running < atOnce && queue.length === 0 ? begin(work) : inTurn(whose, work);
  }

  async function counted<R>(work: () => Promise<R>, whose: Whose, amount: number): Promise<R> {
    enter(whose, amount);
    try {
      return await work();
    } finally {
      places.give(whose.caller ?? '', amount);
    }
  }

  return {
    /**
     * Refuses early, before work that leads to this (analysing a picture, say) is done in vain. Nothing is held.
     * @throws KaomonError BUSY, TOO_MANY_REQUESTS
     */
    admit(caller = ''): void {
      take(caller, 1);
      places.give(caller, 1);
    },

    /**
     * Counts work that takes no turn: it may wait for others of its kind, which then could not run.
     * @returns ends it; to be called once
     * @throws KaomonError BUSY, TOO_MANY_REQUESTS
     */
    hold(caller = ''): () => void {
      take(caller, 1);
      return () => places.give(caller, 1);
    },

    /** Does one piece of work. @throws KaomonError BUSY, TOO_MANY_REQUESTS, CLIENT_GONE, and what `work` throws */
    one: <R>(work: () => Promise<R>, whose: Whose = {}): Promise<R> =>
      counted(() => first(whose, work), whose, 1),

    /**
     * Does `work` for each of many things, a few at a time. After a failure no more begins.
     * @param work is told whether it is a piece of a call of many, which leaves the cores to others
     * @returns the results in the order of the things
     * @throws as `one`
     */
    async each<T, R>(
      things: readonly T[],
      work: (thing: T, index: number, isOfMany: boolean) => Promise<R>,
      whose: Whose = {},
    ): Promise<R[]> {
      throwIfGone(whose.signal);
      const results: R[] = [];
      const isOfMany = things.length > MANY;
      const lines = Math.min(things.length, atOnce, isOfMany ? manyAtOnce : Infinity);
      let next = 0;
      const doSome = async () => {
        for (let start = isOfMany ? inTurn : first; next < things.length; start = inTurn) {
          const index = next++;
          try {
            results[index] = await start(whose, () => work(things[index], index, isOfMany), isOfMany);
          } catch (error) {
            next = things.length;
            throw error;
          }
        }
      };
      if (lines === 0) return results;
      const all = () => Promise.allSettled(Array.from({ length: lines }, doSome));
      const failed = (await counted(all, whose, lines)).find(({ status }) => status === 'rejected');
      if (failed?.status === 'rejected') throw failed.reason;
      return results;
    },

    info: (): WorkInfo => ({ inFlight: places.taken(), refused: { ...refused } }),
  };
}

/** Searches are done on libuv's four threads; one is left to files and to the keys of those who sign in. */
const SEARCHES_AT_ONCE = 3;
/** The event log is written one entry after another; more would only fill libuv's threads. */
const ENROLMENTS_AT_ONCE = 4;

type Limits = Pick<CountedWorkOptions, 'most' | 'share'>;

/** Searches of the gallery. @param givesWay see {@link CountedWorkOptions} */
export const createSearches = (limits: Limits, givesWay?: () => boolean) =>
  createCountedWork({
    ...limits,
    givesWay,
    atOnce: SEARCHES_AT_ONCE,
    full: 'Too many searches are in progress',
    mine: 'Too many searches of this caller are in progress',
    retryAfter: 2,
  });

/** What is written to the store and the event log: faces of all ways in, and changes of people; deletions are not counted. */
export const createEnrolments = (limits: Limits) =>
  createCountedWork({
    ...limits,
    atOnce: ENROLMENTS_AT_ONCE,
    full: 'Too many enrolments and changes are in progress',
    mine: 'Too many enrolments and changes of this caller are in progress',
    retryAfter: 2,
  });

/** For a command, which has only itself to wait for. */
export const UNLIMITED: Limits = { most: Infinity, share: 1 };
