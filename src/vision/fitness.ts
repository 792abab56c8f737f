import type { Detection, Unfit } from './types.js';

/**
 * Below these people are not told apart by a face: the weaker of the embedders here names at most four of ten, and where a
 * threshold is fixed up to one name in six is wrong (docs/quality.md has the figures, scripts/measure/worse.mjs measures
 * them).
 */
export const FLOORS = {
  /** Shorter side of the box, pixels. */
  size: 18,
  /** Variance of the Laplacian over that of the grey levels: edges, however dark the face is. */
  edges: 0.006,
  /** Quantisation step of a JPEG's lowest frequencies over the pixels of the face. */
  quantisation: 1,
} as const;

/**
 * Least sharpness of a crop. What is blurred has the second derivatives of a picture that was made larger: they shrink
 * with the square of the crop's side, their variance with its fourth power, down to what rounding to whole grey levels
 * leaves by itself (a twelfth, times the kernel's 20 squares).
 */
const sharpnessFloor = (side: number) => 20 / 12 + 2.3 * (112 / side) ** 4;

/** What is judged, besides whether the face was read at all. */
export interface Measured {
  /** Shorter side of the box, pixels. */
  size: number;
  /** Of the crop: see Quality. */
  sharpness: number;
  /** Variance of the crop's grey levels. */
  contrast: number;
  /** Pixels along the crop's side. */
  side: number;
  /** Of the picture: see Picture. */
  quantisation: number | undefined;
}

/** Why nobody is recognised by a face; undefined where it is good enough. */
export function unfitBy(
  { size, sharpness, contrast, side, quantisation = 0 }: Measured,
  { isUnread }: Pick<Detection, 'isUnread'>,
): Unfit | undefined {
  if (isUnread) return 'turned';
  if (size < FLOORS.size) return 'too_small';
  const isBlurred = sharpness < sharpnessFloor(side) && sharpness < FLOORS.edges * contrast;
  return isBlurred || quantisation > FLOORS.quantisation * size ? 'too_blurred' : undefined;
}
