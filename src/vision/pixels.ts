import { createRequire } from 'node:module';

/**
 * The loops over all pixels of a frame. They are compiled (scripts/native/pixels.cc) where `npm run setup` could, three
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
}

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
};

/** Compiled; undefined where `npm run setup` could not. Arrays that are too short are a RangeError. */
export const nativeLoops = openNative();

/** The faster ones of this machine. */
export const pixelLoops = nativeLoops ?? scriptedLoops;

function openNative(): PixelLoops | undefined {
  try {
    return createRequire(import.meta.url)('faiss-node/build/Release/pixels.node') as PixelLoops;
  } catch {
    return undefined;
  }
}
