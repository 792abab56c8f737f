import type { View } from '../models/types.js';

/** The only view of an identification. */
export const PLAIN: readonly View[] = [{}];

/** Whether a view leaves the crop unchanged. */
export function isPlain({ mirrored = false, scale = 1, shift: [right, down] = [0, 0] }: View): boolean {
  return !mirrored && scale === 1 && right === 0 && down === 0;
}

/**
 * The mean of a face's embeddings, one for each view, as unit vector.
 * @param embeddings unit vectors, at least one; only read
 */
export function meanEmbedding(embeddings: readonly Float32Array[]): Float32Array {
  const [first] = embeddings;
  const mean = new Float64Array(first.length);
  for (const embedding of embeddings) for (let i = 0; i < mean.length; i++) mean[i] += embedding[i];
  const length = Math.hypot(...mean);
  // Views that point in all directions have no meaningful mean: the first one is taken.
  if (!(length > 1e-3 * embeddings.length)) return first.slice();
  return Float32Array.from(mean, (value) => value / length);
}
