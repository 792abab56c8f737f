import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { giveWay, mapInSlices, nextTurn } from '../../src/platform/turns.js';

/** Turns of the event loop until it resolves. */
async function turnsUntil(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isOver = false as boolean;
  void work.finally(() => (isOver = true));
  while (!isOver) {
    turns += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  return turns;
}

/** Longer than a slice may take. */
function hold(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

describe('long work on the main thread', () => {
  it('runs one slice a turn, whoever it is for', async () => {
    const order: string[] = [];
    const work = async (name: string) => {
      for (let i = 0; i < 3; i++) {
        await nextTurn();
        order.push(name);
      }
    };
    const turns = await turnsUntil(Promise.all([work('a'), work('b')]));
    assert.deepEqual(order, ['a', 'b', 'a', 'b', 'a', 'b']);
    assert.ok(turns >= 6, `${turns} turns`);
  });

  it('lets others in between lists, however few there are', async () => {
    const lists = [1, 2, 3, 4];
    const work = (weight?: number) => mapInSlices(lists, () => hold(3), undefined, weight);
    assert.ok((await turnsUntil(work(1000))) >= lists.length - 1);
    assert.ok((await turnsUntil(work())) < lists.length - 1, 'so few faces are one slice');
  });

  it('leaves time while others have the cores, comes to its end nevertheless, and is quick again afterwards', async () => {
    let isBusy = true;
    const end = giveWay(() => isBusy);
    const work = async () => {
      for (let i = 0; i < 20; i++) await nextTurn();
    };
    const busy = await turnsUntil(work());
    isBusy = false;
    const quick = await turnsUntil(work());
    end();
    assert.ok(busy > 2 * quick, `${busy} turns of others, and ${quick}`);
  });
});
