import type { Face } from '../types.js';
import type { StoredCorrection } from './store.js';

/** A correction has an ID of the kind that a face has, and is stored like one. */
export const asCorrection = (
  { id, faceid, enrolledAt: at, hasPicture }: Pick<Face, 'id' | 'faceid' | 'enrolledAt' | 'hasPicture'>,
  vector: Float32Array,
): StoredCorrection => ({ id, faceid, at, hasPicture, vector });
