import type { Detection, Unfit } from './types.js';

/**
 * Below these values a face does not tell people apart: the weaker embedders name at most four of ten, and with a fixed
 * threshold up to one name in six is wrong (figures in docs/quality.md, measured by scripts/measure/worse.mjs).
 */
export const FLOORS = {
  /** Shorter side of the box, pixels. */
  size: 18,
  /** Variance of the Laplacian divided by that of the grey levels, so that dark faces are judged alike. */
  edges: 0.006,
  /** Quantisation step of a JPEG's lowest frequencies divided by the pixels of the face. */
  quantisation: 1,
} as const;

/**
 * Least sharpness of a crop. A blurred crop is like an enlarged picture: its second derivatives shrink with the square of the
 * side, their variance with the fourth power, down to what rounding to whole grey levels causes (a twelfth, times the
 * sum 20 of the kernel's squares).
 */
const sharpnessFloor = (side: number) => 20 / 12 + 2.3 * (112 / side) ** 4;

/** The measurements that decide. */
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

/** Why a face is unfit to be identified; undefined when it is fit. */
export function unfitBy(
  { size, sharpness, contrast, side, quantisation = 0 }: Measured,
  { isUnread }: Pick<Detection, 'isUnread'>,
): Unfit | undefined {
  if (isUnread) return 'turned';
  if (size < FLOORS.size) return 'too_small';
  const isBlurred = sharpness < sharpnessFloor(side) && sharpness < FLOORS.edges * contrast;
  return isBlurred || quantisation > FLOORS.quantisation * size ? 'too_blurred' : undefined;
}
