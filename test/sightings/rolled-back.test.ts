import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createSightingsSource } from '../../src/notices/sightings-source.js';
import { createHappenings } from '../../src/sightings/happenings.js';
import type { Happening } from '../../src/sightings/types.js';

const MINUTE = 60_000;

/** One happening a minute. */
function storeOf(count: number) {
  const all = Array.from({ length: count }, (_, i): Happening => ({
    ...{ seq: i + 1, at: (i + 1) * MINUTE, kind: 'arrived', sighting: null },
  }));
  const answers: Record<string, (after: number, limit: number) => unknown> = {
    lastHappening: () => all.length,
    firstHappening: () => 0,
    happenings: (after, limit) => all.slice(after, after + limit),
  };
  const ask = (name: string, ...args: number[]) => Promise.resolve(answers[name](args[0], args[1]));
  return { all, store: { ask } as never };
}

/** The last two are lost, and others happen instead, or none. */
function rollBack(all: Happening[], others: number): void {
  const time = all.at(-1)?.at ?? 0;
  all.length -= 2;
  for (let i = 0; i < others; i++)
    all.push({ seq: all.length + 1, at: time + MINUTE, kind: 'left', sighting: null });
}

describe('happenings that a shared Redis has lost', () => {
  for (const others of [0, 1])
    it(`are no reason to tell receivers of a whole day again: ${others} others in their place`, async () => {
      const { all, store } = storeOf(500);
      const source = createSightingsSource({
        ...{ store, place: 'x', types: new Set(['arrived', 'left'] as const) },
        gallery: { person: () => Promise.resolve(undefined) },
      });
      const { next } = await source.read('499.0');
      rollBack(all, others);
      const { items, isLost, next: then } = await source.read(next);
      assert.equal(isLost, true);
      assert.equal(items.length, others);
      assert.deepEqual(await source.read(then), { items: [], next: then, isLost: false });
    });

  it('are said to be lost to who follows, and what comes next is told', async () => {
    const { all, store } = storeOf(10);
    const happenings = createHappenings(store);
    const told: unknown[] = [];
    const follow = () =>
      happenings.follow(undefined, {
        happened: (batch) => void told.push(...batch.map(({ seq }) => seq)),
        at: (position, isLost) => void told.push([position, isLost]),
      });
    // Whoever begins to follow has all others look.
    const look = async () => {
      happenings.follow(undefined, { happened: () => undefined });
      for (let i = 0; i < 5; i++) await setImmediate();
    };
    follow();
    await look();
    rollBack(all, 0);
    await look();
    all.push({ seq: 9, at: 20 * MINUTE, kind: 'left', sighting: null });
    await look();
    happenings.close();
    assert.deepEqual(told, [[10, false], [8, true], 9]);
  });
});
