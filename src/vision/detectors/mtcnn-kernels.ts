import { loadAddon } from '../../platform/addon.js';
import type { MtcnnWeights } from '../../models/types.js';
import { type MtcnnEngine, SIDES } from './mtcnn-engine.js';

/** One instance of `native/detector`, for one thread. What does not fit is a RangeError. */
interface Cascade {
  /**
   * P-Net over rows of windows of the picture at width x height.
   * @param sums the picture's summed-area table (AreaTable)
   * @param out for each window of the least probability or above, or of NaN: column, row, probability, four sides; row
   *   by row
   * @returns how many there are: more than `out` has room for, and it holds nothing of use
   */
  scan(
    ...of: [
      ...[sums: Int32Array, pictureWidth: number, pictureHeight: number, width: number, height: number],
      ...[row: number, rows: number, threshold: number, out: Float32Array],
    ]
  ): number;
  /**
   * R-Net (side 24) or O-Net (48) over up to 16 regions.
   * @param regions x, y, width, height of each, from the `first` on
   * @param scores written: 15 numbers for each
   */
  score(
    ...of: [
      ...[sums: Int32Array, pictureWidth: number, pictureHeight: number, side: number, regions: Int32Array],
      ...[first: number, count: number, scores: Float32Array],
    ]
  ): void;
}

interface DetectorAddon {
  /** The names of what this machine can run, the fastest first. */
  kernels(): string[];
  Cascade: new (pnet: Float32Array, rnet: Float32Array, onet: Float32Array, kernel: string) => Cascade;
}

/** Undefined where it could not be compiled. */
export const detectorAddon = loadAddon('detector') as DetectorAddon | undefined;

/** Numbers of a window that `scan` writes. */
const WINDOW = 7;
/**
 * Rows are made one by one whatever the band's size, so that bands need not be small; but each makes eight rows of
 * pixels anew that lie in the one above, too.
 */
const BANDS = {
  alone: { pixels: 262_144, rows: 64, room: 2048 },
  shared: { pixels: 65_536, rows: 32, room: 1024 },
};

/**
 * The three networks in loops of our own.
 * @param asked `auto` or the name of a kernel
 * @returns why not, in a sentence, where they cannot be had
 */
export function openMtcnnKernels(weights: MtcnnWeights | undefined, asked: string): MtcnnEngine | string {
  if (!detectorAddon) return 'native/detector was not compiled (npm run setup says why)';
  if (!weights) return "MTCNN's networks are not those that this program builds";
  const here = detectorAddon.kernels();
  const kernels = asked === 'auto' ? here[0] : asked;
  if (!here.includes(kernels)) return `this machine has no ${asked}: it has ${here.join(', ')}`;
  const cascade = new detectorAddon.Cascade(weights.pnet, weights.rnet, weights.onet, kernels);
  let windows = new Float32Array(BANDS.alone.room * WINDOW);

  return {
    kernels,
    bands: BANDS,

    scan(table, { width, height, row, rows }, threshold, add) {
      const { sums, ...size } = table.share();
      const find = () =>
        cascade.scan(sums, size.width, size.height, width, height, row, rows, threshold, windows);
      let count = find();
      if (count * WINDOW > windows.length) {
        windows = new Float32Array(count * WINDOW);
        count = find();
      }
      for (let at = 0; at < count * WINDOW; at += WINDOW)
        add(windows[at], windows[at + 1], windows[at + 2], windows, at + 3, 1);
      if (windows.length > BANDS.alone.room * WINDOW) windows = new Float32Array(BANDS.alone.room * WINDOW);
      return Promise.resolve();
    },

    score(network, table, regions, first, count, scores) {
      const { sums, width, height } = table.share();
      cascade.score(sums, width, height, SIDES[network], regions, first, count, scores);
      return Promise.resolve();
    },

    release: () => Promise.resolve(),
  };
}
