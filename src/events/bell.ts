/** Lets one loop wait until it is called, or for a while; a ring that nobody waits for is heard at the next wait. */
export function createBell() {
  let rung = false;
  let answer: (() => void) | undefined;

  return {
    ring(): void {
      rung = true;
      answer?.();
    },
    /** @param milliseconds at most */
    async wait(milliseconds: number): Promise<void> {
      if (!rung) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, milliseconds);
          answer = () => {
            clearTimeout(timer);
            resolve();
          };
        });
        answer = undefined;
      }
      rung = false;
    },
  };
}
