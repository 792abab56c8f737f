import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bootstrap, createRandom, drawSome, orRuleOfThree } from '../../src/accuracy/bootstrap.js';

/** The mean of `values` of a draw, each value as often as its unit was drawn. */
const meanOf = (values: readonly number[], unitOf: (i: number) => number) => (weights: Int32Array) => {
  let [sum, all] = [0, 0];
  values.forEach((value, i) => {
    sum += value * weights[unitOf(i)];
    all += weights[unitOf(i)];
  });
  return [sum / all];
};

describe('intervals by bootstrap', () => {
  it('are those of a known spread: 60 of 200 is 0.3, give or take 0.0635', () => {
    const values = Array.from({ length: 200 }, (_, i) => (i < 60 ? 1 : 0));
    const [interval] = bootstrap(
      200,
      meanOf(values, (i) => i),
    );
    assert.ok(interval);
    assert.ok(Math.abs(interval.low - (0.3 - 0.0635)) < 0.012, `${interval.low}`);
    assert.ok(Math.abs(interval.high - (0.3 + 0.0635)) < 0.012, `${interval.high}`);
  });

  it('do not get narrower by more pictures of the same people', () => {
    const people = Array.from({ length: 40 }, (_, i) => (i < 20 ? 1 : 0));
    const many = people.flatMap((value) => Array.from({ length: 50 }, () => value));
    const [few] = bootstrap(
      40,
      meanOf(people, (i) => i),
    );
    const [same] = bootstrap(
      40,
      meanOf(many, (i) => Math.floor(i / 50)),
    );
    assert.deepEqual(same, few);
    assert.ok(few && few.high - few.low > 0.25);
  });

  it('are the same in every run', () => {
    const values = [0, 1, 1, 0, 1];
    assert.deepEqual(
      bootstrap(
        5,
        meanOf(values, (i) => i),
      ),
      bootstrap(
        5,
        meanOf(values, (i) => i),
      ),
    );
  });

  it('are left out where most draws can tell nothing', () => {
    assert.deepEqual(
      bootstrap(2, () => [NaN, 1]),
      [undefined, { low: 1, high: 1 }],
    );
  });

  it('end at three of those tried where nothing failed', () => {
    assert.deepEqual(orRuleOfThree({ low: 0, high: 0 }, 0, 120), { low: 0, high: 0.025 });
    assert.deepEqual(orRuleOfThree({ low: 0.1, high: 0.3 }, 0.2, 120), { low: 0.1, high: 0.3 });
    assert.deepEqual(orRuleOfThree({ low: 0, high: 0 }, 0, 2), { low: 0, high: 1 });
  });

  it('draws some without drawing anything twice', () => {
    const drawn = drawSome([1, 2, 3, 4, 5], 3, createRandom(3));
    assert.equal(new Set(drawn).size, 3);
    assert.deepEqual(drawSome([1, 2], 9, createRandom(3)).sort(), [1, 2]);
  });
});
