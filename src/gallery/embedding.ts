/** What is enrolled is compared for years: a vector without a direction would be near to everybody, or to nobody. */
import { squaredDistance } from './distance.js';
import { checkVector } from './index/vector-index.js';

/** How far an embedding's length may be from 1: more than float32 rounds away, less than shifts any distance. */
const UNIT = 1e-3;
/** As it is written to a file and read again. */
const EXACT = 1e-5;
/** A vector that is shorter has no direction that means anything. */
const NOTHING = 1e-6;

/** Squared L2: an embedding nearer than this to another comes from the very same picture. */
const SAME = 1e-6;

/** Whether two embeddings are of the very same picture. */
export function isSameEmbedding(a: Float32Array, b: Float32Array): boolean {
  return squaredDistance(a, b) < SAME;
}

/** @throws RangeError when it is not of unit length, or holds what is no number */
export function checkEmbedding(vector: Float32Array, length = vector.length): void {
  checkVector(vector, length);
  const norm = lengthOf(vector);
  if (Math.abs(norm - 1) > UNIT)
    throw new RangeError(`An embedding has the length 1, not ${norm.toPrecision(3)}.`);
}

/**
 * A vector that came from a file, an archive or another program as an embedding.
 * @param length numbers in an embedding of the pack
 * @returns of unit length: the vector itself where it is, else a copy
 * @throws RangeError that says why it is none
 */
export function toEmbedding(vector: Float32Array, length: number): Float32Array {
  if (vector.length !== length)
    throw new RangeError(`it holds ${vector.length} numbers, this pack ${length}`);
  const unit = toUnitLength(vector);
  if (!unit) throw new RangeError('its numbers are not an embedding');
  return unit;
}

/**
 * Numbers from anywhere at unit length.
 * @returns the vector itself where it is one of unit length, else a new one; undefined: they have no direction
 */
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
