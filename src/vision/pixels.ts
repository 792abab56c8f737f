import { loadAddon } from '../platform/addon.js';
import { blockSums } from './jpeg-blocks.js';

/**
 * The loops over all pixels of a frame, and over the blocks of a JPEG. They are compiled (native/pixels) where `npm run setup` could, three
 * times as fast, and stand here as well, as their definition and for everybody else. Arguments are plain numbers and
 * arrays: they cross into native code.
 */
export interface PixelLoops {
  /**
   * A summed-area table, modulo 2^32: `sums[((y + 1) * (width + 1) + x + 1) * 3 + c]` is the sum of channel c over the
   * rectangle from the picture's first pixel to (x, y).
   * @param data RGB, interleaved, `width * height * 3` bytes
   * @param sums written; one number longer than the table
   */
  sumTable(data: Uint8Array, width: number, height: number, sums: Int32Array): void;
  /**
   * Means of windows, see `AreaTable.resample`.
   * @param line numbers in a row of the table
   * @param corner index in it of the region's first pixel
   * @param from for each column of the output the first column of its window, times 3
   * @param to the column behind its last, times 3
   * @param rowFrom of the output, to before `rowTo`
   * @param out three planes of `width * (rowTo - rowFrom)` from `start` on
   */
  areaMeans(
    ...of: [
      ...[sums: Int32Array, line: number, corner: number, from: Int32Array, to: Int32Array, width: number],
      ...[rowFrom: number, rowTo: number, regionHeight: number, height: number],
      ...[out: Float32Array, start: number],
    ]
  ): void;
  /**
   * Pillow's two passes, see `Resampler.resize`.
   * @param stride pixels in a row of the picture
   * @param corner index in it of the part's first pixel
   * @param columns `width * rectHeight * 3` bytes in between
   * @param out `width * height * 3` bytes
   */
  triangle(
    ...of: [
      ...[data: Uint8Array, stride: number, corner: number, rectHeight: number],
      ...[firstAcross: Int32Array, countAcross: Int32Array, across: Int32Array, tapsAcross: number],
      ...[firstDown: Int32Array, countDown: Int32Array, down: Int32Array, tapsDown: number],
      ...[width: number, height: number, columns: Uint8Array, out: Uint8Array],
    ]
  ): void;
  /**
   * A square out of a turned, scaled and moved picture, see `warpPicture`: its pixel (x, y) is taken about
   * (a x - b y + x0, b x + a y + y0). Whole coordinates are the middles of pixels; outside the picture all is black.
   * @param data RGB, interleaved, `width * height * 3` bytes
   * @param weights for each {@link PHASES} of a pixel that a place lies beyond a whole one `taps` weights, in sum
   *   2^{@link WARP_PRECISION}, of the pixels from `taps / 2 - 1` before that whole one on, across and down
   * @param taps 0: bilinear, in float64
   * @param out `size * size * 3` bytes; written whole
   * @returns whether the square meets the picture
   */
  warp(
    ...of: [
      ...[data: Uint8Array, width: number, height: number],
      ...[a: number, b: number, x0: number, y0: number],
      ...[weights: Int32Array, taps: number, size: number, out: Uint8Array],
    ]
  ): boolean;
  /** See jpeg-blocks.ts. */
  blockSums: typeof blockSums;
}

/** A filtered sample's place is rounded to so many parts of a pixel. */
export const PHASES = 256;
/** 32 bits less 8 for the pixel, twice this for two weights, less 4 that a row's sum is rounded by, less 2. */
export const WARP_PRECISION = 13;
const WARP_SHIFT = 2 * WARP_PRECISION - 4;

/** Pillow keeps filter weights as whole numbers of 2^-22: 32 bits less 8 for the pixel less 2 for the sum. */
export const PRECISION = 22;
const ROUND = 1 << (PRECISION - 1);

/** In JavaScript. */
export const scriptedLoops: PixelLoops = {
  sumTable(data, width, height, sums) {
    const line = (width + 1) * 3;
    sums.fill(0, 0, line);
    for (let y = 1, from = 0; y <= height; y++) {
      let at = y * line;
      sums[at] = sums[at + 1] = sums[at + 2] = 0;
      at += 3;
      let red = 0;
      let green = 0;
      let blue = 0;
      for (let x = 0; x < width; x++, from += 3, at += 3) {
        red += data[from];
        green += data[from + 1];
        blue += data[from + 2];
        sums[at] = red + sums[at - line];
        sums[at + 1] = green + sums[at - line + 1];
        sums[at + 2] = blue + sums[at - line + 2];
      }
    }
  },

  areaMeans(sums, line, corner, from, to, width, rowFrom, rowTo, regionHeight, height, out, start) {
    const plane = width * (rowTo - rowFrom);
    let at = start;
    for (let y = rowFrom; y < rowTo; y++) {
      const low = Math.floor((y * regionHeight) / height);
      const high = Math.ceil(((y + 1) * regionHeight) / height);
      const upper = corner + low * line;
      const lower = corner + high * line;
      for (let x = 0; x < width; x++, at++) {
        const left = from[x];
        const right = to[x];
        // Three numbers a column: the window is (right - left) / 3 wide.
        const scale = 3 / ((high - low) * (right - left));
        const a = upper + left;
        const b = upper + right;
        const c = lower + left;
        const d = lower + right;
        out[at] = ((sums[d] - sums[b] - sums[c] + sums[a]) >>> 0) * scale;
        out[at + plane] = ((sums[d + 1] - sums[b + 1] - sums[c + 1] + sums[a + 1]) >>> 0) * scale;
        out[at + 2 * plane] = ((sums[d + 2] - sums[b + 2] - sums[c + 2] + sums[a + 2]) >>> 0) * scale;
      }
    }
  },

  triangle(data, stride, corner, rectHeight, ...more) {
    const [firstAcross, countAcross, across, tapsAcross, firstDown, countDown, down, tapsDown] = more;
    const [, , , , , , , , width, height, columns, out] = more;
    for (let y = 0, to = 0; y < rectHeight; y++) {
      const row = corner + y * stride * 3;
      for (let x = 0; x < width; x++, to += 3) {
        let from = row + firstAcross[x] * 3;
        let red = ROUND;
        let green = ROUND;
        let blue = ROUND;
        const start = x * tapsAcross;
        for (let tap = start; tap < start + countAcross[x]; tap++, from += 3) {
          const weight = across[tap];
          red += data[from] * weight;
          green += data[from + 1] * weight;
          blue += data[from + 2] * weight;
        }
        columns[to] = red >> PRECISION;
        columns[to + 1] = green >> PRECISION;
        columns[to + 2] = blue >> PRECISION;
      }
    }
    const line = width * 3;
    for (let y = 0, to = 0; y < height; y++) {
      const first = firstDown[y] * line;
      const start = y * tapsDown;
      const end = start + countDown[y];
      for (let x = 0; x < line; x++, to++) {
        let sum = ROUND;
        let from = first + x;
        for (let tap = start; tap < end; tap++, from += line) sum += columns[from] * down[tap];
        out[to] = sum >> PRECISION;
      }
    }
  },

  warp(data, width, height, a, b, x0, y0, weights, taps, size, out) {
    let isInside = false;
    out.fill(0);
    for (let y = 0, to = 0; y < size; y++) {
      for (let x = 0; x < size; x++, to += 3) {
        const centreX = a * x - b * y + x0;
        const centreY = b * x + a * y + y0;
        const sample = taps > 0 ? filtered : bilinear;
        if (sample(data, width, height, centreX, centreY, weights, taps, out, to)) isInside = true;
      }
    }
    return isInside;
  },

  blockSums,
};

type Sample = (
  ...of: [
    ...[data: Uint8Array, width: number, height: number, x: number, y: number],
    ...[weights: Int32Array, taps: number, out: Uint8Array, to: number],
  ]
) => boolean;

/** @returns whether the place lies in the picture, or less than a pixel outside */
const bilinear: Sample = (data, width, height, x, y, _weights, _taps, out, to) => {
  const left = Math.floor(x);
  const top = Math.floor(y);
  // Also where a place is no number.
  if (!(left >= -1 && top >= -1 && left < width && top < height)) return false;
  const fx = x - left;
  const fy = y - top;
  const upper = (top * width + left) * 3;
  const lower = upper + width * 3;
  const isLeft = left >= 0;
  const isRight = left + 1 < width;
  const isUpper = top >= 0;
  const isLower = top + 1 < height;
  for (let c = 0; c < 3; c++) {
    const above =
      (isUpper && isLeft ? data[upper + c] : 0) * (1 - fx) +
      (isUpper && isRight ? data[upper + 3 + c] : 0) * fx;
    const below =
      (isLower && isLeft ? data[lower + c] : 0) * (1 - fx) +
      (isLower && isRight ? data[lower + 3 + c] : 0) * fx;
    out[to + c] = above * (1 - fy) + below * fy + 0.5;
  }
  return true;
};

const filtered: Sample = (data, width, height, x, y, weights, taps, out, to) => {
  const atX = Math.floor(x * PHASES + 0.5);
  const atY = Math.floor(y * PHASES + 0.5);
  const reach = (taps / 2) * PHASES;
  const isNear = (at: number, length: number) => at > -reach && at < (length - 1) * PHASES + reach;
  if (!isNear(atX, width) || !isNear(atY, height)) return false;
  const left = (atX >> 8) - taps / 2 + 1;
  const top = (atY >> 8) - taps / 2 + 1;
  const across = (atX & 255) * taps;
  const down = (atY & 255) * taps;
  const [fromX, toX] = [Math.max(0, -left), Math.min(taps, width - left)];
  const [fromY, toY] = [Math.max(0, -top), Math.min(taps, height - top)];
  let red = 1 << (WARP_SHIFT - 1);
  let green = red;
  let blue = red;
  for (let j = fromY; j < toY; j++) {
    let from = ((top + j) * width + left + fromX) * 3;
    let redRow = 0;
    let greenRow = 0;
    let blueRow = 0;
    for (let i = fromX; i < toX; i++, from += 3) {
      const weight = weights[across + i];
      redRow += data[from] * weight;
      greenRow += data[from + 1] * weight;
      blueRow += data[from + 2] * weight;
    }
    const weight = weights[down + j];
    red += (redRow >> 4) * weight;
    green += (greenRow >> 4) * weight;
    blue += (blueRow >> 4) * weight;
  }
  out[to] = red >> WARP_SHIFT;
  out[to + 1] = green >> WARP_SHIFT;
  out[to + 2] = blue >> WARP_SHIFT;
  return fromX < toX && fromY < toY;
};

/** Compiled; undefined where `npm run setup` could not. Arguments that do not fit are a RangeError. */
export const nativeLoops = loadAddon('pixels') as PixelLoops | undefined;

/** The faster ones of this machine. */
export const pixelLoops = nativeLoops ?? scriptedLoops;
