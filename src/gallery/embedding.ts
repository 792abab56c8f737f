/** Checks of embeddings. An enrolled one is compared for years: without a direction it would match everybody, or nobody. */
import { squaredDistance } from './distance.js';
import { checkVector } from './index/vector-index.js';

/** How far an embedding's length may be from 1: more than float32 rounding, too little to change a distance. */
const UNIT = 1e-3;
/** A vector whose length is this near to 1 is used as it is. */
const EXACT = 1e-5;
/** The direction of a shorter vector means nothing. */
const NOTHING = 1e-6;

/** Squared L2: embeddings nearer than this come from the very same picture. */
const SAME = 1e-6;

export function isSameEmbedding(a: Float32Array, b: Float32Array): boolean {
  return squaredDistance(a, b) < SAME;
}

/** @throws RangeError when it is not of unit length, or a number in it is not finite */
export function checkEmbedding(vector: Float32Array, length = vector.length): void {
  checkVector(vector, length);
  const norm = lengthOf(vector);
  if (Math.abs(norm - 1) > UNIT)
    throw new RangeError(`An embedding has the length 1, not ${norm.toPrecision(3)}.`);
}

/**
 * Makes an embedding of a vector from a file, an archive or another program.
 * @param length numbers in an embedding of the pack
 * @returns the vector itself where it has unit length, else a new one
 * @throws RangeError with the reason why it cannot be one
 */
export function toEmbedding(vector: Float32Array, length: number): Float32Array {
  if (vector.length !== length)
    throw new RangeError(`it holds ${vector.length} numbers, this pack ${length}`);
  const unit = toUnitLength(vector);
  if (!unit) throw new RangeError('its numbers are not an embedding');
  return unit;
}

/** @returns the vector itself where it has unit length, else a new one; undefined when it has no direction */
export function toUnitLength(vector: Float32Array | readonly number[]): Float32Array | undefined {
  const norm = lengthOf(vector);
  if (!(norm >= NOTHING && norm < Infinity)) return undefined;
  if (vector instanceof Float32Array && Math.abs(norm - 1) < EXACT) return vector;
  return Float32Array.from(vector, (value) => value / norm);
}

function lengthOf(vector: Float32Array | readonly number[]): number {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return Math.sqrt(sum);
}
