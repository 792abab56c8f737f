import { throwIfGone } from './errors.js';

/**
 * Long work on the main thread is done in slices of a millisecond or two. All callers' slices wait in one queue and one
 * runs per turn of the event loop, so ten callers with long work delay it no more than one.
 */
const waiting: (() => void)[] = [];
let isRunning = false;

/** Resolves when the next slice of long work may run; everything else that is ready goes first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (isRunning) return;
    isRunning = true;
    setImmediate(takeTurn);
  });
}

function takeTurn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(takeTurn);
  else isRunning = false;
}

/** How many {@link inTurns} begins in one turn: searches run on libuv's four threads. */
const AT_ONCE = 4;

/**
 * Does `work` for each of many things, a few at a time, so that one caller's thousand do not delay everybody else.
 * @param signal checked between them
 * @throws KaomonError CLIENT_GONE, and what `work` throws
 */
export async function inTurns<T, R>(
  things: readonly T[],
  work: (thing: T, index: number) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const results: R[] = [];
  for (let from = 0; from < things.length; from += AT_ONCE) {
    if (from > 0) await nextTurn();
    throwIfGone(signal);
    const some = things.slice(from, from + AT_ONCE).map((thing, i) => work(thing, from + i));
    results.push(...(await Promise.all(some)));
  }
  return results;
}
