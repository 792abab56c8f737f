import { throwIfGone } from './errors.js';

/**
 * Long work on the main thread is done in slices of a millisecond or two. All callers' slices wait in one queue and one
 * runs per turn of the event loop, so ten callers with long work delay it no more than one.
 */
const waiting: (() => void)[] = [];
/** See {@link giveWay}. */
const busy = new Set<() => boolean>();
/** Between two slices while something else has the cores, milliseconds: as long as a slice. */
const PAUSE = 2;
let isRunning = false;

/**
 * Long work leaves half of this thread's time to others as long as `isBusy` says so: pictures are looked at by other
 * threads, which have no more cores than this one needs.
 * @returns ends it
 */
export function giveWay(isBusy: () => boolean): () => void {
  busy.add(isBusy);
  return () => void busy.delete(isBusy);
}

/** Resolves when the next slice of long work may run; everything else that is ready goes first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (isRunning) return;
    isRunning = true;
    planTurn();
  });
}

function planTurn(): void {
  for (const isBusy of busy) {
    if (!isBusy()) continue;
    setTimeout(takeTurn, PAUSE);
    return;
  }
  setImmediate(takeTurn);
}

function takeTurn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) planTurn();
  else isRunning = false;
}

/** How long a slice of {@link mapInSlices} takes, milliseconds. */
const SLICE = 2;
/** Things between two looks at the clock. So many take one slice, however slow the machine is. */
const LOOK = 64;

/**
 * Does `work` for each of many things, in slices. Up to 64 take one slice, so nothing comes in between.
 * @param signal aborted when the caller has hung up: no more is done
 * @param weight how many things each of them stands for, where each is a list itself
 * @returns the results, in order
 * @throws KaomonError CLIENT_GONE, and what `work` throws
 */
export async function mapInSlices<T, R>(
  things: Iterable<T>,
  work: (thing: T, index: number) => R | Promise<R>,
  signal?: AbortSignal,
  weight = 1,
): Promise<R[]> {
  const results: R[] = [];
  const look = Math.max(1, Math.floor(LOOK / weight));
  let begun = performance.now();
  for (const thing of things) {
    if (results.length > 0 && results.length % look === 0 && performance.now() - begun >= SLICE) {
      await nextTurn();
      throwIfGone(signal);
      begun = performance.now();
    }
    const result = work(thing, results.length);
    results.push(result instanceof Promise ? await result : result);
  }
  return results;
}
