import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createShares, holdOf } from '../../src/platform/shares.js';

const sharesOf = (total: number, share = 0.75) =>
  createShares({ total, share, full: 'All are taken', mine: 'You have yours', retryAfter: 3 });

/** Everybody takes one in turn until nobody gets another. */
function takeAll(total: number, callers: number, share?: number): number[] {
  const shares = sharesOf(total, share);
  const names = Array.from({ length: callers }, (_, i) => `caller ${i}`);
  for (let before = -1; before !== shares.taken();) {
    before = shares.taken();
    for (const name of names) {
      try {
        shares.take(name, 1);
      } catch {
        // The next one may.
      }
    }
  }
  return names.map((name) => shares.of(name));
}

describe('shares', () => {
  it('leave something to the next caller, however many there are and however greedy', () => {
    assert.deepEqual(takeAll(64, 1), [48]);
    assert.deepEqual(takeAll(64, 2), [28, 27]);
    assert.deepEqual(takeAll(64, 3), [20, 19, 19]);
    assert.deepEqual(takeAll(64, 8), [8, 8, 8, 8, 8, 8, 7, 7]);
    assert.deepEqual(takeAll(64, 1, 1), [64]);
    assert.deepEqual([takeAll(1, 1), takeAll(2, 1), takeAll(3, 1), takeAll(4, 1)], [[1], [2], [2], [3]]);
  });

  it('say whether there is no more at all, or no more for one', () => {
    const shares = sharesOf(4);
    for (let n = 0; n < 3; n++) shares.take('a', 1);
    assert.throws(() => shares.take('a', 1), { code: 'TOO_MANY_REQUESTS', retryAfter: 3 });
    shares.take('b', 1);
    assert.throws(() => shares.take('b', 1), { code: 'BUSY', retryAfter: 3 });
    shares.give('a', 1);
    shares.take('c', 1);
    assert.deepEqual([shares.of('a'), shares.of('b'), shares.of('c'), shares.taken()], [2, 1, 1, 4]);
  });

  it('let a caller that has nothing take what there is, however much', () => {
    const shares = sharesOf(100);
    shares.take('a', 90);
    assert.throws(() => shares.take('a', 1), { code: 'TOO_MANY_REQUESTS' });
    shares.take('b', 10);
  });

  it('are held by what grows and shrinks, and given back once', () => {
    const shares = sharesOf(100);
    const hold = holdOf(shares, 'a');
    hold.set(60);
    assert.throws(() => hold.set(101), { code: 'BUSY' });
    assert.equal(shares.taken(), 60, 'what it had it keeps');
    hold.set(20);
    assert.equal(shares.taken(), 20);
    hold.end();
    hold.end();
    hold.set(50);
    assert.equal(shares.taken(), 0);
  });
});
