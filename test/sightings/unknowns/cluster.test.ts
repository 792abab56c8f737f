import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createRandom, drawSome } from '../../../src/accuracy/bootstrap.js';
import { type Clusters, createClusters, MOST_JOINED } from '../../../src/sightings/unknowns/cluster.js';

const LENGTH = 64;
const LIMITS = { single: 0.8, many: 0.85 };

/** A vector of unit length near `centre`: squared L2 to it about `spread`² for small ones. */
function near(centre: Float32Array, spread: number, random: () => number): Float32Array {
  const step = spread / Math.sqrt(centre.length / 3);
  return unit(centre.map((value) => value + (2 * random() - 1) * step));
}

function unit(vector: Float32Array): Float32Array {
  const length = Math.hypot(...vector);
  return vector.map((value) => value / length);
}

/** Along one axis, with the rest along another: two of these at angles a and b are 2 - 2 cos(a - b) apart. */
function turned(degrees: number): Float32Array {
  const vector = new Float32Array(LENGTH);
  vector[0] = Math.cos((degrees * Math.PI) / 180);
  vector[1] = Math.sin((degrees * Math.PI) / 180);
  return vector;
}

function open({ most = 1000, length = LENGTH, limits = LIMITS } = {}): {
  clusters: Clusters;
  place: (vector: Float32Array) => ReturnType<Clusters['place']>;
} {
  const clusters = createClusters({ length, limitsFor: () => limits, most });
  let made = 0;
  return { clusters, place: (vector) => clusters.place(vector, () => (made += 1)) };
}

/** Who is with whom, whatever the groups are called. */
function partition(faces: readonly { who: number; vector: Float32Array }[]): string {
  const { place } = open();
  const of = new Map<number, number[]>();
  for (const { who, vector } of faces) {
    const { id, joined } = place(vector);
    of.set(id, [...(of.get(id) ?? []), who, ...joined.flatMap((gone) => of.get(gone) ?? [])]);
    for (const gone of joined) of.delete(gone);
  }
  return [...of.values()]
    .map((list) => list.sort((a, b) => a - b).join())
    .sort()
    .join(' ');
}

describe('groups of strangers', () => {
  it('keeps each stranger in one group, in whatever order they come', () => {
    const random = createRandom(5);
    const faces = Array.from({ length: 20 }, (_, who) => {
      const centre = unit(Float32Array.from({ length: LENGTH }, () => random() - 0.5));
      return Array.from({ length: 6 }, () => ({ who, vector: near(centre, 0.55, random) }));
    }).flat();
    const wanted = Array.from({ length: 20 }, (_, who) => Array.from({ length: 6 }, () => who).join()).sort();
    for (let order = 0; order < 10; order++)
      assert.equal(partition(drawSome(faces, faces.length, random)), wanted.join(' '));
  });

  it('is not led from one person to the next by faces in between', () => {
    // Each is near the one before, and the last is the opposite of the first.
    const { place } = open();
    const groups = Array.from({ length: 13 }, (_, i) => place(turned(i * 15)).id);
    assert.ok(new Set(groups).size >= 3, `all are in ${new Set(groups).size} groups`);
  });

  it('says how near a face came to the group that it is in', () => {
    const { place } = open();
    assert.deepEqual(place(turned(0)), { id: 1, distance: undefined, joined: [] });
    const { id, distance = 0 } = place(turned(20));
    assert.equal(id, 1);
    assert.ok(Math.abs(distance - (2 - 2 * Math.cos(Math.PI / 9))) < 1e-6);
  });

  it('joins two groups when a face shows that they are one person; the larger keeps its ID', () => {
    const { clusters, place } = open();
    place(turned(-30));
    place(turned(30));
    place(turned(31));
    assert.equal(clusters.size(), 2);
    const placed = place(turned(8));
    assert.deepEqual([placed.id, placed.joined], [2, [1]]);
    assert.equal(clusters.size(), 1);
    assert.equal(clusters.read(2)?.count, 4);
    assert.equal(clusters.has(1), false);
  });

  it('lets the older one of two equals keep its ID', () => {
    const { place } = open();
    place(turned(-30));
    place(turned(30));
    place(turned(30.5));
    const placed = place(turned(-10));
    assert.deepEqual([placed.id, placed.joined], [1, [2]]);
  });

  it('joins no group by itself about which somebody has decided, but takes a face into it', () => {
    const { clusters, place } = open();
    clusters.put(50, turned(-30), 1, true);
    place(turned(30));
    const placed = place(turned(-4));
    assert.deepEqual([placed.id, placed.joined], [50, []]);
    assert.equal(clusters.size(), 2);
  });

  it('joins no two groups by itself that both have many faces', () => {
    for (const faces of [MOST_JOINED, MOST_JOINED + 1]) {
      const { clusters, place } = open();
      const times = (vector: Float32Array) => vector.map((value) => value * faces);
      clusters.put(50, times(turned(-23)), faces);
      clusters.put(51, times(turned(23)), faces);
      place(turned(-20));
      assert.equal(clusters.size(), faces > MOST_JOINED ? 2 : 1);
    }
  });

  it('forgets the group that was touched longest ago when there are too many', () => {
    const { clusters, place } = open({ most: 3, limits: { single: 0.01, many: 0.01 } });
    for (const degrees of [0, 40, 80]) place(turned(degrees));
    place(turned(0));
    place(turned(120));
    assert.deepEqual(
      [1, 2, 3, 4].map((id) => clusters.has(id)),
      [true, false, true, true],
    );
    assert.equal(clusters.size(), 3);
    // Whatever was moved in memory is where it says it is.
    assert.equal(place(turned(80)).id, 3);
    assert.equal(place(turned(120)).id, 4);
    assert.equal(place(turned(0)).id, 1);
  });

  it('takes a group as it is elsewhere, and lets go of one', () => {
    const { clusters, place } = open();
    place(turned(0));
    place(turned(90));
    clusters.put(1, turned(180), 1);
    clusters.put(2, turned(90), 1);
    assert.notEqual(place(turned(0)).id, 1);
    assert.equal(place(turned(179)).id, 1);
    clusters.remove(1);
    clusters.remove(1);
    assert.equal(clusters.has(1), false);
    assert.equal(place(turned(90)).id, 2);
    assert.deepEqual(clusters.read(2)?.sum.slice(0, 2), Float32Array.of(turned(90)[0] * 2, 2));
    assert.equal(clusters.read(1), undefined);
  });

  it('holds thousands of groups', () => {
    const random = createRandom(3);
    const { clusters, place } = open({ most: 2500, length: 67 });
    const all = Array.from({ length: 3000 }, () =>
      unit(Float32Array.from({ length: 67 }, () => random() - 0.5)),
    );
    for (const vector of all) place(vector);
    const ids = all.slice(-1000).map((vector) => place(vector).id);
    assert.ok(clusters.size() <= 2500);
    assert.equal(new Set(ids).size, 1000);
  });
});
