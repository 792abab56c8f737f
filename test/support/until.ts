import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Waits until a condition holds.
 * @param within milliseconds, far beyond what it should take
 * @throws when it does not hold by then
 */
export async function until(condition: () => boolean | Promise<boolean>, within = 60_000): Promise<void> {
  const end = Date.now() + within;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`Waited ${within} ms in vain for: ${condition.toString()}`);
    await sleep(5);
  }
}
