/** Which faces are good enough to say that a stranger is this one or that one. */
import type { EnrolLimits } from '../../identity/fit-to-enrol.js';
import type { AnalysedFace } from '../../vision/types.js';

/**
 * A stranger is one who was seen twice within so long, milliseconds: what the detector takes for a face once, such as a
 * pattern on a coat, is gone in the next frame.
 */
export const TWICE_WITHIN = 6000;

/**
 * Whether a face is good enough to be grouped: as good as one to enrol, because naming a group enrols its faces. Throws
 * nothing and makes nothing, as it is asked of every face of every frame.
 */
export function isFit(
  { quality, unfit }: Pick<AnalysedFace, 'quality' | 'unfit'>,
  { minSize, minSharpness, maxYaw, maxPitch, maxRoll }: EnrolLimits,
): boolean {
  if (unfit !== undefined || !quality) return false;
  const { size, sharpness, yaw = 0, pitch = 0, roll = 0 } = quality;
  return (
    Math.round(size) >= minSize &&
    sharpness >= minSharpness &&
    Math.abs(yaw) <= maxYaw &&
    Math.abs(pitch) <= maxPitch &&
    Math.abs(roll) <= maxRoll
  );
}
