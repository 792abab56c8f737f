import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareAll, type Faces } from '../../src/accuracy/faces.js';
import {
  fillingRows,
  gallerySizes,
  type GallerySize,
  gatherSearches,
  REFERENCES,
  type Searches,
} from '../../src/accuracy/identification.js';
import { identificationOf } from '../../src/accuracy/error-rates.js';
import { apart, facesOf, type MadeFace } from './made-faces.js';

function search(faces: Faces, size: GallerySize): Searches {
  const { visit, finish } = gatherSearches(faces, size);
  compareAll(faces, faces.people + size.filling, [visit]);
  return finish();
}

/** Different values of a column, rounded, ascending. */
const values = (column: Float32Array) => [...new Set(Array.from(column, rounded))].sort((a, b) => a - b);
const rounded = (value: number) => Math.abs(Number(value.toFixed(4)));
const degrees = (...all: number[]) => all.map((angle) => rounded(apart(angle)));

/** Ken at 0, 10 and 20 degrees, Mai at 100, 110 and 120. */
const PEOPLE: MadeFace[] = [0, 10, 20, 100, 110, 120].map((angle) => [angle < 50 ? 'ken' : 'mai', angle]);

describe('one to many', () => {
  it('takes the nearest face, the mean of the faces, and the nearer of both', () => {
    const searches = search(facesOf(PEOPLE), { people: 2, faces: 2, filling: 0 });
    const [nearest, template, both] = REFERENCES.map((_, i) => values(searches.mated.own[i]));
    // Two of three are enrolled: the middle one lies on their mean, an outer one 15 degrees from it.
    assert.deepEqual(nearest, degrees(10));
    assert.deepEqual(template, degrees(0, 15));
    assert.deepEqual(both, degrees(0, 10));
    assert.equal(searches.mated.units.length, 2 * searches.galleries);
    assert.equal(searches.nonMated.units.length, 0);
  });

  it('tells the nearest other person of those enrolled, and everybody else as not enrolled', () => {
    const searches = search(facesOf(PEOPLE, [['aya', 60]]), { people: 1, faces: 2, filling: 0 });
    assert.ok(searches.mated.other.every((column) => column.every((distance) => distance === Infinity)));
    // Of each gallery: the other person's three pictures, and the stranger.
    assert.equal(searches.nonMated.units.length, 4 * searches.galleries);
    const stranger = searches.nonMated.units.indexOf(2);
    const found = rounded(searches.nonMated.distances[0][stranger]);
    assert.ok(degrees(40, 50).includes(found), `${found}`);
  });

  it('fills galleries with strangers of whom there is one picture, who are not asked for then', () => {
    const strangers: MadeFace[] = [
      ['aya', 60],
      ['rin', 70],
      ['yui', 200],
      ['heap 1', 210],
      ['heap 2', 220],
    ];
    const faces = facesOf(PEOPLE, strangers);
    assert.equal(fillingRows(faces), 2);
    const searches = search(faces, { people: 2, faces: 1, filling: 2 });
    assert.deepEqual([...new Set(searches.nonMated.units)].sort(), [4, 5, 6]);
    // Ken's nearest other is the stranger who is enrolled, at 60 degrees.
    const ofKen = Array.from(searches.mated.other[0]).filter((_, i) => searches.mated.units[i] === 0);
    assert.ok(ofKen.every((distance) => degrees(40, 50, 60).includes(rounded(distance))));
  });

  it('counts a picture without a face as a miss of somebody enrolled', () => {
    const searches = search(facesOf([...PEOPLE, ['ken', undefined]]), { people: 2, faces: 2, filling: 0 });
    assert.equal(searches.mated.units.length, 3 * searches.galleries);
    const lost = Array.from(searches.mated.own[2]).filter((distance) => distance === Infinity);
    assert.equal(lost.length, searches.galleries);
  });

  it('tries a quarter, half and all of those who have pictures enough', () => {
    const people = Array.from({ length: 8 }, (_, i) => [`p${i}`, 10 * i] as const);
    const faces = facesOf(
      [...people, ...people.slice(0, 4)],
      [
        ['aya', 180],
        ['rin', 190],
      ],
    );
    // Somebody with one picture can be enrolled, but not asked for.
    assert.deepEqual(gallerySizes(faces), [
      { people: 1, faces: 1, filling: 0 },
      { people: 2, faces: 1, filling: 0 },
      { people: 4, faces: 1, filling: 0 },
      { people: 4, faces: 1, filling: 1 },
    ]);
    assert.deepEqual(gallerySizes(facesOf(people)), []);
    // Without strangers half of the people stay outside.
    assert.deepEqual(
      gallerySizes(facesOf([...people, ...people]), 1).map((size) => size.people),
      [2, 4],
    );
  });
});

/** 1,000 searches of strangers at 0, 0.001, ...; four of people. */
function madeSearches(): Searches {
  const strangers = Float32Array.from({ length: 1000 }, (_, i) => i / 1000);
  const own = Float32Array.of(0.005, 0.02, 0.04, 0.002);
  const other = Float32Array.of(1, 1, 0.03, 0.001);
  return {
    size: { people: 4, faces: 1, filling: 0 },
    galleries: 1,
    nonMated: {
      units: Int32Array.from({ length: 1000 }, (_, i) => 4 + i),
      distances: REFERENCES.map(() => strangers),
    },
    mated: {
      units: Int32Array.of(0, 1, 2, 3),
      own: REFERENCES.map(() => own),
      other: REFERENCES.map(() => other),
    },
  };
}

describe('error rates of searches', () => {
  it('take the largest threshold that names so many strangers, and count who is not named rightly', () => {
    const { points } = identificationOf(madeSearches(), 'both', 1004);
    const told = points.map(({ level, threshold, fpir, fnir, misnamed }) => [
      ...[level, rounded(threshold), fpir, fnir, misnamed],
    ]);
    assert.deepEqual(told, [
      // Of the four the last is nearer to another, whatever the threshold.
      [0.001, 0.001, 0.001, 1, 0],
      [0.01, 0.01, 0.01, 0.75, 0.25],
      [0.05, 0.05, 0.05, 0.5, 0.5],
    ]);
  });

  it('tell a given threshold with its FPIR and both intervals', () => {
    const points = identificationOf(madeSearches(), 'both', 1004, [0.0295]).points.filter(
      ({ level }) => level === undefined,
    );
    assert.equal(points.length, 1);
    const [{ fpir, fnir, fpirInterval, fnirInterval }] = points;
    assert.deepEqual([fpir, fnir], [0.03, 0.5]);
    assert.ok(
      fpirInterval && fpirInterval.low < 0.03 && fpirInterval.high > 0.03 && fpirInterval.high < 0.05,
    );
    assert.ok(fnirInterval && fnirInterval.high - fnirInterval.low > 0.5);
  });

  it('leave out a level at which not half a stranger would be named', () => {
    const searches = madeSearches();
    const few = {
      units: searches.nonMated.units.slice(0, 60),
      distances: searches.nonMated.distances.map((column) => column.slice(0, 60)),
    };
    const { points } = identificationOf({ ...searches, nonMated: few }, 'both', 1004);
    assert.deepEqual(
      points.map(({ level }) => level),
      [0.01, 0.05],
    );
  });

  it('tell nothing where nobody is asked for who is not enrolled', () => {
    const nobody = { units: new Int32Array(0), distances: REFERENCES.map(() => new Float32Array(0)) };
    const { points, det } = identificationOf({ ...madeSearches(), nonMated: nobody }, 'both', 1004);
    assert.deepEqual([points, det], [[], []]);
  });
});
