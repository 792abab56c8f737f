/** A vector engine outside of this process, which all workers share. It knows vectors by id; who people are is in the store. */
import type { Hit } from '../index/vector-index.js';
import type { Obstacle, SearchObstacle } from '../../platform/files/obstacles.js';

/** A vector to keep. */
export interface EngineRow {
  /** Of a face, or of a template (`template-ids.ts`); the same id always has the same vector. */
  id: string;
  /** Whose it is: the faceid, and the group of it. */
  person: string;
  group: string;
  /** Unit length, the pack's length; only read. */
  vector: Float32Array;
}

/** The vectors of one pack. Every method throws KaomonError STORE_UNAVAILABLE when the engine is away or has lost them. */
export interface VectorEngine {
  /** `milvus flat`, `milvus ivf_flat`, ... */
  readonly kind: string;
  /** What was written so many milliseconds ago is found by every search, and what was removed is not. */
  readonly settles: number;
  /** The largest `k` of a search. */
  readonly most: number;
  /**
   * The nearest, nearest first, with their squared L2 distances. It may lack what was written within `settles`, and hold what
   * was removed.
   * @param groups only of these; default: of all
   */
  search(query: Float32Array, k: number, groups?: ReadonlySet<string>): Promise<Hit[]>;
  /**
   * The vectors of these ids, less those that it lacks; the arrays are the caller's.
   * @param fresh also what was written a moment ago; takes 0.3 s
   */
  vectors(ids: readonly string[], options?: { fresh?: boolean }): Promise<Map<string, Float32Array>>;
  /** Which of these ids it has. @param options as of `vectors` */
  held(ids: readonly string[], options?: { fresh?: boolean }): Promise<Set<string>>;
  /** Writes; the same again changes nothing. */
  write(rows: readonly EngineRow[]): Promise<void>;
  /** Removes what is there of these. */
  remove(ids: readonly string[]): Promise<void>;
  /** How many vectors it has, whoever wrote them. */
  count(): Promise<number>;
  /** Asks it to write its files anew without what was removed. */
  compact(): Promise<void>;
  /** Why it could not be searched when last asked. */
  trouble(): SearchObstacle | undefined;
  /** Why it cannot be used: it is asked now, unless that is known and it is asked all the time. */
  obstacle(): Promise<Obstacle | undefined>;
  close(): Promise<void>;
}
