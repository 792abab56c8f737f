/** A vector found near a query. */
export interface Hit {
  id: string;
  /** Squared L2 distance. */
  distance: number;
}

/** What a search found. */
export interface Found {
  /** Nearest first. */
  hits: Hit[];
  /** Whether these are all vectors, so that a larger `k` would find no more. */
  isAll: boolean;
}

/** Finds the nearest of many vectors. */
export interface VectorIndex {
  /** The current way of searching, for health and logs: `flat`, `ivfflat`, `onnx`, `onnx (cuda)` or `exact`. */
  readonly kind: string;
  readonly size: number;
  /**
   * Searches that begin afterwards find it. Fast, and never waits for a search.
   * @param vector copied
   * @throws RangeError when the id is taken, the length is wrong or a number is not finite
   */
  add(id: string, vector: Float32Array): void;
  /**
   * Once it returns, no search finds the id, not even one that began before. As fast as `add`.
   * @returns false when there is no such id
   */
  remove(id: string): boolean;
  /**
   * Finds the `k` nearest, less those of them that were removed: an engine may still hold removed vectors for a while. A
   * caller who needs more searches again with a larger `k`, unless `isAll`.
   * @param query copied
   * @throws RangeError as `add`, or when k is not a whole number of 1 or more
   */
  search(query: Float32Array, k: number): Promise<Found>;
  /** Resolves when no training or rebuilding is running or due; for tests and measurements. */
  settled(): Promise<void>;
  /** Ends background work (a training, a thread) and frees the index; nothing may be called afterwards. */
  close(): Promise<void>;
}

/** Refuses a vector on which an engine would crash or answer nonsense. @throws RangeError */
export function checkVector(vector: Float32Array, length: number): void {
  if (vector.length !== length)
    throw new RangeError(`A vector has ${length} numbers here, not ${vector.length}.`);
  // Nothing finite times 0 is anything but 0. A loop, because an import checks a hundred million numbers.
  let sum = 0;
  for (let i = 0; i < length; i++) sum += vector[i] * 0;
  if (sum !== 0) throw new RangeError('A vector holds a number that is not finite.');
}

/** @throws RangeError */
export function checkCount(k: number): void {
  if (!Number.isInteger(k) || k < 1) throw new RangeError(`k must be a whole number of 1 or more, not ${k}.`);
}
