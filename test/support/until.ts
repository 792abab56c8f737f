import { setTimeout as sleep } from 'node:timers/promises';

/** Waits until a condition holds. @throws when it does not within a minute, far beyond what it should take */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Waited in vain for: ${condition.toString()}`);
    await sleep(5);
  }
}
