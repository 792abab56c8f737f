import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { rateOfSimilarity, similarityAt, similarityOf } from '../../../src/http/compreface/similarity.js';
import { squaredDistance } from '../../../src/gallery/distance.js';
import { distanceAt } from '../../../src/identity/odds.js';
import { PACK } from '../../support/app.js';
import { MEASURED_CURVE, PLAIN_CURVE } from '../../support/curve.js';

const facenet = { ...PACK, embedder: { ...PACK.embedder, name: 'facenet' } };

describe("CompreFace's similarity", () => {
  it("follows its published formula and constants for the model of CompreFace's default build", () => {
    const similarity = similarityOf(facenet);
    assert.equal(similarity(1.1817961 ** 2), 0.5);
    // (tanh((1.1817961 - 1) * 5.291995557) + 1) / 2
    assert.equal(similarity(1), 0.8726);
    assert.equal(similarity(0), 1);
    assert.equal(similarity(4), 0.00017);
  });

  it('is one half at the threshold of any other pack, and keeps the shape of the curve', () => {
    const similarity = similarityOf({ ...PACK, thresholds: { identical: 0.12, sure: 0.08 } });
    assert.equal(similarity(0.12), 0.5);
    assert.ok(similarity(0.08) > 0.9 && similarity(0.08) < 0.92, String(similarity(0.08)));
    assert.equal(similarity(0), 1);
    assert.ok(similarity(0.3) < 0.01);
  });

  it('is 1 for a distance that rounding made negative', () => {
    assert.equal(similarityOf(facenet)(-1e-9), 1);
  });

  it('is fed squared distances', () => {
    assert.equal(squaredDistance(Float32Array.of(1, 0, 0), Float32Array.of(0, 1, 0)), 2);
  });
});

describe("CompreFace's similarity with a pack's curve", () => {
  const packs = [MEASURED_CURVE, PLAIN_CURVE].map((curve) => ({ ...PACK, curve }));

  it('says the FMR, the same in every pack', () => {
    for (const [rate, expected] of [
      [1e-2, 0.5],
      [1e-3, 0.82362],
      [1e-4, 0.95592],
      [1e-5, 0.99016],
      [1e-6, 0.99786],
      [0.1, 0.16818],
    ]) {
      for (const pack of packs) {
        const similarity = similarityOf(pack)(distanceAt(pack.curve, rate));
        assert.ok(Math.abs(similarity - expected) < 2e-5, `${similarity} is not ${expected}`);
      }
    }
  });

  it('lets a right face pass the thresholds that clients carry, and holds an impostor', () => {
    assert.ok(similarityAt(1e-5) >= 0.97);
    assert.ok(similarityAt(1e-2) <= 0.5);
    // The distance of a typical right face of the measured embedder, which its old formula would give 0.775.
    assert.ok(similarityOf(packs[0])(1.0) >= 0.97);
  });

  it('falls from 1 at distance 0 to 0, never rises and never jumps', () => {
    for (const pack of packs) {
      const similarity = similarityOf(pack);
      assert.deepEqual([similarity(0), similarity(-1e-9), similarity(4)], [1, 1, 0]);
      const row = Array.from({ length: 4001 }, (_, i) => similarity(i / 1000));
      for (const [i, value] of row.entries()) {
        assert.equal(value, Math.round(value * 1e5) / 1e5, 'five decimals');
        if (i === 0) continue;
        assert.ok(value <= row[i - 1] && row[i - 1] - value < 0.02, `${i}: ${row[i - 1]} to ${value}`);
      }
    }
  });

  it('is taken back to the FMR', () => {
    fc.assert(
      fc.property(fc.double({ min: 0.01, max: 0.999, noNaN: true }), (similarity) => {
        assert.ok(Math.abs(similarityAt(rateOfSimilarity(similarity)) - similarity) < 1e-9);
      }),
    );
    assert.ok(Math.abs(1 / rateOfSimilarity(0.9) - 2674) < 1);
  });

  it('holds for facenet as well, once it has a curve', () => {
    assert.equal(similarityOf({ ...facenet, curve: PLAIN_CURVE })(0.7), 0.5);
  });
});
