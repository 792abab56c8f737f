import { boxSize } from './boxes.js';
import type { Detection, Landmarks, Quality } from './types.js';

const DEGREES = 180 / Math.PI;

/** Quality, and what fitness.ts alone needs. */
export interface MeasuredQuality extends Quality {
  /** Variance of the grey levels where the sharpness is measured. */
  contrast: number;
}

/**
 * How fit a face is for enrolment.
 * @param crop the aligned face, RGB, interleaved, `side * side * 3`
 */
export function measureQuality(detection: Detection, crop: Uint8Array, side: number): MeasuredQuality {
  const brightness = takeGrey(crop);
  return {
    size: boxSize(detection.box),
    ...sharpnessOf(side),
    brightness,
    ...(detection.landmarks && pose(detection.landmarks)),
  };
}

/** Rec. 601 luma of the crop; reused for the next face. */
let grey = new Float32Array(0);

/** Fills {@link grey}. @returns its mean */
function takeGrey(crop: Uint8Array): number {
  const count = crop.length / 3;
  if (grey.length < count) grey = new Float32Array(count);
  let sum = 0;
  for (let i = 0, at = 0; i < count; i++, at += 3) {
    grey[i] = 0.299 * crop[at] + 0.587 * crop[at + 1] + 0.114 * crop[at + 2];
    sum += grey[i];
  }
  return sum / count;
}

/**
 * Variance of the 4-neighbour Laplacian (Pech-Pacheco et al. 2000): a blurred face has few edges and so little variance.
 * Measured over the middle two thirds, where the face is and no black border.
 */
function sharpnessOf(side: number): Pick<MeasuredQuality, 'sharpness' | 'contrast'> {
  const from = Math.floor(side / 6);
  const to = side - from;
  let sum = 0;
  let squares = 0;
  let light = 0;
  let lights = 0;
  for (let y = from; y < to; y++) {
    for (let x = from; x < to; x++) {
      const i = y * side + x;
      const value = grey[i - 1] + grey[i + 1] + grey[i - side] + grey[i + side] - 4 * grey[i];
      sum += value;
      squares += value * value;
      light += grey[i];
      lights += grey[i] * grey[i];
    }
  }
  const count = (to - from) ** 2;
  return { sharpness: squares / count - (sum / count) ** 2, contrast: lights / count - (light / count) ** 2 };
}

/**
 * Head pose estimated from five points, in degrees. Roll is the slope of the line between the eyes. Yaw and pitch follow
 * from how far the nose's tip is from the middle of eyes and mouth, taken as the sine of the turn of a nose about 0.6 eye
 * distances long. Accurate to some ten degrees, enough to ask for a look straight at the camera.
 */
function pose(landmarks: Landmarks): { yaw: number; pitch: number; roll: number } {
  const [leftX, leftY, rightX, rightY, noseX, noseY, mouthLeftX, mouthLeftY, mouthRightX, mouthRightY] =
    landmarks;
  const roll = Math.atan2(rightY - leftY, rightX - leftX);
  const eyes = Math.hypot(rightX - leftX, rightY - leftY) || 1;
  const middleX = (leftX + rightX + mouthLeftX + mouthRightX) / 4;
  const middleY = (leftY + rightY + mouthLeftY + mouthRightY) / 4;
  // Turned back by the roll, so that a tilted head is not taken for a turned one.
  const dx = ((noseX - middleX) * Math.cos(roll) + (noseY - middleY) * Math.sin(roll)) / eyes;
  const dy = (-(noseX - middleX) * Math.sin(roll) + (noseY - middleY) * Math.cos(roll)) / eyes;
  const angle = (offset: number) => Math.asin(Math.max(-1, Math.min(1, offset / 0.6))) * DEGREES;
  return { yaw: angle(dx), pitch: angle(dy), roll: roll * DEGREES };
}
