import type { Alignment } from '../models/types.js';
import { clampToPicture } from './boxes.js';
import { type Resampler, toPlanes } from './resample.js';
import type { Detection, Landmarks, Picture } from './types.js';

/** Where ArcFace models expect eyes, nose and mouth corners in their 112x112 input (InsightFace's template). */
const ARCFACE_TEMPLATE = [
  38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041,
];
const ARCFACE_SIDE = 112;
/** face-api's square: the eyes lie so much of its side from the mouth, the centre of the three lies at (x, y) of it. */
const FACEAPI_SCALE = 0.45;
const FACEAPI_X = 0.5;
const FACEAPI_Y = 0.43;
/** Outside the picture; the grey of the border that close-ups are detected in. */
const BORDER_GREY = 128;

/**
 * Cuts a face out for an embedder.
 * @param out RGB, interleaved, `size * size * 3` bytes; written whole
 * @returns false when the face lies outside the picture: `out` is then black
 */
export function alignFace(
  alignment: Alignment,
  picture: Picture,
  detection: Detection,
  size: number,
  resampler: Resampler,
  out: Uint8Array,
): boolean {
  if (alignment === 'five-points' && detection.landmarks) {
    return warpToTemplate(picture, detection.landmarks, size, out);
  }
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
 * The square that face-api cuts for its recognition network (dlib's proportions): its side from the distance of eyes
 * and mouth, its place from their centre. It may reach outside the picture.
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

/** Cuts a square out; what of it lies outside the picture is grey, as in a picture with a border. */
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
  const left = Math.round((rect.x - x) * scale);
  const top = Math.round((rect.y - y) * scale);
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

/**
 * Turns, scales and moves the picture so that five landmarks come to lie on the template (the similarity transform
 * with the least squared error in the crop, as InsightFace cuts faces to train on; Umeyama 1991), sampled bilinearly;
 * black outside the picture. Whole coordinates are the middles of pixels, in the crop as in the picture.
 */
function warpToTemplate(picture: Picture, landmarks: Landmarks, size: number, out: Uint8Array): boolean {
  const { a, b, x0, y0 } = templateToPicture(landmarks, size / ARCFACE_SIDE);
  const { data, width, height } = picture;
  /** One of the four pixels around a place; black beyond the picture's edge. */
  const at = (x: number, y: number, c: number): number =>
    x < 0 || y < 0 || x >= width || y >= height ? 0 : data[(y * width + x) * 3 + c];
  let inside = false;
  out.fill(0);
  // Landmarks that all lie on one place say nothing of where the face is.
  if (!Number.isFinite(a) || !Number.isFinite(b)) return false;
  for (let y = 0, to = 0; y < size; y++) {
    for (let x = 0; x < size; x++, to += 3) {
      const sourceX = a * x - b * y + x0;
      const sourceY = b * x + a * y + y0;
      const left = Math.floor(sourceX);
      const top = Math.floor(sourceY);
      if (left < -1 || top < -1 || left >= width || top >= height) continue;
      inside = true;
      const fx = sourceX - left;
      const fy = sourceY - top;
      if (left < 0 || top < 0 || left + 1 >= width || top + 1 >= height) {
        for (let c = 0; c < 3; c++) {
          const above = at(left, top, c) * (1 - fx) + at(left + 1, top, c) * fx;
          const below = at(left, top + 1, c) * (1 - fx) + at(left + 1, top + 1, c) * fx;
          out[to + c] = above * (1 - fy) + below * fy + 0.5;
        }
        continue;
      }
      const upper = (top * width + left) * 3;
      const lower = upper + width * 3;
      for (let c = 0; c < 3; c++) {
        const above = data[upper + c] * (1 - fx) + data[upper + 3 + c] * fx;
        const below = data[lower + c] * (1 - fx) + data[lower + 3 + c] * fx;
        out[to + c] = above * (1 - fy) + below * fy + 0.5;
      }
    }
  }
  return inside;
}

/**
 * picture = [a -b; b a] template + (x0, y0). The other way round, from the picture to the template, it is the fit with
 * the least squared error over the five pairs: errors count in the crop, so that a face that is turned aside, whose
 * landmarks fit badly, is cut as large as the embedder saw such faces.
 */
function templateToPicture(
  landmarks: Landmarks,
  scale: number,
): { a: number; b: number; x0: number; y0: number } {
  const mean = [0, 0, 0, 0];
  for (let i = 0; i < 10; i += 2) {
    mean[0] += (ARCFACE_TEMPLATE[i] * scale) / 5;
    mean[1] += (ARCFACE_TEMPLATE[i + 1] * scale) / 5;
    mean[2] += landmarks[i] / 5;
    mean[3] += landmarks[i + 1] / 5;
  }
  let along = 0;
  let across = 0;
  let spread = 0;
  for (let i = 0; i < 10; i += 2) {
    const tx = ARCFACE_TEMPLATE[i] * scale - mean[0];
    const ty = ARCFACE_TEMPLATE[i + 1] * scale - mean[1];
    const px = landmarks[i] - mean[2];
    const py = landmarks[i + 1] - mean[3];
    along += tx * px + ty * py;
    across += tx * py - ty * px;
    spread += px * px + py * py;
  }
  // The fit is (along, -across) / spread as a complex number; this is its inverse.
  const inverse = spread / (along * along + across * across);
  const a = along * inverse;
  const b = across * inverse;
  return { a, b, x0: mean[2] - a * mean[0] + b * mean[1], y0: mean[3] - b * mean[0] - a * mean[1] };
}

/** Copies an aligned face into an embedder's batch. */
export function facePlanes(pixels: Uint8Array, size: number, out: Float32Array, index: number): void {
  toPlanes(pixels, size, size, out, { side: size, start: index * 3 * size * size });
}
