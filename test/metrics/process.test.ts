import assert from 'node:assert/strict';
import { it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { processRegistry } from '../../src/metrics/process.js';

it("tells the event loop's delays to whoever asks, also to two at once", async () => {
  const registry = processRegistry();
  await sleep(300);
  const asked = async () =>
    (await registry.getMetricsAsJSON()).flatMap(({ name, values }) =>
      name.startsWith('nodejs_eventloop_lag_m') ? values.map(({ value }) => value) : [],
    );
  const [first, second] = [await asked(), await asked()];
  assert.equal(first.length, 3);
  for (const seconds of first) assert.ok(seconds > 0.01 && seconds < 10, String(seconds));
  assert.deepEqual(second, first);
});
