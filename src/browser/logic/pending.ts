interface UndoQueueDeps {
  /** Runs something after `delay` milliseconds. @returns cancels it */
  schedule: (run: () => void, delay: number) => () => void;
}

/** How long a deletion can be undone, milliseconds. */
export const UNDO_WITHIN = 10_000;

/** Deletions wait here before the server is told, so that they can be undone. */
export function createUndoQueue({ schedule }: UndoQueueDeps) {
  const waiting = new Map<symbol, (leaving: boolean) => void>();
  return {
    /**
     * @param run does it; told whether the page is being left, so that there is no time to wait for the answer
     * @param undone called when it was undone
     * @returns `undo` takes it back, if it has not been done yet
     */
    add(run: (leaving: boolean) => void, undone: () => void, delay = UNDO_WITHIN): { undo: () => void } {
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
    /** Does everything now, because the page is being left. */
    flush(): void {
      for (const settle of [...waiting.values()]) settle(true);
    },
    get size(): number {
      return waiting.size;
    },
  };
}
