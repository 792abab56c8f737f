import type { Detection, Quality, Unfit } from './types.js';

/** See docs/quality.md for how these were found. */
export const FLOORS = { size: 16, sharpness: 2.5 } as const;

/** Why nobody is recognised by a face; undefined where it is good enough. */
export function unfitBy(
  quality: Pick<Quality, 'size' | 'sharpness'>,
  face: Pick<Detection, 'isUnread'>,
): Unfit | undefined {
  if (face.isUnread) return 'turned';
  if (quality.size < FLOORS.size) return 'too_small';
  return quality.sharpness < FLOORS.sharpness ? 'too_blurred' : undefined;
}
