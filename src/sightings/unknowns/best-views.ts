/** Which faces of a stranger are enrolled when the group is named. */
import { squaredDistance } from '../../gallery/distance.js';

/** A face of a group. */
export interface Candidate {
  /** Unit length. */
  readonly vector: Float32Array;
  /** Larger is better. */
  readonly score: number;
}

/** So many: three different views name nearly everybody, and more hardly help (docs/accuracy.md). */
export const VIEWS = 3;

/**
 * Chooses the best and most different faces: first the best one of those that are nearest to all others, so that a
 * stranger's face that slipped into the group is not taken, then the farthest of those that are still as near to the first
 * as one person's faces are.
 * @param limit squared L2: one person's faces are nearer
 * @param different squared L2: nearer ones are one picture twice
 * @returns their places in the list, at most {@link VIEWS}, the best one first
 */
export function chooseViews(
  faces: readonly Candidate[],
  { limit, different }: { limit: number; different: number },
): number[] {
  if (faces.length === 0) return [];
  const apart = faces.map(({ vector }) =>
    faces.reduce((sum, other) => sum + squaredDistance(vector, other.vector), 0),
  );
  const middle = apart.toSorted((a, b) => a - b)[Math.floor((faces.length - 1) / 2)];
  const first = bestOf(faces, (_face, at) => apart[at] <= middle);
  const chosen = [first];
  while (chosen.length < VIEWS) {
    let [next, farthest] = [-1, different];
    for (const [at, { vector }] of faces.entries()) {
      if (squaredDistance(vector, faces[first].vector) >= limit) continue;
      const distance = Math.min(...chosen.map((other) => squaredDistance(vector, faces[other].vector)));
      if (distance <= farthest) continue;
      [next, farthest] = [at, distance];
    }
    if (next < 0) break;
    chosen.push(next);
  }
  return chosen;
}

function bestOf(faces: readonly Candidate[], counts: (face: Candidate, at: number) => boolean): number {
  let best = -1;
  for (const [at, face] of faces.entries())
    if (counts(face, at) && (best < 0 || face.score > faces[best].score)) best = at;
  return best;
}
