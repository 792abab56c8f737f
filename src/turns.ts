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
