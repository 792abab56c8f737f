/** Lets a loop wait for a notification, or for a while. One that comes while nothing waits ends the next wait at once. */
export function createNotifier() {
  let isNotified = false;
  let wake: (() => void) | undefined;

  return {
    notify(): void {
      isNotified = true;
      wake?.();
    },
    /** @param milliseconds at most */
    async wait(milliseconds: number): Promise<void> {
      if (!isNotified) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, milliseconds);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        wake = undefined;
      }
      isNotified = false;
    },
  };
}
