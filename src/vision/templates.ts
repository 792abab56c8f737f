import { fiveOf68 } from './five-of-68.js';
import { fitTemplate } from './warp.js';
import type { Alignment } from '../models/types.js';
import type { Detection, Landmarks, Similarity } from './types.js';

/** Where ArcFace models expect eyes, nose and mouth corners in their 112x112 input (InsightFace's template). */
const ARCFACE = [38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041];
const ARCFACE_SIDE = 112;

/**
 * dlib's mean face, as shares of its side: `[x, y]` of the points 27 to 54 and 60 to 64 of the iBUG order, all but brows,
 * jaw and lower lip, which move most (dlib, image_transforms/interpolation.h, get_face_chip_details; Boost licence).
 */
const DLIB_NOSE_AND_EYES = [
  ...[0.490127, 0.203352, 0.490127, 0.307009, 0.490127, 0.409805, 0.490127, 0.515625],
  ...[0.36688, 0.587326, 0.426036, 0.609345, 0.490127, 0.628106, 0.554217, 0.609345, 0.613373, 0.587326],
  ...[0.121737, 0.216423, 0.187122, 0.178758, 0.265825, 0.179852],
  ...[0.334606, 0.231733, 0.260918, 0.245099, 0.182743, 0.244077],
  ...[0.645647, 0.231733, 0.714428, 0.179852, 0.793132, 0.178758],
  ...[0.858516, 0.216423, 0.79751, 0.244077, 0.719335, 0.245099],
];
const DLIB_UPPER_LIP = [
  ...[0.254149, 0.780233, 0.340985, 0.745405, 0.428858, 0.727388, 0.490127, 0.742578],
  ...[0.551395, 0.727388, 0.639268, 0.745405, 0.726104, 0.780233],
];
const DLIB_INNER_LIP = [
  ...[0.290379, 0.784792, 0.428096, 0.778746, 0.490127, 0.785343, 0.552157, 0.778746, 0.689874, 0.784792],
];
const DLIB = [...DLIB_NOSE_AND_EYES, ...DLIB_UPPER_LIP, ...DLIB_INNER_LIP];

/** Numbers of the 68 points: 27 to 54, then 60 to 64. */
const OUTER = { from: 27 * 2, to: 55 * 2 };
const INNER = { from: 60 * 2, to: 65 * 2 };

const dlibFive = fiveOfDlib();

/** The mean face's eyes, nose and mouth corners, by the same means as a detector's five points. */
function fiveOfDlib(): Landmarks {
  const all = new Float32Array(136);
  all.set(DLIB.slice(0, OUTER.to - OUTER.from), OUTER.from);
  return fiveOf68(all);
}

/**
 * ArcFace's alignment. Errors are measured in the crop, so that a face turned aside, whose points fit badly, is cut as
 * large as in the embedder's training.
 */
export function arcfaceToPicture(landmarks: Landmarks, size: number): Similarity {
  const scale = size / ARCFACE_SIDE;
  return fitTemplate(
    ARCFACE.map((value) => value * scale),
    landmarks,
    'crop',
  );
}

/**
 * dlib's face chip: its mean face fitted to the 68 points, or to five where there are no more. Errors are measured in the
 * picture.
 * @param padding on each side, as a share of the mean face's side
 */
export function chipToPicture(
  { landmarks, landmarks68 }: Pick<Detection, 'landmarks' | 'landmarks68'>,
  size: number,
  padding: number,
): Similarity | undefined {
  // The mean face is measured from a pixel's edge, coordinates from its middle.
  const place = (value: number) => ((padding + value) / (2 * padding + 1)) * size - 0.5;
  if (landmarks68) {
    const points = new Float32Array(DLIB.length);
    points.set(landmarks68.subarray(OUTER.from, OUTER.to));
    points.set(landmarks68.subarray(INNER.from, INNER.to), OUTER.to - OUTER.from);
    return fitTemplate(DLIB.map(place), points, 'picture');
  }
  return landmarks && fitTemplate(Array.from(dlibFive, place), landmarks, 'picture');
}

/** Medians of 123 faces of the reference detector (golden/detections.json), as shares of its box. */
const IN_BOX = [0.264, 0.39, 0.735, 0.39, 0.5, 0.605, 0.296, 0.761, 0.709, 0.761];
/**
 * dlib's mean face in face-api's square: eyes and mouth 0.45 of the side apart, their centre at (0.5, 0.43) of it
 * (align.ts).
 */
const IN_SQUARE = [0.299, 0.296, 0.701, 0.296, 0.5, 0.493, 0.33, 0.698, 0.67, 0.698];

/**
 * Where the five points of a face lie in its crop: exactly where they determine the crop, else about.
 * @returns shares of the crop's sides; the caller's
 */
export function cutPoints(alignment: Alignment, padding: number): Landmarks {
  if (alignment === 'five-points') return Float32Array.from(ARCFACE, (value) => value / ARCFACE_SIDE);
  if (alignment === 'chip') return dlibFive.map((value) => (padding + value) / (2 * padding + 1));
  return Float32Array.from(alignment === 'faceapi' ? IN_SQUARE : IN_BOX);
}
