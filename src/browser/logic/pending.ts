/** Something that is done after a while, unless it is called off before. */
export interface Pending {
  /** Calls it off. */
  undo: () => void;
}

export interface PendingDeps {
  schedule: (run: () => void, delay: number) => () => void;
}

/** Milliseconds in which a deletion can be undone. */
export const UNDO_WITHIN = 10_000;

/** Deletions that wait, so that they can be undone without the server knowing of them. */
export function createPendings({ schedule }: PendingDeps) {
  const waiting = new Map<symbol, (leaving: boolean) => void>();
  return {
    /**
     * @param run does it; told whether the page is being left, when there is no time to wait for the answer
     * @param undone after it was called off
     */
    add(run: (leaving: boolean) => void, undone: () => void, delay = UNDO_WITHIN): Pending {
      const key = Symbol('pending');
      const cancel = schedule(() => settle(false), delay);
      function settle(leaving: boolean): void {
        if (!waiting.delete(key)) return;
        cancel();
        run(leaving);
      }
      waiting.set(key, settle);
      return {
        undo() {
          if (!waiting.delete(key)) return;
          cancel();
          undone();
        },
      };
    },
    /** The page is left: all that waits is done now. */
    flush(): void {
      for (const settle of [...waiting.values()]) settle(true);
    },
    get size(): number {
      return waiting.size;
    },
  };
}
