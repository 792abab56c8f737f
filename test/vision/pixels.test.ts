import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { AreaTable } from '../../src/vision/area.js';
import { nativeLoops, type PixelLoops, scriptedLoops } from '../../src/vision/pixels.js';
import { Resampler } from '../../src/vision/resample.js';
import { warpPicture } from '../../src/vision/warp.js';
import { seededPicture } from '../support/seeded-weights.js';
import { seededRandom } from '../support/vectors.js';

/** Sizes from one pixel to more than any register holds, and odd ones. */
const SIZES = [
  [1, 1],
  [2, 3],
  [5, 1],
  [16, 16],
  [37, 23],
  [131, 67],
] as const;

/** What the loops are given by those who call them. */
function recorded(work: () => void): { name: keyof PixelLoops; args: unknown[] }[] {
  const calls: { name: keyof PixelLoops; args: unknown[] }[] = [];
  const loops = nativeLoops ?? scriptedLoops;
  const kept = { ...loops };
  for (const name of Object.keys(scriptedLoops) as (keyof PixelLoops)[]) {
    const original = kept[name].bind(loops) as (...args: unknown[]) => unknown;
    const recorder = (...args: unknown[]) => {
      calls.push({ name, args: copied(args) });
      return original(...args);
    };
    Object.assign(loops, { [name]: recorder });
  }
  try {
    work();
  } finally {
    Object.assign(loops, kept);
  }
  return calls;
}

/** Arguments as they are at this moment. */
const copied = (args: unknown[]) =>
  args.map((arg) => {
    // A slice of shared memory is a copy; a structured clone of it is not.
    if (arg instanceof Int32Array || arg instanceof Float32Array || arg instanceof Uint8Array)
      return arg.slice();
    return arg;
  });

describe('the loops over pixels', { skip: nativeLoops ? false : 'needs a compiler' }, () => {
  it('give compiled what they give in JavaScript, to the last bit', () => {
    const random = seededRandom(11);
    const below = (n: number) => Math.floor(random() * n);
    let compared = 0;
    for (const [width, height] of SIZES) {
      const picture = seededPicture('pixels', width, height, 1);
      const calls = recorded(() => {
        const table = new AreaTable();
        table.load(picture);
        const resampler = new Resampler();
        for (let i = 0; i < 20; i++) {
          const [x, y] = [below(width), below(height)];
          const part = { x, y, width: 1 + below(width - x), height: 1 + below(height - y) };
          const [toWidth, toHeight] = [1 + below(60), 1 + below(60)];
          const rows = { from: below(toHeight), to: toHeight };
          table.resample(part, toWidth, toHeight, new Float32Array(3 * toWidth * toHeight + 7), 7, rows);
          resampler.resize(picture, part, toWidth, toHeight, new Uint8Array(3 * toWidth * toHeight));
          // Smaller, as large and larger; turned; half outside, and wholly.
          const [turn, scale, side] = [random() * 7, 0.2 + random() * 4, 1 + below(30)];
          const place = {
            a: scale * Math.cos(turn),
            b: scale * Math.sin(turn),
            x: below(width),
            y: below(height),
          };
          warpPicture(picture, place, side, new Uint8Array(3 * side * side));
        }
      });
      for (const { name, args } of calls) {
        const [native, scripted] = [copied(args), copied(args)];
        const answers = [nativeLoops, scriptedLoops].map((loops, i) =>
          (loops?.[name] as (...args: unknown[]) => unknown)(...[native, scripted][i]),
        );
        assert.equal(answers[0], answers[1]);
        // What lies behind the table is nobody's.
        if (name === 'sumTable')
          for (const { 3: sums } of [native, scripted]) (sums as Int32Array).fill(0, -1);
        assert.deepEqual(native, scripted, `${name} of ${width}x${height}`);
        compared += 1;
      }
    }
    assert.ok(compared > 300);
  });
});
