/** Keeps the screen on while the page is seen. Browsers without the means, or in want of power, let it go dark. */
export function createWakeLock() {
  let wanted = false;
  let lock: WakeLockSentinel | undefined;
  const isWanted = () => wanted && !document.hidden;

  async function acquire(): Promise<void> {
    if (!isWanted() || !('wakeLock' in navigator) || lock?.released === false) return;
    try {
      const got = await navigator.wakeLock.request('screen');
      lock = got;
      // It was let go while the browser was asked.
      if (!isWanted()) await got.release();
    } catch {
      // A battery that is low, or a page that has just been hidden.
    }
  }

  // The browser takes the lock away from a page that is not seen.
  document.addEventListener('visibilitychange', () => void acquire());

  return {
    hold(): void {
      wanted = true;
      void acquire();
    },
    release(): void {
      wanted = false;
      void lock?.release();
      lock = undefined;
    },
  };
}
