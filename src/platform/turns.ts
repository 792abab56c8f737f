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
