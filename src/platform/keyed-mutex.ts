/** Runs work on one key in order, one piece at a time; other keys do not wait for it. */
export function createKeyedMutex() {
  const tails = new Map<string, Promise<unknown>>();

  return {
    /**
     * Runs `work` when all earlier work on any of the keys has ended or failed. All keys are taken at once, so that two
     * callers cannot deadlock.
     */
    async run<T>(keys: string | readonly string[], work: () => Promise<T>): Promise<T> {
      const all = typeof keys === 'string' ? [keys] : keys;
      const mine = Promise.allSettled(all.flatMap((key) => tails.get(key) ?? [])).then(work);
      for (const key of all) tails.set(key, mine);
      try {
        return await mine;
      } finally {
        for (const key of all) if (tails.get(key) === mine) tails.delete(key);
      }
    },
    /** Resolves when all work so far has ended. */
    async idle(): Promise<void> {
      await Promise.allSettled(tails.values());
    },
  };
}
