import type { Alignment, ReadyEmbedder, View } from '../models/types.js';
import { clampToPicture } from './boxes.js';
import type { Resampler } from './resample.js';
import { arcfaceToPicture, chipToPicture } from './templates.js';
import { asRead } from './turn.js';
import type { Detection, Landmarks, Picture, Similarity } from './types.js';
import { mirror, throughView, warpPicture } from './warp.js';

/** face-api's square, as shares of its side: the distance from eyes to mouth, and the centre of the three. */
const FACEAPI_SCALE = 0.45;
const FACEAPI_X = 0.5;
const FACEAPI_Y = 0.43;
/** Fills what lies outside the picture, as in the border in which close-ups are detected. */
const BORDER_GREY = 128;

/** The default of ReadyEmbedder.padding. */
export const CHIP_PADDING = 0.25;

/** How an embedder's faces are cut. */
type CutSettings = Pick<ReadyEmbedder, 'alignment' | 'size' | 'padding'>;

/**
 * Cuts a face out for an embedder.
 * @param out RGB, interleaved, `size * size * 3` bytes; written whole
 * @param view how to move, scale or mirror the crop. With `box` and `faceapi`, whose crops equal the reference's to the
 *   bit, it is only mirrored
 * @returns false when the face lies outside the picture, or its box or landmarks are not finite: `out` is then black
 *   (grey with `faceapi`)
 */
export function cutFace(
  { alignment, size, padding }: CutSettings,
  picture: Picture,
  detection: Detection,
  resampler: Resampler,
  out: Uint8Array,
  view: View = {},
): boolean {
  const toPicture = alignmentOf(alignment, detection, size, padding);
  const isInside = toPicture
    ? warpPicture(picture, throughView(toPicture, size, view), size, out)
    : cutUpright(alignment, asRead(picture, detection), size, resampler, out);
  if (view.mirrored) mirror(out, size);
  return isInside;
}

/** Where the crop lies; undefined for crops that are cut upright, and where its landmarks are missing. */
function alignmentOf(
  alignment: Alignment,
  detection: Detection,
  size: number,
  padding = CHIP_PADDING,
): Similarity | undefined {
  const { landmarks } = detection;
  if (alignment === 'five-points') return landmarks && arcfaceToPicture(landmarks, size);
  return alignment === 'chip' ? chipToPicture(detection, size, padding) : undefined;
}

function cutUpright(
  alignment: Alignment,
  { picture, face: detection }: { picture: Picture; face: Detection },
  size: number,
  resampler: Resampler,
  out: Uint8Array,
): boolean {
  const square = alignment === 'faceapi' ? faceApiSquare(detection) : undefined;
  if (square) return cutSquare(picture, square, size, resampler, out);
  const rect = clampToPicture(detection.box, picture);
  if (!rect) {
    out.fill(0);
    return false;
  }
  resampler.resize(picture, rect, size, size, out);
  return true;
}

/**
 * The square that face-api cuts for its recognition network (dlib's proportions): its side follows from the distance
 * of eyes and mouth, its place from their centre. It may reach outside the picture.
 */
function faceApiSquare({
  landmarks,
  landmarks68,
}: Detection): { x: number; y: number; side: number } | undefined {
  const centres = landmarks68 ? centresOf68(landmarks68) : landmarks && centresOf5(landmarks);
  if (!centres) return undefined;
  const [left, right, mouth] = centres;
  const toMouth = (eye: Point) => Math.hypot(mouth.x - eye.x, mouth.y - eye.y);
  const side = Math.floor((toMouth(left) + toMouth(right)) / 2 / FACEAPI_SCALE);
  const x = (left.x + right.x + mouth.x) / 3 - FACEAPI_X * side;
  const y = (left.y + right.y + mouth.y) / 3 - FACEAPI_Y * side;
  return side > 0 ? { x: Math.floor(x), y: Math.floor(y), side } : undefined;
}

interface Point {
  x: number;
  y: number;
}

/** Left eye, right eye, mouth. */
type Centres = [Point, Point, Point];

function centresOf68(points: Float32Array): Centres {
  const mean = (from: number, to: number): Point => {
    let [x, y] = [0, 0];
    for (let i = from; i < to; i++) {
      x += points[i * 2] / (to - from);
      y += points[i * 2 + 1] / (to - from);
    }
    return { x, y };
  };
  return [mean(36, 42), mean(42, 48), mean(48, 68)];
}

function centresOf5([x0, y0, x1, y1, , , x3, y3, x4, y4]: Landmarks): Centres {
  return [
    { x: x0, y: y0 },
    { x: x1, y: y1 },
    { x: (x3 + x4) / 2, y: (y3 + y4) / 2 },
  ];
}

/** Cuts a square out, grey outside the picture. */
function cutSquare(
  picture: Picture,
  square: { x: number; y: number; side: number },
  size: number,
  resampler: Resampler,
  out: Uint8Array,
): boolean {
  const { x, y, side } = square;
  const rect = clampToPicture({ x1: x, y1: y, x2: x + side, y2: y + side }, picture);
  out.fill(BORDER_GREY);
  if (!rect) return false;
  const scale = size / side;
  // Of a square far larger than the picture a fraction of a pixel is left, which rounding may put outside.
  const left = Math.min(size - 1, Math.round((rect.x - x) * scale));
  const top = Math.min(size - 1, Math.round((rect.y - y) * scale));
  const width = Math.max(1, Math.min(size - left, Math.round(rect.width * scale)));
  const height = Math.max(1, Math.min(size - top, Math.round(rect.height * scale)));
  if (width === size && height === size) {
    resampler.resize(picture, rect, size, size, out);
    return true;
  }
  const cut = new Uint8Array(width * height * 3);
  resampler.resize(picture, rect, width, height, cut);
  for (let row = 0; row < height; row++) {
    out.set(cut.subarray(row * width * 3, (row + 1) * width * 3), ((top + row) * size + left) * 3);
  }
  return true;
}
