import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { Curve } from '../../src/models/types.js';
import {
  distanceAt,
  falseMatchRateFor,
  falsePositiveRate,
  leastRate,
  oddsAt,
  rateAt,
  tellOdds,
} from '../../src/identity/odds.js';
import { MEASURED_CURVE, PLAIN_CURVE } from '../support/curve.js';

const near = (actual: number, expected: number, part = 1e-9) =>
  assert.ok(Math.abs(actual - expected) <= part * Math.abs(expected), `${actual} is not ${expected}`);

/** Any curve that a manifest may hold: two to eight points, both columns ascending. */
const curves: fc.Arbitrary<Curve> = fc
  .record({
    pairs: fc.integer({ min: 1, max: 1_000_000_000 }),
    start: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
    lowest: fc.double({ min: -9, max: -5, noNaN: true }),
    steps: fc.array(
      fc.tuple(
        fc.double({ min: 0.001, max: 0.4, noNaN: true }),
        fc.double({ min: 0.01, max: 0.6, noNaN: true }),
      ),
      { minLength: 1, maxLength: 7 },
    ),
  })
  .map(({ pairs, start, lowest, steps }) => {
    const points: [number, number][] = [[start, 10 ** lowest]];
    let exponent = lowest;
    for (const [along, up] of steps) {
      exponent += up;
      points.push([points[points.length - 1][0] + along, 10 ** exponent]);
    }
    return { pairs, source: 'made', points };
  });
const distances = fc.double({ min: 0, max: 4, noNaN: true });

describe('the rate of a distance', () => {
  it('is the measured one at the measured points, and its logarithm is interpolated between them', () => {
    for (const [distance, rate] of MEASURED_CURVE.points) {
      near(rateAt(MEASURED_CURVE, distance), rate);
      near(distanceAt(MEASURED_CURVE, rate), distance);
    }
    near(rateAt(MEASURED_CURVE, (1.184 + 1.331) / 2), 10 ** -3.5);
    near(distanceAt(MEASURED_CURVE, 10 ** -3.5), (1.184 + 1.331) / 2);
    near(rateAt(PLAIN_CURVE, 0.6), 1e-3);
  });

  it('falls below the first point on the flattest line of the curve, to 0 at distance 0', () => {
    // 0.189 a decade from 1e-6 to 1e-5; to all the others it is less.
    near(rateAt(MEASURED_CURVE, 0.864 - 0.189), 1e-7 * ((0.864 - 0.189) / 0.864));
    near(rateAt(PLAIN_CURVE, 0.2), 1e-7 * (2 / 3));
    assert.equal(rateAt(PLAIN_CURVE, 0), 0);
    assert.equal(rateAt(PLAIN_CURVE, -1e-9), 0, 'rounding in float32 may pass 0 by a hair');
  });

  it('rises above the last point on the steepest line, to 1', () => {
    near(rateAt(PLAIN_CURVE, 0.8), 0.1);
    assert.equal(rateAt(PLAIN_CURVE, 0.95), 1);
    assert.equal(rateAt(MEASURED_CURVE, 4), 1);
    // From the last point to 1e-5: 0.458 for three decades, the steepest.
    near(rateAt(MEASURED_CURVE, 1.511 + 0.458 / 3), 0.1);
  });

  it('rises with the distance, and the distance with the rate, on any curve', () => {
    fc.assert(
      fc.property(curves, distances, distances, (curve, a, b) => {
        const [low, high] = [Math.min(a, b), Math.max(a, b)];
        assert.ok(rateAt(curve, low) <= rateAt(curve, high));
        const [rare, often] = [rateAt(curve, low), rateAt(curve, high)];
        assert.ok(distanceAt(curve, rare) <= distanceAt(curve, often));
      }),
    );
  });

  it('has an inverse that is never looser than what was asked for', () => {
    fc.assert(
      fc.property(curves, fc.double({ min: -14, max: 0, noNaN: true }), (curve, exponent) => {
        const rate = 10 ** exponent;
        const distance = distanceAt(curve, rate);
        assert.ok(distance >= 0 && distance <= 4);
        const back = rateAt(curve, distance);
        assert.ok(back <= rate * (1 + 1e-9), `${back} > ${rate}`);
        // Nothing lies beyond 4: there alone the inverse may stay behind.
        if (distance < 4) near(back, rate, 1e-6);
      }),
    );
    fc.assert(
      fc.property(curves, distances, (curve, distance) => {
        const rate = rateAt(curve, distance);
        if (rate > 1e-250 && rate < 1) near(distanceAt(curve, rate), distance, 1e-6);
      }),
    );
  });
});

describe('the false positive rate of a search', () => {
  it('is the number of people times the FMR while that is small, and never more than 1', () => {
    near(falsePositiveRate(1e-12, 1000), 1e-9, 1e-8);
    near(falsePositiveRate(1e-4, 100), 1 - 0.9999 ** 100);
    assert.equal(falsePositiveRate(1, 3), 1);
    assert.equal(falsePositiveRate(0.5, 0), 0);
    near(falsePositiveRate(0.25, 2), 0.4375);
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.integer({ min: 1, max: 10_000_000 }),
        (rate, people) => {
          const found = falsePositiveRate(rate, people);
          assert.ok(found >= rate * (1 - 1e-12) && found <= Math.min(1, rate * people) * (1 + 1e-12) + 1e-15);
        },
      ),
    );
  });

  it('has an inverse', () => {
    near(falseMatchRateFor(0.01, 1), 0.01);
    near(falseMatchRateFor(0.01, 128), 7.8518e-5, 1e-4);
    fc.assert(
      fc.property(
        fc.double({ min: 1e-9, max: 0.5, noNaN: true }),
        fc.integer({ min: 1, max: 10_000_000 }),
        (part, people) => near(falsePositiveRate(falseMatchRateFor(part, people), people), part, 1e-6),
      ),
    );
  });
});

describe('odds', () => {
  it('are those of a made gallery', () => {
    assert.deepEqual(oddsAt(PLAIN_CURVE, 0.5, 1), { perMillion: 100, atMost: false });
    assert.deepEqual(oddsAt(PLAIN_CURVE, 0.5, 20), { perMillion: 2000, atMost: false });
    assert.deepEqual(oddsAt(PLAIN_CURVE, 0.7, 128), { perMillion: 724_000, atMost: false });
    assert.deepEqual(oddsAt(PLAIN_CURVE, 0.3, 500), { perMillion: 500, atMost: false });
    assert.deepEqual(oddsAt(PLAIN_CURVE, 4, 1), { perMillion: 1_000_000, atMost: false });
  });

  it('say where the pairs can tell no more, and then claim no more than the rule of three', () => {
    assert.deepEqual(oddsAt(MEASURED_CURVE, 0.4, 128), { perMillion: 229, atMost: true });
    assert.deepEqual(oddsAt(MEASURED_CURVE, 0, 1), { perMillion: 1.79, atMost: true });
    assert.deepEqual(oddsAt(MEASURED_CURVE, 0.95, 1), { perMillion: 2.85, atMost: false });
    assert.deepEqual(oddsAt({ ...PLAIN_CURVE, pairs: 3 }, 0.1, 1), { perMillion: 1_000_000, atMost: true });
  });

  it('lie within their bounds, rise with distance and people, and never pass below the bound of the pairs', () => {
    fc.assert(
      fc.property(
        curves,
        distances,
        distances,
        fc.integer({ min: 1, max: 1_000_000 }),
        (curve, a, b, people) => {
          const [low, high] = [Math.min(a, b), Math.max(a, b)];
          const [rare, often] = [oddsAt(curve, low, people), oddsAt(curve, high, people)];
          assert.ok(rare.perMillion <= often.perMillion && often.perMillion <= 1_000_000);
          assert.ok(oddsAt(curve, low, people + 1).perMillion >= rare.perMillion);
          const bound = 1e6 * falsePositiveRate(leastRate(curve), people);
          assert.ok(rare.perMillion >= bound * 0.995, `${rare.perMillion} < ${bound}`);
          assert.ok(rare.atMost || !often.atMost, 'farther away the pairs can rather tell');
        },
      ),
    );
  });

  it('are null where a pack has no curve', () => {
    assert.deepEqual(tellOdds(undefined), { odds: null, oddsAtMost: false });
    assert.deepEqual(tellOdds({ perMillion: 50, atMost: true }), { odds: 50, oddsAtMost: true });
  });
});
