import type { ReadyPack } from '../../models/types.js';
import { rateAt } from '../../identity/odds.js';

/** CompreFace's two constants for FaceNet, the model of its default build and of our `facenet` pack. */
const FACENET = { c0: 1.1817961, c1: 5.291995557 };

/** The FMR whose similarity is one half. */
const HALF = 0.01;
/**
 * By how many powers of ten s / (1 - s) rises when (1 - FMR) / FMR rises by one. Chosen so that the thresholds usual with
 * CompreFace's clients fall where one would set them: 0.9 at an FMR of 1 in 2,600, 0.99 at 1 in 97,000. The right face is
 * seldom farther away, and a stranger as near as one in a hundred gets 0.5 (docs/compreface.md).
 */
const STEEPNESS = 2 / 3;

/**
 * CompreFace's similarity. With a pack's curve it follows the FMR, so that a threshold means the same in every pack:
 * `log(s / (1 - s)) = 2/3 * (log((1 - FMR) / FMR) - log((1 - 0.01) / 0.01))`, 1 at distance 0 and 0 where everybody is.
 * Without one it is the published formula, see {@link published}.
 * @returns a function from a squared L2 distance (as the gallery answers it) to 0..1 with five decimals
 */
export function similarityOf({
  curve,
  ...pack
}: Pick<ReadyPack, 'embedder' | 'thresholds' | 'curve'>): (distance: number) => number {
  const similarity = curve ? (distance: number) => similarityAt(rateAt(curve, distance)) : published(pack);
  return (distance) => Math.round(similarity(Math.max(0, distance)) * 1e5) / 1e5;
}

/** The similarity of an FMR, 0 to 1. */
export function similarityAt(rate: number): number {
  if (rate <= 0) return 1;
  if (rate >= 1) return 0;
  const ratio = (((1 - rate) / rate) * HALF) / (1 - HALF);
  return 1 / (1 + ratio ** -STEEPNESS);
}

/** The FMR that a threshold on the similarity means: the inverse of {@link similarityAt}. @param similarity above 0 */
export function rateOfSimilarity(similarity: number): number {
  const ratio = (similarity / (1 - similarity)) ** (1 / STEEPNESS);
  return 1 / (1 + (ratio * (1 - HALF)) / HALF);
}

/**
 * CompreFace's published formula, `(tanh((c0 - L2) * c1) + 1) / 2`: 0.5 at the Euclidean distance c0.
 *
 * CompreFace publishes constants for FaceNet alone. For any other pack c0 is the distance of the pack's threshold, so
 * that 0.5 is where this server itself begins to name a face, and c1 keeps the curve's shape: c0 * c1 is FaceNet's,
 * so that distance 0 is as near to 1 as there.
 */
function published(pack: Pick<ReadyPack, 'embedder' | 'thresholds'>): (distance: number) => number {
  const { c0, c1 } = constantsOf(pack);
  return (distance) => (Math.tanh((c0 - Math.sqrt(distance)) * c1) + 1) / 2;
}

/** The constants of a pack without a curve. */
export function constantsOf({
  embedder,
  thresholds,
}: { embedder: { name: string } } & Pick<ReadyPack, 'thresholds'>): { c0: number; c1: number } {
  if (embedder.name === 'facenet') return FACENET;
  const c0 = Math.sqrt(thresholds.identical);
  return { c0, c1: (FACENET.c0 * FACENET.c1) / c0 };
}
