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
  /** Whether there is nothing beyond them: to search deeper would be in vain. */
  isAll: boolean;
}

/** Finds the nearest of many vectors. Ids are ours; the engine behind it may number as it likes. */
export interface VectorIndex {
  /** `flat`, `ivfflat`, `onnx` or `exact`, for health and logs: the way that searches go at the moment. */
  readonly kind: string;
  readonly size: number;
  /**
   * Searches that begin afterwards find it. Quick, and never waits for a search.
   * @param vector copied
   * @throws RangeError when the id is taken, the length is another or a number is not finite
   */
  add(id: string, vector: Float32Array): void;
  /**
   * Once it returns, no search answers the id, not even one that began before. Quick like `add`.
   * @returns false when there is no such id
   */
  remove(id: string): boolean;
  /**
   * Looks at the `k` nearest and answers those of them that were not removed: removed vectors may lie in an engine for a
   * while and take places. Who needs more searches deeper, unless these are all.
   * @param query copied
   * @throws RangeError as `add`, or when k is not a whole number of 1 or more
   */
  search(query: Float32Array, k: number): Promise<Found>;
  /** Resolves when no training or rebuilding is under way or due: for tests and measurements. */
  settled(): Promise<void>;
  /** Ends what goes on behind it (a training, a thread) and frees it; nothing may be called afterwards. */
  close(): Promise<void>;
}

/** What every engine would crash or lie on. @throws RangeError */
export function checkVector(vector: Float32Array, length: number): void {
  if (vector.length !== length)
    throw new RangeError(`A vector has ${length} numbers here, not ${vector.length}.`);
  if (!vector.every(Number.isFinite)) throw new RangeError('A vector holds a number that is not finite.');
}

/** @throws RangeError */
export function checkCount(k: number): void {
  if (!Number.isInteger(k) || k < 1) throw new RangeError(`k must be a whole number of 1 or more, not ${k}.`);
}
