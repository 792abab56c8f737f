/** What one person's pictures say of each other. Pure; distances are squared L2. */
import { connectedParts } from '../gallery/connected.js';
import { squaredDistance } from '../gallery/distance.js';

/** The most pictures of a person that are compared with one another: two milliseconds of this thread. */
export const MOST_PICTURES = 64;

export interface OwnFace {
  id: string;
  /** Unit length. */
  vector: Float32Array;
}

/** A face's nearest among others. */
export interface Nearest {
  /** Place in the list. */
  at: number;
  distance: number;
}

/** @returns the places in parts that hang together: two belong together that are nearer than `limit`; the largest first */
export function partsOf(faces: readonly OwnFace[], limit: number): number[][] {
  const parts = connectedParts(
    faces.length,
    (one, other) => squaredDistance(faces[one].vector, faces[other].vector) < limit,
  );
  return parts.sort((a, b) => b.length - a.length);
}

/** @param among places to compare with @returns undefined when there is no other */
export function nearestAmong(
  faces: readonly OwnFace[],
  at: number,
  among: Iterable<number>,
): Nearest | undefined {
  let nearest: Nearest | undefined;
  for (const other of among) {
    if (other === at) continue;
    const distance = squaredDistance(faces[at].vector, faces[other].vector);
    if (!nearest || distance < nearest.distance) nearest = { at: other, distance };
  }
  return nearest;
}
