import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AreaTable, type Region } from '../../src/vision/area.js';
import { pixelLoops } from '../../src/vision/pixels.js';
import type { Picture } from '../../src/vision/types.js';
import { seededPicture } from '../support/seeded-weights.js';

/** The definition: the mean of every input from floor(i n / out) to before ceil((i + 1) n / out). */
function byDefinition(
  { data, width: stride }: Picture,
  region: Region,
  width: number,
  height: number,
): number[] {
  const planes: number[] = [];
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        let sum = 0;
        let count = 0;
        const [top, bottom] = [
          Math.floor((y * region.height) / height),
          Math.ceil(((y + 1) * region.height) / height),
        ];
        const [left, right] = [
          Math.floor((x * region.width) / width),
          Math.ceil(((x + 1) * region.width) / width),
        ];
        for (let v = top; v < bottom; v++)
          for (let u = left; u < right; u++, count++)
            sum += data[((region.y + v) * stride + region.x + u) * 3 + c];
        planes.push(sum / count);
      }
  return planes;
}

function resampled(picture: Picture, region: Region, width: number, height: number): number[] {
  const table = new AreaTable();
  table.load(picture);
  const out = new Float32Array(3 * width * height);
  table.resample(region, width, height, out);
  return [...out];
}

const near = (actual: number[], expected: number[]) => {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) =>
    assert.ok(Math.abs(value - expected[i]) < 3e-5, `${i}: ${value} not ${expected[i]}`),
  );
};

describe('area resampling', () => {
  const picture = seededPicture('area', 37, 23, 1);
  const whole = { x: 0, y: 0, width: 37, height: 23 };

  it('averages the windows, which may share a pixel', () => {
    const row: Picture = { data: Uint8Array.of(10, 1, 2, 20, 1, 2, 60, 1, 2), width: 3, height: 1 };
    const all = { x: 0, y: 0, width: 3, height: 1 };
    assert.deepEqual(resampled(row, all, 2, 1), [15, 40, 1, 1, 2, 2]);
    assert.deepEqual(resampled(row, all, 3, 1).slice(0, 3), [10, 20, 60]);
    assert.deepEqual(resampled(row, all, 4, 1).slice(0, 4), [10, 15, 40, 60]);
  });

  it('is its definition at any size, smaller or larger, of the whole or of a part', () => {
    for (const [width, height] of [
      [13, 9],
      [37, 23],
      [50, 40],
      [1, 1],
      [36, 5],
    ]) {
      near(resampled(picture, whole, width, height), byDefinition(picture, whole, width, height));
    }
    for (const region of [
      { x: 5, y: 3, width: 24, height: 11 },
      { x: 36, y: 22, width: 1, height: 1 },
    ]) {
      near(resampled(picture, region, 24, 24), byDefinition(picture, region, 24, 24));
    }
  });

  it('writes a band of rows as it writes them among all', () => {
    const table = new AreaTable();
    table.load(picture);
    const out = new Float32Array(3 * 10 * 4 + 1);
    table.resample(whole, 10, 9, out, 1, { from: 3, to: 7 });
    const all = resampled(picture, whole, 10, 9);
    const band = [0, 1, 2].flatMap((c) => all.slice(c * 90 + 30, c * 90 + 70));
    assert.deepEqual([...out], [0, ...band]);
  });

  it('forgets the picture before, larger or smaller', () => {
    const table = new AreaTable();
    const small = seededPicture('small', 8, 8, 1);
    const out = new Float32Array(3 * 16);
    for (const next of [picture, small, picture, small]) {
      table.load(next);
      const region = { x: 0, y: 0, width: next.width, height: next.height };
      table.resample(region, 4, 4, out);
      near([...out], byDefinition(next, region, 4, 4));
    }
  });

  it('reads a decoded picture once, however often it comes, and a drawing each time', (t) => {
    const sumTable = t.mock.method(pixelLoops, 'sumTable');
    const table = new AreaTable();
    const [first, second] = [seededPicture('first', 24, 18, 1), seededPicture('second', 24, 18, 1)];
    for (const number of [1, 1, 2, 2, 1]) table.load({ ...first, number });
    assert.equal(sumTable.mock.callCount(), 3);
    for (const drawing of [first, first, second]) table.load(drawing);
    assert.equal(sumTable.mock.callCount(), 6);
    table.load({ ...first, number: 1 });
    assert.equal(sumTable.mock.callCount(), 7, 'a drawing came in between');
  });

  it('reads a large picture again once its memory was given back', (t) => {
    const sumTable = t.mock.method(pixelLoops, 'sumTable', () => undefined);
    const table = new AreaTable();
    const large = { data: new Uint8Array(0), width: 2500, height: 2000, number: 1 };
    table.load(large);
    table.trim();
    table.load(large);
    assert.equal(sumTable.mock.callCount(), 2);
  });

  it('holds where the sums outgrow 32 bits', () => {
    const [width, height] = [4500, 4000];
    const table = new AreaTable();
    table.load({ data: new Uint8Array(width * height * 3).fill(255), width, height });
    const out = new Float32Array(3 * 4);
    table.resample({ x: 0, y: 0, width, height }, 2, 2, out);
    assert.deepEqual([...out], new Array(12).fill(255));
    table.trim();
  });
});
