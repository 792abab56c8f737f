interface Outcome<T> {
  done: T[];
  /** Those that it failed for, or that were not tried any more. */
  left: T[];
  /** Of the first that failed. */
  error?: unknown;
}

/**
 * Does something for each of several, one after another. A refusal does not stop the others.
 * @param isHopeless whether after this error the others need not be tried
 */
export async function inTurn<T>(
  items: readonly T[],
  run: (item: T) => Promise<unknown>,
  isHopeless: (error: unknown) => boolean,
): Promise<Outcome<T>> {
  const outcome: Outcome<T> = { done: [], left: [] };
  for (const [i, item] of items.entries()) {
    try {
      await run(item);
      outcome.done.push(item);
    } catch (error) {
      outcome.error ??= error;
      if (isHopeless(error)) {
        outcome.left.push(...items.slice(i));
        return outcome;
      }
      outcome.left.push(item);
    }
  }
  return outcome;
}
