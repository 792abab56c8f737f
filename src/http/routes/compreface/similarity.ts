import type { ReadyPack } from '../../../models/types.js';

/** CompreFace's two constants for the model that its default build and our `facenet` pack share. */
const FACENET = { c0: 1.1817961, c1: 5.291995557 };

/**
 * CompreFace's similarity, `(tanh((c0 - L2) * c1) + 1) / 2`: 0.5 at the Euclidean distance c0.
 *
 * CompreFace publishes constants for FaceNet alone. For any other pack c0 is the distance of the pack's threshold, so
 * that 0.5 is where this server itself begins to name a face, and c1 keeps the curve's shape: c0 * c1 is FaceNet's,
 * so that distance 0 is as near to 1 as there.
 * @returns a function from a squared L2 distance (as the gallery answers it) to 0..1 with five decimals
 */
export function similarityOf({
  embedder,
  thresholds,
}: Pick<ReadyPack, 'embedder' | 'thresholds'>): (distance: number) => number {
  const { c0, c1 } = embedder.name === 'facenet' ? FACENET : scaled(Math.sqrt(thresholds.identical));
  return (distance) => {
    const l2 = Math.sqrt(Math.max(0, distance));
    return Math.round(((Math.tanh((c0 - l2) * c1) + 1) / 2) * 1e5) / 1e5;
  };
}

function scaled(c0: number): { c0: number; c1: number } {
  return { c0, c1: (FACENET.c0 * FACENET.c1) / c0 };
}
