import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { detectorAddon } from '../../src/vision/detectors/mtcnn-kernels.js';
import { sumTableOf } from '../support/sum-table.js';
import {
  anything,
  below,
  type Call,
  isRefused,
  type Numbers,
  random,
  wrongOnes,
} from '../support/wrong-arguments.js';

/** Numbers of the weights of P-, R- and O-Net. */
const LENGTHS = [6599, 100_049, 388_783];
const addon = detectorAddon as unknown as {
  kernels: () => string[];
  Cascade: new (...args: unknown[]) => Record<'scan' | 'score', Call>;
};

/** Arguments that fit, each array as long as it must be and no longer. */
const FITTING: Record<'scan' | 'score', () => unknown[]> = {
  scan() {
    const [pictureWidth, pictureHeight] = [12 + below(40), 12 + below(40)];
    const [width, height] = [12 + below(pictureWidth - 11), 12 + below(pictureHeight - 11)];
    const all = Math.ceil((height - 2) / 2) - 4;
    const row = below(all);
    const rows = 1 + below(all - row);
    return [
      ...[sumTableOf(pictureWidth, pictureHeight), pictureWidth, pictureHeight, width, height, row, rows],
      ...[0.01 + 0.98 * random(), new Float32Array(7 * below(30))],
    ];
  },
  score() {
    const [width, height, first, count] = [1 + below(60), 1 + below(60), below(3), below(17)];
    const regions = new Int32Array(4 * (first + count));
    for (let i = 0; i < regions.length; i += 4) {
      const [x, y] = [below(width), below(height)];
      regions.set([x, y, 1 + below(width - x), 1 + below(height - y)], i);
    }
    const side = below(2) === 0 ? 24 : 48;
    return [
      ...[sumTableOf(width, height), width, height, side, regions, first, count],
      new Float32Array(15 * (first + count)),
    ];
  },
};

const copied = (args: unknown[]) =>
  args.map((arg) => (ArrayBuffer.isView(arg) ? (arg as Numbers).slice() : arg));

describe('the addon for the detector', { skip: detectorAddon ? false : 'was not compiled here' }, () => {
  const weights = LENGTHS.map((length) => new Float32Array(length).map(() => (random() - 0.5) / 8));
  const cascades = addon.kernels().map((kernel) => new addon.Cascade(...weights, kernel));

  it('takes the weights of the three networks, whole, and a kernel that this machine has', () => {
    const right: unknown[] = [...weights, 'plain'];
    for (const place of [0, 1, 2])
      for (const wrong of [...wrongOnes(weights[place], false), new Float32Array(LENGTHS[place] + 1)])
        assert.ok(isRefused(() => new addon.Cascade(...right.with(place, wrong))));
    for (const wrong of [undefined, null, '', 'plain\0', 'PLAIN', 1, {}])
      assert.ok(isRefused(() => new addon.Cascade(...right.with(3, wrong))));
    assert.throws(() => cascades[0].scan.call({}, ...FITTING.scan()), TypeError);
  });

  for (const name of ['scan', 'score'] as const) {
    it(`${name} takes arrays that are just long enough, and refuses each argument that does not fit`, () => {
      for (let i = 0; i < 60; i++) {
        const args = FITTING[name]();
        const cascade = cascades[i % cascades.length];
        cascade[name](...copied(args));
        const place = below(args.length);
        // Any array is room for some windows, and of no pixels nothing is read.
        const isRoom = name === 'scan' && place === 8;
        const isWhole = name === 'score' || place !== 7;
        for (const [at, wrong] of wrongOnes(args[place], isWhole).entries()) {
          if (isRoom && wrong instanceof Float32Array) continue;
          assert.ok(
            isRefused(() => cascade[name](...copied(args).with(place, wrong))),
            `argument ${place + 1}, wrong one ${at}`,
          );
        }
      }
    });

    it(`${name} does a call or refuses it, whatever the arguments are`, () => {
      let refused = 0;
      const times = 2000;
      for (let i = 0; i < times; i++) {
        // Wholly made up, or right but for one or two.
        let args: unknown[] = Array.from({ length: below(12) }, anything);
        if (i % 4 !== 0) {
          args = FITTING[name]();
          for (let j = below(2); j >= 0; j--) args = args.with(below(args.length), anything());
        }
        if (isRefused(() => cascades[i % cascades.length][name](...args))) refused += 1;
      }
      assert.ok(refused > times / 2 && refused < times, `${refused} of ${times} refused`);
    });
  }

  it('score refuses a region that is empty or lies outside the picture', () => {
    const table = [sumTableOf(20, 10), 20, 10];
    for (const region of [
      ...[
        [0, 0, 0, 5],
        [0, 0, 5, 0],
        [-1, 0, 5, 5],
        [0, -1, 5, 5],
        [16, 0, 5, 5],
        [0, 6, 5, 5],
      ],
      ...[
        [2 ** 31 - 1, 0, 5, 5],
        [0, 0, 2 ** 31 - 1, 5],
      ],
    ])
      for (const cascade of cascades)
        assert.ok(
          isRefused(() => cascade.score(...table, 24, Int32Array.from(region), 0, 1, new Float32Array(15))),
          region.join(),
        );
  });

  it('scan never enlarges a picture, and a window is never so large that its sum runs over', () => {
    const [scan] = cascades.map((cascade) => cascade.scan.bind(cascade));
    const out = new Float32Array(700);
    const call = (width: number, height: number) =>
      isRefused(() => scan(sumTableOf(20, 20), 20, 20, width, height, 0, 1, 0.5, out));
    assert.deepEqual([call(21, 21), call(22, 21), call(21, 22)], [false, true, true]);
  });
});
