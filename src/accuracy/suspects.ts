/** Pictures that may lie in the wrong folder: a few of them decide the ends of every curve. */
import type { Faces } from './faces.js';
import type { Genuine } from './verification.js';
import type { Impostors } from './impostors.js';

const MOST = 20;
/** A picture nearer to nobody than strangers in a hundred are to each other is not of its person. */
const STRANGE = 1e-2;

export interface Suspects {
  /** Two rows of different people who look like one: nearer than half of the pairs that are of one person. */
  alike: { row: number; probe: number; distance: number }[];
  /** Rows of people that are like none of their person's other pictures. */
  apart: { row: number; distance: number }[];
}

/** @param nearestOwn of each row of people the distance to the nearest other picture of the person; Infinity: none */
export function findSuspects(
  faces: Faces,
  { genuine, impostors }: { genuine: Genuine; impostors: Impostors },
  nearestOwn: Float32Array,
): Suspects {
  const half = genuine.distances.at(Math.floor(genuine.distances.length / 2)) ?? 0;
  const alike: Suspects['alike'] = [];
  for (let i = 0; i < impostors.nearest.length && alike.length < MOST; i++) {
    if (impostors.nearest[i] >= half) break;
    alike.push({ row: impostors.rows[i], probe: impostors.probes[i], distance: impostors.nearest[i] });
  }
  const limit = impostors.distanceAt(STRANGE) ?? Infinity;
  const apart = Array.from(nearestOwn.subarray(0, faces.people), (distance, row) => ({ row, distance }))
    .filter(({ distance }) => Number.isFinite(distance) && distance > limit)
    .sort((a, b) => b.distance - a.distance)
    .slice(0, MOST);
  return { alike, apart };
}
