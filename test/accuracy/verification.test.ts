import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareAll, type Faces } from '../../src/accuracy/faces.js';
import { gatherPairs, verify } from '../../src/accuracy/verification.js';
import { apart, facesOf } from './made-faces.js';

function pairsOf(faces: Faces) {
  const { visit, finish } = gatherPairs(faces);
  compareAll(faces, faces.people, [visit]);
  return finish();
}

const near = (found: ArrayLike<number>, wanted: readonly number[]) => {
  assert.equal(found.length, wanted.length);
  wanted.forEach((value, i) =>
    assert.ok(Math.abs(found[i] - value) < 1e-6, `${i}: ${found[i]}, not ${value}`),
  );
};

/** Ken at 0 and 10 degrees, Mai at 90 and 100. */
const PEOPLE = [
  ['ken', 0],
  ['ken', 10],
  ['mai', 90],
  ['mai', 100],
] as const;

describe('one to one', () => {
  it('compares two pictures of one person both ways, every two of different people once', () => {
    const { genuine, impostors } = pairsOf(facesOf(PEOPLE, [['aya', 50]]));
    near(genuine.distances, [apart(10), apart(10), apart(10), apart(10)]);
    near(impostors.nearest, [40, 40, 50, 50, 80, 90, 90, 100].map(apart));
    assert.equal(impostors.pairs, 8);
  });

  it('compares strangers with each other, but not those of a heap: two of them may be one person', () => {
    const faces = facesOf(PEOPLE.slice(0, 2), [
      ['aya', 40],
      ['heap 1', 60],
      ['heap 2', 61],
    ]);
    near(pairsOf(faces).impostors.nearest, [20, 21, 30, 40, 50, 51, 60, 61].map(apart));
  });

  it('counts as a false match what is below a threshold, not what is at it', () => {
    const { impostors } = pairsOf(facesOf(PEOPLE, [['aya', 50]]));
    const third = impostors.nearest[2];
    assert.equal(impostors.rateBelow(third), 2 / 8);
    assert.equal(impostors.rateBelow(third + 1e-6), 4 / 8);
    assert.equal(impostors.distanceAt(0.25), third);
    assert.equal(impostors.distanceAt(0.1), undefined);
    assert.equal(impostors.distanceAt(1), 4);
  });

  it('keeps apart what is enrolled and what is seen: the enrolled views of one, a single view of the other', () => {
    const faces = facesOf([
      ['ken', 0],
      ['ken', 10],
    ]);
    // Enrolled three degrees further on than seen.
    const enrolled = facesOf([
      ['ken', 3],
      ['ken', 13],
    ]).enrolled;
    near(pairsOf({ ...faces, enrolled }).genuine.distances, [apart(7), apart(13)]);
  });

  it('tells FNMR, TAR with failures to acquire, and the equal error rate', () => {
    // One genuine pair of 10 degrees, one of 60; two people who lie 30 degrees apart at the nearest.
    const faces = facesOf([
      ['ken', 0],
      ['ken', 10],
      ['mai', 40],
      ['mai', 100],
      ['mai', undefined],
    ]);
    const { points, fta, eer, pairs } = verify(faces, pairsOf(faces), [apart(35)]);
    assert.deepEqual(pairs, { genuine: 4, impostor: 4 });
    assert.equal(fta, 0.2);
    const [point] = points;
    assert.equal(points.length, 1);
    assert.deepEqual([point.fmr, point.fnmr, point.tar], [0.25, 0.5, 0.8 * 0.5]);
    assert.ok(eer !== undefined && eer >= 0.25 && eer <= 0.5);
  });

  it('weighs the pairs of every draw by its own people: where all pairs lie below, all rates are one', () => {
    const faces = facesOf(
      [...PEOPLE, ['rin', 140], ['rin', 150]],
      [
        ['aya', 50],
        ['heap 1', 60],
        ['heap 2', 70],
      ],
    );
    const [{ fmr, fmrInterval }] = verify(faces, pairsOf(faces), [3.99]).points;
    assert.equal(fmr, 1);
    assert.ok(fmrInterval);
    assert.ok(Math.abs(fmrInterval.low - 1) < 1e-9 && Math.abs(fmrInterval.high - 1) < 1e-9);
  });

  it('tells a level only where three pairs or more are behind it', () => {
    const circle = Array.from({ length: 90 }, (_, i) => [`p${i}`, 4 * i] as const);
    const faces = facesOf([...circle, ['p0', 1]]);
    const { points, pairs } = verify(faces, pairsOf(faces));
    assert.equal(pairs.impostor, (91 * 90) / 2 - 1);
    assert.deepEqual(
      points.map(({ level }) => level),
      [1e-2, 1e-3],
    );
  });

  it('gives no interval of nothing where nothing failed', () => {
    const faces = facesOf(PEOPLE, [['aya', 50]]);
    const [{ fnmr, fnmrInterval, fmr, fmrInterval }] = verify(faces, pairsOf(faces), [apart(20)]).points;
    assert.deepEqual([fnmr, fmr], [0, 0]);
    // Two people, eight pairs: three of fewer than three are all.
    assert.deepEqual(fnmrInterval, { low: 0, high: 1 });
    assert.deepEqual(fmrInterval, { low: 0, high: 3 / 8 });
  });
});
