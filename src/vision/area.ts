import { pixelLoops } from './pixels.js';
import { sharedInts } from './work-sharing.js';
import type { Picture } from './types.js';

/** A summed-area table in shared memory, which other threads read. */
export interface SharedTable {
  sums: Int32Array;
  width: number;
  height: number;
}

/** A part of a picture: whole pixels, all inside it. */
export interface Region {
  x: number;
  y: number;
  width: number;
  height: number;
}

/** The memory of larger tables (from 4 megapixels on) is not reused for the next picture; numbers. */
const MAX_KEPT = 12_000_000;

/**
 * A picture's summed-area table: the sum of any rectangle from four numbers, so that the cost of a small picture does
 * not depend on the large one it is made from. It resamples as PyTorch's `interpolate(mode='area')` does (adaptive
 * average pooling), within 1.2e-7 of it.
 *
 * Sums are kept modulo 2^32. Differences of them are right as long as a single window sums to less than 2^32 (four
 * megapixels of white), however large the picture is.
 */
export class AreaTable {
  /** [height + 1][width + 1][3]; row 0 and column 0 are zeros. */
  #sums = sharedInts(0);
  #width = 0;
  #height = 0;
  /** `Picture.number` of the loaded picture. */
  #number: number | undefined;
  #columns: Span = { from: new Int32Array(0), to: new Int32Array(0) };

  /** Loads a picture in the place of the last one; does nothing when it is the same one. The picture is only read. */
  load({ data, width, height, number }: Picture): void {
    // A frame is loaded twice when it is searched and known faces are then followed in it.
    if (number !== undefined && number === this.#number) return;
    this.#number = number;
    // One more number than the table, because the loops read and write four at a time.
    const needed = (width + 1) * 3 * (height + 1) + 1;
    if (this.#sums.length < needed || (this.#sums.length > MAX_KEPT && needed < this.#sums.length / 4)) {
      this.#sums = sharedInts(needed);
    }
    this.#width = width;
    this.#height = height;
    pixelLoops.sumTable(data, width, height, this.#sums);
  }

  /** Frees the memory of a large picture. */
  trim(): void {
    if (this.#sums.length <= MAX_KEPT) return;
    this.#sums = sharedInts(0);
    this.#number = undefined;
  }

  /** Of the picture. */
  get size(): { width: number; height: number } {
    return { width: this.#width, height: this.#height };
  }

  /** The table for another thread's {@link borrow}; valid until the next picture. */
  share(): SharedTable {
    return { sums: this.#sums, width: this.#width, height: this.#height };
  }

  /** Reads another thread's table from now on; do not load() a picture then. */
  borrow({ sums, width, height }: SharedTable): void {
    this.#sums = sums;
    this.#width = width;
    this.#height = height;
  }

  /** Whether this is the table that was shared. */
  isOf({ sums }: SharedTable): boolean {
    return sums.buffer === this.#sums.buffer;
  }

  /**
   * Resamples a region to `width` x `height`: output pixel i is the mean of inputs floor(i n / out) to before
   * ceil((i + 1) n / out). Fewer inputs than outputs repeat them.
   * @param out float32, three planes of `height * width` from `start` on; 0 to 255, RGB
   * @param rows the rows of the output to write, as planes of that height; default all
   */
  resample(
    region: Region,
    width: number,
    height: number,
    out: Float32Array,
    start = 0,
    rows: { from: number; to: number } = { from: 0, to: height },
  ): void {
    const line = (this.#width + 1) * 3;
    this.#columns = windows(region.width, width, this.#columns);
    const { from, to } = this.#columns;
    const corner = region.y * line + region.x * 3;
    pixelLoops.areaMeans(
      this.#sums,
      line,
      corner,
      from,
      to,
      width,
      rows.from,
      rows.to,
      region.height,
      height,
      out,
      start,
    );
  }
}

/** For each output the first and the last input's successor, times 3. */
interface Span {
  from: Int32Array;
  to: Int32Array;
}

function windows(inputs: number, outputs: number, reuse: Span): Span {
  const span =
    reuse.from.length < outputs ? { from: new Int32Array(outputs), to: new Int32Array(outputs) } : reuse;
  for (let i = 0; i < outputs; i++) {
    span.from[i] = Math.floor((i * inputs) / outputs) * 3;
    span.to[i] = Math.ceil(((i + 1) * inputs) / outputs) * 3;
  }
  return span;
}
