/**
 * Calls `listener` once, when the signal is aborted: in a moment where it already is. An event listener alone never hears
 * of what happened before it was added, and whoever waits for that waits for ever.
 * @returns stops listening
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  let isWanted = true;
  const tell = () => {
    if (isWanted) listener();
    isWanted = false;
  };
  if (signal?.aborted) queueMicrotask(tell);
  // eslint-disable-next-line no-restricted-syntax -- here it is known not to be aborted yet
  else signal?.addEventListener('abort', tell);
  return () => {
    isWanted = false;
    signal?.removeEventListener('abort', tell);
  };
}

/** Resolves when the signal is aborted, at once where it already is. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    onAbort(signal, resolve);
  });
}
