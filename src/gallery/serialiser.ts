/** Runs the work on one key in order of arrival; see {@link createSerialiser}. */
export type Serialiser = ReturnType<typeof createSerialiser>;

/** Work on one key runs in order of arrival; work on different keys does not wait for each other. */
export function createSerialiser() {
  const tails = new Map<string, Promise<unknown>>();

  return {
    /** Waits for all earlier work on any of the keys. The keys are taken at once, so that two callers cannot deadlock. */
    async run<T>(keys: readonly string[], work: () => Promise<T>): Promise<T> {
      const before = Promise.allSettled(keys.map((key) => tails.get(key) ?? Promise.resolve()));
      const mine = before.then(work);
      for (const key of keys) tails.set(key, mine);
      try {
        return await mine;
      } finally {
        for (const key of keys) if (tails.get(key) === mine) tails.delete(key);
      }
    },
    /** Resolves when all work that was asked for so far has ended. */
    async idle(): Promise<void> {
      await Promise.allSettled(tails.values());
    },
  };
}
