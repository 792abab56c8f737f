import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRandom } from '../../src/accuracy/bootstrap.js';
import { curveOf, proposeThresholds } from '../../src/accuracy/curve.js';
import { ImpostorCounter, type Impostors } from '../../src/accuracy/impostors.js';
import { distanceAt, leastRate, rateAt } from '../../src/identity/odds.js';

/** As many pairs as asked for, evenly from 1 to 2. */
function evenly(pairs: number, cut = Infinity): Impostors {
  const counter = new ImpostorCounter(cut);
  for (let i = 0; i < pairs; i++) counter.add(1 + i / pairs, 2 * i, 2 * i + 1);
  return counter.finish();
}

describe('impostor pairs', () => {
  it('are in order with their rows, whatever order they come in', () => {
    const counter = new ImpostorCounter(Infinity);
    for (const [i, distance] of [0.5, 0.25, 0.75].entries()) counter.add(distance, i, 10 + i);
    const { nearest, rows, probes } = counter.finish();
    assert.deepEqual(
      [[...nearest], [...rows], [...probes]],
      [
        [0.25, 0.5, 0.75],
        [1, 0, 2],
        [11, 10, 12],
      ],
    );
  });

  it('beyond those kept are counted to a step of 0.00006', () => {
    const all = evenly(10_000);
    const some = evenly(10_000, 1.05);
    assert.equal(some.nearest.length, 500);
    for (const rate of [0.001, 0.04, 0.06, 0.5, 0.99]) {
      assert.ok(Math.abs((some.distanceAt(rate) ?? 0) - (all.distanceAt(rate) ?? 0)) < 1.3e-4, `${rate}`);
    }
    for (const distance of [1.01, 1.2, 1.9]) {
      assert.ok(Math.abs(some.rateBelow(distance) - all.rateBelow(distance)) < 1.3e-4, `${distance}`);
    }
    assert.deepEqual([some.rateBelow(0.9), some.rateBelow(4)], [0, 1]);
  });

  it('make a curve from thirty pairs to a tenth, as odds read it', () => {
    const impostors = evenly(100_000);
    const curve = curveOf(impostors, 'made');
    assert.ok(curve);
    assert.deepEqual([curve.pairs, curve.source], [100_000, 'made']);
    const [first, last] = [curve.points[0], curve.points[curve.points.length - 1]];
    // Thirty false matches stand behind the first point; odds are told down to a tenth of it.
    assert.ok(Math.abs(first[1] - 10 * leastRate(curve)) < 1e-6);
    assert.deepEqual(last, [1.1, 0.1]);
    curve.points.slice(1).forEach(([distance, rate], i) => {
      assert.ok(distance > curve.points[i][0] && rate > curve.points[i][1], `point ${i + 1} ascends`);
    });
    assert.ok(Math.abs(rateAt(curve, 1.01) / 0.01 - 1) < 0.05);
    assert.ok(Math.abs(distanceAt(curve, 0.001) - 1.001) < 0.0005);
  });

  it('make a curve that ascends where many pairs lie at one distance, and none at distance 0', () => {
    const counter = new ImpostorCounter(Infinity);
    for (let i = 0; i < 1000; i++) counter.add(i < 10 ? 0 : i < 500 ? 1 : 2, i, i + 1);
    const curve = curveOf(counter.finish(), 'made');
    assert.deepEqual(curve?.points.at(-1), [1, 0.1]);
    assert.ok(curve.points.every(([distance], i, points) => distance > (points[i - 1]?.[0] ?? 0)));
  });

  it('make no curve when there are few', () => {
    assert.equal(curveOf(evenly(999), 'made'), undefined);
  });

  it('propose thresholds in steps of 0.005 that keep to their rates', () => {
    assert.deepEqual(proposeThresholds(evenly(100_000)), { identical: 1, sure: 0.8 });
    assert.equal(proposeThresholds(new ImpostorCounter(1).finish()), undefined);
    const random = createRandom(1);
    const counter = new ImpostorCounter(Infinity);
    for (let i = 0; i < 5000; i++) counter.add(0.5 + random(), i, i + 1);
    const impostors = counter.finish();
    const { identical, sure } = proposeThresholds(impostors) ?? { identical: NaN, sure: NaN };
    assert.ok(impostors.rateBelow(identical) <= 1e-3 && sure < 0.8 * impostors.nearest[0]);
  });
});
