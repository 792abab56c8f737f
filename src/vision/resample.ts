import type { PixelRect } from './boxes.js';
import { pixelLoops, PRECISION } from './pixels.js';
import type { Picture } from './types.js';

/** Filter weights for one direction: output i is the sum of `count[i]` inputs from `first[i]` on. */
interface Weights {
  first: Int32Array;
  count: Int32Array;
  /** `taps` slots an output. */
  values: Int32Array;
  taps: number;
}

/**
 * Resizes parts of pictures exactly as Pillow's BILINEAR does: a triangle filter, widened when it shrinks (so it
 * antialiases), horizontally then vertically, rounded to bytes after each pass. Keeps its buffers between calls.
 */
export class Resampler {
  #columns = new Uint8Array(0);
  readonly #weights = new Map<number, Weights>();

  /**
   * @param rect the part of the picture to take; its edges count as the picture's (as after a crop)
   * @param out RGB, interleaved, at least `width * height * 3` bytes; written
   */
  resize(picture: Picture, rect: PixelRect, width: number, height: number, out: Uint8Array): void {
    const { data, width: stride } = picture;
    const across = this.#weightsFor(rect.width, width);
    const down = this.#weightsFor(rect.height, height);
    const needed = width * rect.height * 3;
    if (this.#columns.length < needed) this.#columns = new Uint8Array(needed);
    pixelLoops.triangle(
      data,
      stride,
      (rect.y * stride + rect.x) * 3,
      rect.height,
      across.first,
      across.count,
      across.values,
      across.taps,
      down.first,
      down.count,
      down.values,
      down.taps,
      width,
      height,
      this.#columns,
      out,
    );
  }

  /** Weights depend only on the two sizes, which a camera's frames repeat; a few hundred are cached. */
  #weightsFor(from: number, to: number): Weights {
    const key = from * 65536 + to;
    const known = this.#weights.get(key);
    if (known) return known;
    if (this.#weights.size > 256) this.#weights.clear();
    const made = triangleWeights(from, to);
    this.#weights.set(key, made);
    return made;
  }
}

/** Pillow's precompute_coeffs and normalize_coeffs_8bpc for its bilinear (triangle) filter. */
function triangleWeights(from: number, to: number): Weights {
  const scale = from / to;
  const widening = Math.max(scale, 1);
  const taps = Math.ceil(widening) * 2 + 1;
  const first = new Int32Array(to);
  const count = new Int32Array(to);
  const values = new Int32Array(to * taps);
  const exact = new Float64Array(taps);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - widening + 0.5));
    const high = Math.min(from, Math.trunc(centre + widening + 0.5));
    let total = 0;
    for (let k = 0; k < high - low; k++) {
      const distance = Math.abs((k + low - centre + 0.5) / widening);
      exact[k] = distance < 1 ? 1 - distance : 0;
      total += exact[k];
    }
    for (let k = 0; k < high - low; k++) {
      values[i * taps + k] = Math.trunc(0.5 + (exact[k] / total) * (1 << PRECISION));
    }
    first[i] = low;
    count[i] = high - low;
  }
  return { first, count, values, taps };
}

/**
 * Copies interleaved bytes into a network's input: float planes, channel by channel.
 * @param pixels RGB, interleaved, `width * height * 3`
 * @param out NCHW; the picture is written at (`left`, `top`) of planes that are `side` wide and high
 * @param start index in `out` of this picture's first plane
 */
export function toPlanes(
  pixels: Uint8Array,
  width: number,
  height: number,
  out: Float32Array,
  { side, left = 0, top = 0, start = 0 }: { side: number; left?: number; top?: number; start?: number },
): void {
  const plane = side * side;
  for (let y = 0, from = 0; y < height; y++) {
    let to = start + (top + y) * side + left;
    for (let x = 0; x < width; x++, from += 3, to++) {
      out[to] = pixels[from];
      out[to + plane] = pixels[from + 1];
      out[to + 2 * plane] = pixels[from + 2];
    }
  }
}
