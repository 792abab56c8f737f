import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createLoopDelay, LOOK_EVERY } from '../../src/platform/loop-delay.js';

/** Keeps the event loop from turning. */
function stall(milliseconds: number): void {
  for (const until = performance.now() + milliseconds; performance.now() < until;);
}

it('says how late the event loop turned since it was asked last, also where it has not turned at all', async () => {
  const delay = createLoopDelay();
  stall(300);
  assert.ok(delay() >= 300 - LOOK_EVERY);
  await sleep(2 * LOOK_EVERY);
  stall(300);
  await sleep(2 * LOOK_EVERY);
  const late = delay();
  assert.ok(late > 50, `${late}`);
});
