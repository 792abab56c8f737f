import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  costOf,
  pairDistances,
  probe,
  proposeThresholds,
  thresholdFor,
} from '../../src/recognition/calibration.js';
import { unitVector } from '../support/app.js';

const face = (person: string, distance: number) => ({ person, embedding: unitVector(distance) });
/** Ken at 0 and 0.1 of the first axis, Mai far off at 1.9 and 2. */
const FACES = [face('ken', 0), face('ken', 0.1), face('mai', 1.9), face('mai', 2)];

describe('calibration', () => {
  it('compares every two faces once, and strangers with everybody but not with each other', () => {
    const { genuine, impostor } = pairDistances(FACES, [unitVector(0.5), unitVector(0.6)]);
    assert.equal(genuine.length, 2);
    assert.equal(impostor.length, 4 + 8);
    assert.ok(Math.abs(genuine[1] - 0.1) < 1e-6);
    assert.deepEqual([...impostor], [...impostor].sort());
  });

  it('counts what a threshold misses and confuses; a distance at the threshold is not below it', () => {
    const pairs = {
      genuine: Float64Array.of(0.1, 0.2, 0.3, 0.4),
      impostor: Float64Array.of(0.3, 0.5, 0.6, 0.7),
    };
    assert.deepEqual(costOf(0.3, pairs), { threshold: 0.3, missed: 0.5, confused: 0, confusedPairs: 0 });
    assert.deepEqual(costOf(0.31, pairs), {
      threshold: 0.31,
      missed: 0.25,
      confused: 0.25,
      confusedPairs: 1,
    });
  });

  it('proposes thresholds that keep to their odds', () => {
    const impostor = Float64Array.from({ length: 2000 }, (_, i) => 0.2 + i * 0.001);
    const pairs = { genuine: Float64Array.of(0.1), impostor };
    const { identical, sure } = proposeThresholds(pairs);
    assert.equal(identical, 0.2);
    assert.ok(costOf(identical, pairs).confused <= 1 / 1000);
    assert.equal(sure, 0.16);
    assert.equal(thresholdFor(0.5, pairs), 1.2);
    assert.equal(thresholdFor(0.5, { genuine: pairs.genuine, impostor: new Float64Array(0) }), 0);
  });

  it('probes a gallery of first pictures with the others and with strangers', () => {
    assert.deepEqual(probe(FACES, [unitVector(0.05), unitVector(1)], 0.2), {
      probes: 2,
      rightNearest: 2,
      named: 2,
      misnamed: 0,
      strangers: 2,
      strangersNamed: 1,
    });
    const mixed = [face('ken', 0), face('mai', 0.5), face('mai', 0.01)];
    assert.deepEqual(probe(mixed, [], 0.2), {
      probes: 1,
      rightNearest: 0,
      named: 0,
      misnamed: 1,
      strangers: 0,
      strangersNamed: 0,
    });
  });
});
