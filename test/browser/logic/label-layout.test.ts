import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Box } from '../../../src/browser/logic/geometry.js';
import { createLabelLayout, type Label, type Placement } from '../../../src/browser/logic/label-layout.js';

const CANVAS: Box = { x: 0, y: 0, width: 960, height: 540 };
const NAME = [
  { width: 84, height: 20 },
  { width: 66, height: 16 },
];
const FULL = [{ width: 130, height: 48 }, { width: 110, height: 26 }, NAME[1]];

const label = (track: number, face: Box, sizes = NAME, first = true): Label => ({
  track,
  face,
  sizes,
  first,
});

/** Numbers from 0 to 1, the same at each run (mulberry32). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

/** People anywhere, large and small, some of whom hide others and some of whom are cut by the edge. */
function crowd(count: number, seed: number): Label[] {
  const random = numbers(seed);
  return Array.from({ length: count }, (_, track) => {
    const width = 18 + random() * 70;
    const x = Math.max(0, random() * 960 - width / 2);
    const y = Math.max(0, random() * 540 - width / 2);
    const face = { x, y, width: Math.min(width, 960 - x), height: Math.min(width * 1.2, 540 - y) };
    return label(track, face, NAME, random() < 0.7);
  });
}

const overlap = (a: Box, b: Box) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height;

/** What is wrong with the places of some labels. */
function faults(labels: readonly Label[], places: readonly Placement[]): string[] {
  const found: string[] = [];
  for (const i of labels.keys()) {
    const place = places[i];
    if (place.form < 0) continue;
    const { track, sizes } = labels[i];
    assert.deepEqual({ width: place.width, height: place.height }, sizes[place.form]);
    const right = place.x + place.width;
    const bottom = place.y + place.height;
    if (place.x < -0.5 || place.y < -0.5 || right > 960.5 || bottom > 540.5) found.push(`${track} leaves`);
    for (const [k, other] of labels.entries()) {
      if (overlap(place, other.face)) found.push(`${track} over the face of ${other.track}`);
      if (k > i && places[k].form >= 0 && overlap(place, places[k]))
        found.push(`${track} over ${other.track}`);
    }
  }
  return found;
}

const placed = (labels: readonly Label[], places: readonly Placement[]) =>
  labels.filter((_, i) => places[i].form >= 0).length;

describe('the places of labels', () => {
  it('are over no face, over no other label and inside the canvas, in whatever crowd of 32', (t) => {
    let named = 0;
    let known = 0;
    for (let seed = 1; seed <= 200; seed++) {
      const labels = crowd(32, seed);
      const places = createLabelLayout().place(labels, CANVAS);
      assert.deepEqual(faults(labels, places), [], `crowd ${seed}`);
      const first = labels.filter((one) => one.first);
      known += first.length;
      named += first.filter((one) => places[labels.indexOf(one)].form >= 0).length;
    }
    t.diagnostic(`${((named / known) * 100).toFixed(1)} % of the known faces have their names`);
    // Some of these faces are hidden all around by others.
    assert.ok(named / known > 0.93, `${named} of ${known}`);
  });

  it('name all 32 people of a group picture', () => {
    const labels = Array.from({ length: 32 }, (_, i) => {
      const [column, row] = [i % 8, Math.floor(i / 8)];
      return label(i, { x: 30 + column * 116, y: 40 + row * 125, width: 56, height: 68 });
    });
    const places = createLabelLayout().place(labels, CANVAS);
    assert.equal(placed(labels, places), 32);
    assert.deepEqual(faults(labels, places), []);
    assert.ok(
      places.every(({ line }) => !line),
      'each beside its face',
    );
  });

  it('stay where they are while faces tremble', () => {
    const layout = createLabelLayout();
    const labels = crowd(20, 5);
    const random = numbers(7);
    layout.place(labels, CANVAS);
    // A label that has just been placed may yet find a better form.
    const offsets = () =>
      layout
        .place(labels, CANVAS)
        .map(({ x, y, form }, i) =>
          form < 0 || i >= labels.length ? undefined : [x - labels[i].face.x, y - labels[i].face.y],
        );
    let before = offsets();
    let moved = 0;
    for (let drawing = 0; drawing < 100; drawing++) {
      for (const { face } of labels) {
        face.x = Math.max(0, face.x + random() - 0.5);
        face.y = Math.max(0, face.y + random() - 0.5);
      }
      const now = offsets();
      for (const [i, offset] of now.entries()) {
        const old = before[i];
        if (!offset || !old) continue;
        if (Math.hypot(offset[0] - old[0], offset[1] - old[1]) > 4) moved += 1;
      }
      before = now;
      assert.deepEqual(faults(labels, layout.place(labels, CANVAS)), []);
    }
    assert.ok(moved <= 20, `${moved} jumps in 2000`);
  });

  it('take a shorter form where there is no room for more, and the full one again when there is', () => {
    const layout = createLabelLayout();
    const face = { x: 425, y: 240, width: 110, height: 130 };
    const tight: Box = { x: 420, y: 206, width: 120, height: 200 };
    assert.equal(layout.place([label(1, face, FULL)], tight)[0].form, 1);
    assert.equal(layout.place([label(1, face, FULL)], CANVAS)[0].form, 0);
  });

  it('go farther away, with a line to the face, before they are left out', () => {
    // The face in the middle is walled in by faces that have no labels.
    const wall = [];
    for (let i = 0; i < 9; i++) {
      if (i === 4) continue;
      const [column, row] = [i % 3, Math.floor(i / 3)];
      wall.push(label(10 + i, { x: 380 + column * 62, y: 150 + row * 62, width: 60, height: 60 }, []));
    }
    wall.splice(1, 1);
    const inner = label(1, { x: 442, y: 212, width: 60, height: 60 });
    const places = createLabelLayout().place([inner, ...wall], CANVAS);
    const [place] = places;
    assert.equal(place.line, true);
    assert.deepEqual(faults([inner, ...wall], places), []);
    assert.ok(place.toX >= 442 && place.toX <= 502 && place.toY >= 212 && place.toY <= 272);
  });

  it('leave a label out when a face fills the picture', () => {
    const [place] = createLabelLayout().place([label(1, CANVAS)], CANVAS);
    assert.equal(place.form, -1);
  });

  it('make room for names: an unknown face never takes a known one’s place', () => {
    const layout = createLabelLayout();
    const narrow: Box = { x: 0, y: 0, width: 300, height: 84 };
    const stranger = label(1, { x: 100, y: 24, width: 60, height: 60 }, NAME, false);
    const ken = label(2, { x: 165, y: 24, width: 60, height: 60 });
    assert.ok(layout.place([stranger], narrow)[0].form >= 0);
    const together = layout.place([stranger, ken], narrow);
    assert.ok(together[1].form >= 0);
  });
});
