/** Finds pictures that may be in the wrong folder: a few of them decide where every curve ends. */
import type { Faces } from './faces.js';
import type { Genuine } from './verification.js';
import type { Impostors } from './impostors.js';

const MAX_SUSPECTS = 20;
/** A picture is suspect when even the nearest one of its person is farther than the distance at this FMR. */
const SUSPECT_FMR = 1e-2;

interface Suspects {
  /** Two rows of different people that look like one person: nearer than half of the genuine pairs. */
  alike: { row: number; probe: number; distance: number }[];
  /** Rows that are unlike all other pictures of their person. */
  apart: { row: number; distance: number }[];
}

/** @param nearestOwn for each row, the distance to the nearest other picture of the same person; Infinity if there is none */
export function findSuspects(
  faces: Faces,
  { genuine, impostors }: { genuine: Genuine; impostors: Impostors },
  nearestOwn: Float32Array,
): Suspects {
  const half = genuine.distances.at(Math.floor(genuine.distances.length / 2)) ?? 0;
  const alike: Suspects['alike'] = [];
  for (let i = 0; i < impostors.nearest.length && alike.length < MAX_SUSPECTS; i++) {
    if (impostors.nearest[i] >= half) break;
    alike.push({ row: impostors.rows[i], probe: impostors.probes[i], distance: impostors.nearest[i] });
  }
  const limit = impostors.distanceAt(SUSPECT_FMR) ?? Infinity;
  const apart = Array.from(nearestOwn.subarray(0, faces.people), (distance, row) => ({ row, distance }))
    .filter(({ distance }) => Number.isFinite(distance) && distance > limit)
    .sort((a, b) => b.distance - a.distance)
    .slice(0, MAX_SUSPECTS);
  return { alike, apart };
}
