import { PHASES, pixelLoops, WARP_PRECISION } from './pixels.js';
import type { Landmarks, Picture, Similarity } from './types.js';

/** The most that anything is shrunk by; a face that fills 25 megapixels is shrunk by 30. */
const MAX_REACH = 256;

let weights = new Int32Array(0);

/**
 * Cuts a turned, scaled and moved square out of a picture; black outside it. Where the square does not shrink the picture
 * it is sampled bilinearly, as by OpenCV's warpAffine, with which ArcFace models were trained. Where it does, each sample
 * is a mean of the pixels around it, weighted by a triangle that widens with the scale (as Pillow and PyTorch antialias):
 * at a fifth of the size, bilinear sampling would use four pixels of 25. The two agree at scale 1, and the cost is four
 * readings per pixel of the face, however large it is.
 * @param out RGB, interleaved, `size * size * 3` bytes; written whole
 * @returns false when the square lies outside the picture, or its place is not finite
 */
export function warpPicture(
  { data, width, height }: Picture,
  { a, b, x, y }: Similarity,
  size: number,
  out: Uint8Array,
): boolean {
  if (![a, b, x, y].every(Number.isFinite)) {
    out.fill(0);
    return false;
  }
  const scale = Math.hypot(a, b);
  const taps = scale > 1 ? spreadWeights(Math.min(scale, MAX_REACH)) : 0;
  return pixelLoops.warp(data, width, height, a, b, x, y, weights, taps, size, out);
}

/** Fills {@link weights}, see PixelLoops.warp. @returns the taps of a phase */
function spreadWeights(reach: number): number {
  const half = Math.ceil(reach);
  const taps = 2 * half;
  if (weights.length < PHASES * taps) weights = new Int32Array(PHASES * taps);
  const whole = 1 << WARP_PRECISION;
  for (let phase = 0; phase < PHASES; phase++) {
    const place = half - 1 + phase / PHASES;
    const weightOf = (tap: number) => Math.max(0, 1 - Math.abs(tap - place) / reach);
    let sum = 0;
    for (let tap = 0; tap < taps; tap++) sum += weightOf(tap);
    let left = whole;
    for (let tap = 0; tap < taps; tap++) {
      const weight = Math.round((weightOf(tap) / sum) * whole);
      weights[phase * taps + tap] = weight;
      left -= weight;
    }
    // White stays white.
    weights[phase * taps + Math.round(place)] += left;
  }
  return taps;
}

/** The crop of another view: `scale` times as large about its middle, moved by `shift` pixels of the crop. */
export function throughView(
  { a, b, x, y }: Similarity,
  size: number,
  { scale = 1, shift: [right, down] = [0, 0] }: { scale?: number; shift?: readonly [number, number] },
): Similarity {
  const middle = (size - 1) / 2;
  const fromX = middle - middle / scale + right;
  const fromY = middle - middle / scale + down;
  return { a: a / scale, b: b / scale, x: a * fromX - b * fromY + x, y: b * fromX + a * fromY + y };
}

/** Mirrors a square left to right, in place. */
export function mirror(pixels: Uint8Array, size: number): void {
  for (let row = 0; row < size * size * 3; row += size * 3) {
    for (let left = row, right = row + (size - 1) * 3; left < right; left += 3, right -= 3) {
      for (let c = 0; c < 3; c++) {
        const value = pixels[left + c];
        pixels[left + c] = pixels[right + c];
        pixels[right + c] = value;
      }
    }
  }
}

/** Where a fit measures its errors. */
type ErrorsIn = 'crop' | 'picture';

/**
 * The similarity that fits a template to points with the least squared error (Umeyama 1991).
 * @param template `[x, y]` of each point, pixels of the crop
 * @param points `[x, y]` of each point, pixels of the picture
 */
export function fitTemplate(template: ArrayLike<number>, points: Landmarks, errorsIn: ErrorsIn): Similarity {
  const count = template.length / 2;
  const mean = [0, 0, 0, 0];
  for (let i = 0; i < template.length; i += 2) {
    mean[0] += template[i] / count;
    mean[1] += template[i + 1] / count;
    mean[2] += points[i] / count;
    mean[3] += points[i + 1] / count;
  }
  let along = 0;
  let across = 0;
  let spreadThere = 0;
  let spreadHere = 0;
  for (let i = 0; i < template.length; i += 2) {
    const tx = template[i] - mean[0];
    const ty = template[i + 1] - mean[1];
    const px = points[i] - mean[2];
    const py = points[i + 1] - mean[3];
    along += tx * px + ty * py;
    across += tx * py - ty * px;
    spreadThere += px * px + py * py;
    spreadHere += tx * tx + ty * ty;
  }
  // Into the crop the fit is (along, -across) / spreadThere as a complex number; its inverse leads to the picture.
  const inverse = errorsIn === 'crop' ? spreadThere / (along * along + across * across) : 1 / spreadHere;
  const a = along * inverse;
  const b = across * inverse;
  return { a, b, x: mean[2] - a * mean[0] + b * mean[1], y: mean[3] - b * mean[0] - a * mean[1] };
}
