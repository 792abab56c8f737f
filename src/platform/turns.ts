import { throwIfGone } from './errors.js';

/**
 * Long work on the main thread is done in slices of a millisecond or two. Everybody's slices stand in one line and one
 * of them is done in each turn of the event loop: ten callers with long work at once hold it no longer than one does.
 */
const waiting: (() => void)[] = [];
let isRunning = false;

/** Resolves when the next slice of long work may be done; whatever else is ready goes first. */
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

/** What is begun in one turn of {@link inTurns}: libuv has four threads, on which searches run. */
const AT_ONCE = 4;

/**
 * Does `work` with each of many things, a few at a time, so that a thousand of one caller do not stand before
 * everybody else's next.
 * @param signal looked at between them
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
