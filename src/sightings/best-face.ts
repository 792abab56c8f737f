/** Which face of a visit is kept: the one that is best to look at and to compare. */
import sharp from 'sharp';
import type { ObservedFace } from '../identity/types.js';
import type { Quality } from '../vision/types.js';
import type { BestFace } from './types.js';

/** A face of this size, pixels, or this sharpness is not better than a smaller or a softer one. */
const ENOUGH = { size: 160, sharpness: 60 } as const;
const RADIANS = Math.PI / 180;

/** A visit's best face so far; a PNG is made of it only when it is written. */
export interface SeenFace extends Omit<BestFace, 'crop'> {
  /** RGB, a square; undefined where pictures are not kept, or it is in the store already. */
  aligned: Uint8Array | undefined;
}

/** How good a face is to look at and to compare: large, sharp, looking ahead. 0 to 1; 0 where it was not measured. */
export function scoreOf(quality: Quality | undefined): number {
  if (!quality) return 0;
  const { size, sharpness, yaw = 0, pitch = 0 } = quality;
  const ahead = Math.max(0, Math.cos(yaw * RADIANS)) * Math.max(0, Math.cos(pitch * RADIANS));
  return Math.min(1, size / ENOUGH.size) * Math.min(1, sharpness / ENOUGH.sharpness) * ahead;
}

/** @returns the better one of a visit's best face and another, whose embedding is copied then */
export function betterOf(
  best: SeenFace | undefined,
  { quality, aligned }: Pick<ObservedFace, 'quality' | 'aligned'>,
  embedding: Float32Array,
): SeenFace {
  const score = scoreOf(quality);
  if (best && best.score >= score) return best;
  const { size = null, sharpness = null, yaw = null, pitch = null, roll = null } = quality ?? {};
  return { score, vector: embedding.slice(), aligned, size, sharpness, yaw, pitch, roll };
}

/** Draws the picture. One that cannot be drawn is left out: the visit is kept all the same. */
export async function drawn({ aligned, ...face }: SeenFace): Promise<BestFace> {
  if (!aligned) return { ...face, crop: null };
  const side = Math.sqrt(aligned.length / 3);
  const image = sharp(aligned, { raw: { width: side, height: side, channels: 3 } });
  return {
    ...face,
    crop: await image
      .png()
      .toBuffer()
      .catch(() => null),
  };
}
