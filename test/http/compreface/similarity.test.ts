import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { similarityOf } from '../../../src/http/routes/compreface/similarity.js';
import { squaredDistance } from '../../../src/recognition/distance.js';
import { PACK } from '../../support/app.js';

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
