import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { chooseViews } from '../../../src/sightings/unknowns/best-views.js';

const LIMITS = { limit: 0.8, different: 0.01 };

const face = (degrees: number, score: number) => ({
  vector: Float32Array.of(Math.cos((degrees * Math.PI) / 180), Math.sin((degrees * Math.PI) / 180)),
  score,
});

describe('the faces of a stranger that are enrolled', () => {
  it('are three different views, the best face first', () => {
    const faces = [face(0, 5), face(1, 9), face(2, 4), face(25, 3), face(-25, 2), face(-24, 1)];
    const chosen = chooseViews(faces, LIMITS);
    assert.equal(chosen[0], 1);
    assert.deepEqual(chosen.slice(1).sort(), [3, 4]);
  });

  it('are fewer where all pictures are alike', () => {
    assert.deepEqual(chooseViews([face(0, 1), face(1, 3), face(2, 2)], LIMITS), [1]);
    assert.deepEqual(chooseViews([face(7, 1)], LIMITS), [0]);
    assert.deepEqual(chooseViews([], LIMITS), []);
  });

  it('are not those of somebody else who slipped into the group, however good', () => {
    const faces = [face(0, 1), face(3, 2), face(10, 3), face(6, 2), face(90, 99)];
    const chosen = chooseViews(faces, LIMITS);
    assert.ok(!chosen.includes(4), chosen.join());
    assert.ok(chosen.length >= 2);
  });
});
