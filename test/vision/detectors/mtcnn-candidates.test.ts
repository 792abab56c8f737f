import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Candidates } from '../../../src/vision/detectors/mtcnn-candidates.js';

type Row = [x1: number, y1: number, x2: number, y2: number, probability: number];

function candidates(rows: Row[], move = [0, 0, 0, 0]): Candidates {
  const boxes = new Candidates();
  for (const [x1, y1, x2, y2, probability] of rows) {
    boxes.add({ x1, y1, x2, y2 }, probability, Float32Array.from(move), 0, 1);
  }
  return boxes;
}

const rowsOf = (boxes: Candidates) =>
  boxes.detections().map(({ box, probability }) => [box.x1, box.y1, box.x2, box.y2, probability]);

describe('candidates', () => {
  const big: Row = [0, 0, 10, 10, 0.5];
  const inside: Row = [0, 0, 10, 5, 0.75];
  const apart: Row = [20, 0, 30, 10, 0.25];

  it('suppress what overlaps a more probable one by more than the threshold', () => {
    const suppressed = (threshold: number, of: 'union' | 'smaller') => {
      const boxes = candidates([big, inside, apart]);
      boxes.suppress(threshold, of);
      return rowsOf(boxes);
    };
    assert.deepEqual(suppressed(0.5, 'union'), [inside, big, apart], 'exactly the threshold is kept');
    assert.deepEqual(suppressed(0.49, 'union'), [inside, apart]);
    assert.deepEqual(suppressed(0.99, 'smaller'), [inside, apart], 'the smaller lies wholly in the larger');
  });

  it('count both end pixels where the reference does: touching boxes overlap by one', () => {
    const boxes = candidates([
      [0, 0, 10, 10, 0.75],
      [10, 0, 12, 10, 0.5],
    ]);
    boxes.suppress(0.3, 'union');
    assert.equal(boxes.count, 2);
    boxes.suppress(0.33, 'smaller');
    assert.equal(boxes.count, 1);
  });

  it('suppress only from a row on, and keep the order of equals', () => {
    const boxes = candidates([big, big, [50, 50, 60, 60, 0.5], [50, 50, 60, 60.5, 0.5]]);
    boxes.suppress(0.5, 'union', 1);
    assert.deepEqual(rowsOf(boxes), [big, big, [50, 50, 60, 60, 0.5]]);
  });

  it('move and square boxes', () => {
    const moves = [0.5, -0.5, 0, 1];
    const exclusive = candidates([[0, 10, 10, 30, 0.5]], moves);
    exclusive.regress(false);
    assert.deepEqual(rowsOf(exclusive), [[5, 0, 10, 50, 0.5]]);
    const inclusive = candidates([[0, 10, 9, 29, 0.5]], moves);
    inclusive.regress(true);
    assert.deepEqual(rowsOf(inclusive), [[5, 0, 9, 49, 0.5]]);
    inclusive.square();
    assert.deepEqual(rowsOf(inclusive), [[-17.5, 0, 31.5, 49, 0.5]]);
  });

  it('take their pixels from the picture alone', () => {
    const picture = { width: 20, height: 10 };
    const region = { x: -1, y: -1, width: -1, height: -1 };
    const boxes = candidates([
      [3.9, 2.9, 8.9, 7.9, 1],
      [-5.5, -2, 40, 40, 1],
      [25, 0, 40, 9, 1],
      [-9, 0, 0.9, 5, 1],
    ]);
    assert.ok(boxes.region(0, picture, region));
    assert.deepEqual(region, { x: 2, y: 1, width: 6, height: 6 });
    assert.ok(boxes.region(1, picture, region));
    assert.deepEqual(region, { x: 0, y: 0, width: 20, height: 10 });
    assert.ok(!boxes.region(2, picture, region));
    assert.ok(!boxes.region(3, picture, region));
  });

  it('place landmarks by the box they were found in', () => {
    const boxes = candidates([[10, 20, 29, 59, 1]]);
    const landmarks = Float32Array.of(0, 0.25, 0.5, 0.75, 1, 0, 0.25, 0.5, 0.75, 1);
    boxes.setScores(0, Float32Array.of(0.5, 0, 0, 0, 0, ...landmarks), 0);
    boxes.placeLandmarks();
    const [face] = boxes.detections();
    assert.equal(face.probability, 0.5);
    assert.deepEqual([...(face.landmarks ?? [])], [9, 19, 14, 29, 19, 39, 24, 49, 29, 59]);
  });

  it('grow without end and keep what they hold', () => {
    const rows = Array.from({ length: 1000 }, (_, i): Row => [i * 20, 0, i * 20 + 10, 10, (1000 - i) / 1024]);
    const boxes = candidates(rows);
    boxes.suppress(0.5, 'union');
    boxes.keepAbove(0.25);
    assert.deepEqual(
      rowsOf(boxes),
      rows.filter((row) => row[4] > 0.25),
    );
    boxes.clear();
    assert.equal(boxes.count, 0);
  });
});
