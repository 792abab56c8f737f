import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import sharp from 'sharp';
import { applies, countSearches, degrade } from '../../src/accuracy/conditions.js';
import { temporaryFolder } from '../support/temporary.js';

const WIDTH = 200;
const HEIGHT = 120;

/** Black, with white squares at the "eyes", 80 pixels apart. */
async function twoEyes(side: number): Promise<Buffer> {
  const pixels = Buffer.alloc(WIDTH * HEIGHT * 3);
  for (const centre of [60, 140]) {
    const left = centre - side / 2;
    for (let y = left - centre + 60; y < 60 + side / 2; y++) {
      pixels.fill(255, (y * WIDTH + left) * 3, (y * WIDTH + left + side) * 3);
    }
  }
  return await sharp(pixels, { raw: { width: WIDTH, height: HEIGHT, channels: 3 } })
    .png()
    .toBuffer();
}

/** Grey levels of a picture. */
async function levels(bytes: Uint8Array) {
  const { data, info } = await sharp(bytes).greyscale().raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

describe('pictures made worse', () => {
  it('from farther away: the eyes come to lie where they are asked for, in a frame of the old size', async (t) => {
    const file = path.join(await temporaryFolder(t), 'a.png');
    await writeFile(file, await twoEyes(16));
    const { data, width, height } = await levels(await degrade(file, { kind: 'eyes', pixels: 20 }, 80));
    assert.deepEqual([width, height], [WIDTH, HEIGHT]);
    // Of each half the middle of what is brighter than the frame.
    const middleOf = (from: number, to: number) => {
      const columns = Array.from(data.keys()).filter(
        (i) => data[i] > 150 && i % width >= from && i % width < to,
      );
      return columns.reduce((sum, i) => sum + (i % width), 0) / columns.length;
    };
    const eyes = middleOf(WIDTH / 2, WIDTH) - middleOf(0, WIDTH / 2);
    assert.ok(Math.abs(eyes - 20) < 0.6, `${eyes}`);
    assert.ok(Math.abs(data[0] - 128) <= 1, 'the frame is grey');
  });

  it('out of focus: what was sharp spreads by the sigma asked for', async (t) => {
    const file = path.join(await temporaryFolder(t), 'a.png');
    await writeFile(file, await twoEyes(4));
    const sigma = 4;
    const { data, width } = await levels(await degrade(file, { kind: 'blur', sigma: sigma / 80 }, 80));
    let [sum, mean, spread] = [0, 0, 0];
    // The left eye alone, across.
    for (let i = 0; i < data.length; i++) {
      if (i % width >= 100) continue;
      sum += data[i];
      mean += data[i] * (i % width);
    }
    mean /= sum;
    for (let i = 0; i < data.length; i++) {
      if (i % width < 100) spread += (data[i] * ((i % width) - mean) ** 2) / sum;
    }
    // A square of four pixels has a variance of 1.25 itself; whole grey levels cut the Gaussian's ends off.
    const measured = Math.sqrt(spread - 1.25);
    assert.ok(measured > 0.75 * sigma && measured < 1.1 * sigma, `${measured}`);
  });

  it('are the picture itself where nothing is done', async (t) => {
    const file = path.join(await temporaryFolder(t), 'a.png');
    const bytes = await twoEyes(4);
    await writeFile(file, bytes);
    assert.deepEqual(Buffer.from(await degrade(file, { kind: 'none' }, 80)), bytes);
  });

  it('are left out where a picture is as bad already', () => {
    assert.equal(applies({ kind: 'eyes', pixels: 20 }, 20), false);
    assert.equal(applies({ kind: 'eyes', pixels: 20 }, 21), true);
    assert.equal(applies({ kind: 'blur', sigma: 0.05 }, 4), false);
    assert.equal(applies({ kind: 'none' }, 1), true);
  });

  it('are counted as known, wrong and unknown; no face is unknown, and no stranger', () => {
    const search = (right: number | undefined, ...distances: number[]) => ({
      ...{ right, distances: distances.length > 0 ? Float32Array.from(distances) : undefined },
    });
    const searches = [
      ...[search(0, 0.2, 0.9), search(0, 0.9, 0.2), search(1, 0.6, 0.5), search(1)],
      ...[search(undefined, 0.4, 0.9), search(undefined, 0.5, 0.9), search(undefined)],
    ];
    const { mated, nonMated } = countSearches({ kind: 'none' }, searches, 0.5);
    assert.deepEqual(mated, { searches: 4, known: 1, wrong: 1, unknown: 2, faceless: 1 });
    assert.deepEqual(nonMated, { searches: 3, named: 1, faceless: 1 });
  });
});
