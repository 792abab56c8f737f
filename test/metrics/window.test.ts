import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createRate, createWindow } from '../../src/metrics/window.js';

it('gives percentiles of the last samples, and none without any', () => {
  let now = 0;
  const window = createWindow(100, 1000, () => now);
  assert.deepEqual(window.summary(), { count: 0, p50: null, p95: null });
  for (let value = 150; value > 0; value -= 1) window.add(value);
  assert.deepEqual(window.summary(), { count: 100, p50: 50, p95: 95 });
  now = 1000;
  window.add(7);
  assert.deepEqual(window.summary(), { count: 1, p50: 7, p95: 7 });
});

it('counts a rate over a minute, or over the time there was', () => {
  let now = 0;
  const rate = createRate(60, () => now);
  assert.equal(rate.perSecond(), 0);
  for (let n = 0; n < 20; n += 1) rate.add();
  now = 10_000;
  assert.equal(rate.perSecond(), 2);
  for (let n = 0; n < 40; n += 1) rate.add();
  now = 60_500;
  assert.equal(rate.perSecond(), 40 / 60, 'the first second is over a minute ago');
  now = 1_000_000;
  assert.equal(rate.perSecond(), 0);
});
