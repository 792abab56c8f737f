import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startRetention } from '../../src/sightings/retention.js';

const DAY = 86_400_000;
const HOUR = 3_600_000;

describe('what is too old', () => {
  it('is not erased by a clock that has jumped forward, for an hour', async (t) => {
    const clock = { date: Date.parse('2026-11-27T12:00:00Z'), now: 0 };
    let pruned: number[] = [];
    const ask = (name: string, before: unknown) => {
      if (name === 'prune') pruned.push((before as { people: number }).people);
      return Promise.resolve(name === 'faceids' ? [] : 0);
    };
    const job = startRetention({
      store: { ask: ask as never },
      gallery: { person: () => Promise.resolve(undefined) },
      days: { people: 30, strangers: 7, pictures: 30 },
      // What is too old goes all the same.
      catchUp: () => Promise.reject(new Error('Redis is away')),
      log: { warn: () => undefined, info: () => undefined },
      ...{ date: () => clock.date, now: () => clock.now, every: 1e9 },
    });
    t.after(() => job.close());
    const run = async () => {
      pruned = [];
      await job.run();
      return pruned;
    };
    await run();
    clock.date += 400 * DAY;
    assert.deepEqual(await run(), [], 'it may be a mistake');
    clock.date += HOUR / 2;
    clock.now += HOUR / 2;
    assert.deepEqual(await run(), []);
    clock.date += HOUR / 2;
    clock.now += HOUR / 2;
    assert.deepEqual(await run(), [clock.date - 30 * DAY], 'it was none');
    clock.date += DAY;
    assert.deepEqual(await run(), []);
    clock.date -= DAY;
    assert.deepEqual(await run(), [clock.date - 30 * DAY], 'set back: it was one');
  });
});
