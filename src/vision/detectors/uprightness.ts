import { clampToPicture } from '../boxes.js';
import type { Detection, Picture } from '../types.js';

/**
 * Weights of a linear score of the 68 points: 1 for those of an upright face, -1 for those the network gives a turned one.
 * From ridge regression on the points of 500 people of Labeled Faces in the Wild, each turned by 23 angles
 * (scripts/measure/uprightness.mjs prints them with their accuracy: of upright faces 1 in 20 is below 0.46, of those turned
 * by 75 degrees and more 1 in 1,000 above 0.28). `[x, y] * 68`, from the middle of the network's square, as shares of its side.
 */
// prettier-ignore
const WEIGHTS = Float64Array.of(
  ...[1.28, 1.03, 3.65, -1.86, 2.26, 2.69, -0.16, -0.6, -5.22, 2.38, -2.61, -2.78],
  ...[0.68, 3.2, 6.47, -1.49, 0, 2.42, -6.47, -1.49, -0.68, 3.2, 2.61, -2.78],
  ...[5.22, 2.38, 0.16, -0.6, -2.26, 2.69, -3.65, -1.86, -1.28, 1.03, -0.89, -0.9],
  ...[-3.43, 0.6, -2.34, -0.9, 3.74, 2.61, -5.98, 2.07, 5.98, 2.07, -3.74, 2.61],
  ...[2.34, -0.9, 3.43, 0.6, 0.89, -0.9, 0, -6.78, 0, 8.26, 0, -1.08],
  ...[0, 4.98, 1.16, -1.34, 0.97, -6.86, 0, -5.6, -0.97, -6.86, -1.16, -1.34],
  ...[3.76, -2.63, -0.31, -1.95, 4.89, -1.95, -1.44, -0.91, 3.58, 5.03, -3.7, -0.26],
  ...[1.44, -0.91, -4.89, -1.95, 0.31, -1.95, -3.76, -2.63, 3.7, -0.26, -3.58, 5.03],
  ...[-2.7, -1.71, 5.79, 9.8, 1.73, 3.25, 0, -4.15, -1.73, 3.25, -5.79, 9.8],
  ...[2.7, -1.71, 2.05, -0.78, 4.53, 8.56, 0, -0.51, -4.53, 8.56, -2.05, -0.78],
  ...[1.21, -2.69, -5.95, -3.13, 0, 3.35, 5.95, -3.13, -1.21, -2.69, 3.2, -3.1],
  ...[0, -7.16, -3.2, -3.1],
);
const OFFSET = -0.22;

/** @returns about 1 for a face that was read upright, -1 for one that was not; undefined without the 68 points */
export function uprightness({ box, landmarks68 }: Detection, picture: Picture): number | undefined {
  const rect = landmarks68 && clampToPicture(box, picture);
  if (!rect) return undefined;
  const side = Math.max(rect.width, rect.height);
  const middle = [rect.x + rect.width / 2, rect.y + rect.height / 2];
  let sum = OFFSET;
  for (let i = 0; i < WEIGHTS.length; i++) sum += (WEIGHTS[i] * (landmarks68[i] - middle[i % 2])) / side;
  return sum;
}
