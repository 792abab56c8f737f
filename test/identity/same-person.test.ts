import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findStrangers, type Newcomer } from '../../src/identity/same-person.js';

const LIMIT = 0.5;
/** A unit vector at an angle, degrees: 40 degrees apart is a squared distance of 0.47, 45 of 0.59. */
const at = (degrees: number): Float32Array => {
  const radians = (degrees * Math.PI) / 180;
  return Float32Array.of(Math.cos(radians), Math.sin(radians));
};
const face = (degrees: number, more: Partial<Newcomer> = {}): Newcomer => ({
  embedding: at(degrees),
  picture: String(Math.random()),
  ...more,
});
const own = (distance: number) => ({ own: { face: 'f', distance } });
/** The places of those refused. */
const refused = (...faces: Newcomer[]) => [...findStrangers(faces, LIMIT).keys()].sort();

describe('Pictures of one person', () => {
  it('are taken when there is nothing to compare, or all are near', () => {
    assert.deepEqual(refused(), []);
    assert.deepEqual(refused(face(0)), []);
    assert.deepEqual(refused(face(0), face(10), face(30)), []);
  });

  it('refuse the one of somebody else, wherever it stands', () => {
    assert.deepEqual(refused(face(90), face(0), face(5)), [0]);
    assert.deepEqual(refused(face(0), face(90), face(5)), [1]);
    assert.deepEqual(refused(face(0), face(5), face(90)), [2]);
    const [[, stranger]] = findStrangers([face(0), face(10), face(100)], LIMIT);
    assert.ok(Math.abs(stranger.distance - 2) < 1e-6, 'to the nearer of the two');
    assert.deepEqual([stranger.undecided, stranger.face], [false, undefined]);
  });

  it('may be far from one another when others lie between them', () => {
    assert.deepEqual(refused(face(80), face(0), face(40)), []);
  });

  it('are all refused when they disagree and nobody can tell which is meant', () => {
    for (const faces of [
      [face(0), face(90)],
      [face(0), face(90), face(180)],
      [face(0), face(90), face(5), face(95)],
      [face(0), face(5), face(90), face(95), face(180)],
    ]) {
      const strangers = findStrangers(faces, LIMIT);
      assert.equal(strangers.size, faces.length);
      for (const { undecided, distance } of strangers.values()) {
        assert.ok(undecided);
        assert.ok(distance > LIMIT);
      }
    }
  });

  it('count once when one comes twice', () => {
    const twice = { picture: 'same' };
    assert.deepEqual(refused(face(90, twice), face(90, twice), face(0)), [0, 1, 2]);
    assert.deepEqual(refused(face(90, twice), face(90, twice), face(0), face(5)), [0, 1]);
  });

  it('are compared with the faces that the person has, which decide against any number of others', () => {
    assert.deepEqual(refused(face(0, own(0.1))), []);
    const [[, stranger]] = findStrangers([face(0, own(0.7))], LIMIT);
    assert.deepEqual(stranger, { distance: 0.7, face: 'f', undecided: false, isCorrected: false });
    assert.deepEqual(refused(face(0, own(1.9)), face(1, own(1.9)), face(90, own(0.2))), [0, 1]);
    assert.deepEqual(refused(face(0, own(0.2)), face(40, own(0.9))), [], 'one vouches for the next');
    assert.deepEqual(refused(face(0, own(LIMIT))), [0], 'at the threshold it is refused');
  });
});
