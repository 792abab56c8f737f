/** Whether something comes fast enough; see {@link createPace}. */
export type Pace = ReturnType<typeof createPace>;

/**
 * The least rate at which a body, or a message of a stream, has to come. It is taken over a time, because a sender may
 * pause for a moment.
 * @param minRate bytes a second; 0: nothing is too slow
 * @param window milliseconds
 */
export function createPace(minRate: number, window: number) {
  let since = performance.now();
  let bytes = 0;

  /** From here on: what came before does not count. */
  function begin(now = performance.now()): void {
    since = now;
    bytes = 0;
  }

  return {
    begin,

    /** So many bytes more have come. */
    add(more: number): void {
      bytes += more;
    },

    /** Whether what came within the window, once that is over, was too little; then the next one begins. */
    isTooSlow(now = performance.now()): boolean {
      const elapsed = now - since;
      if (elapsed < window) return false;
      const isSlow = bytes < (minRate * elapsed) / 1000;
      begin(now);
      return isSlow;
    },
  };
}
