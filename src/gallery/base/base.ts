/**
 * The base of a gallery: everybody as of one moment, read-only, in files that all workers of a machine map. What changed
 * since is laid over it by `memory.ts`.
 */
import type { Consent } from '../consent.js';
import type { Face, Group, Metadata } from '../types.js';

/** A range of rows or of people, the end excluded. */
export interface Range {
  first: number;
  end: number;
}

/** A person of the base. Made anew at every call. */
export interface BasePerson {
  faceid: string;
  /** Empty: none was given. */
  username: string;
  metadata: Metadata;
  consent?: Consent | undefined;
  /** Oldest first; the row of `faces[i]` is `rows.first + i`. */
  faces: Face[];
  /** The rows of the faces, then that of the template where there is one. */
  rows: Range;
}

/** What the base knows of a group. */
export interface BaseGroup {
  people: Range;
  rows: Range;
  /** How many faces its people have. */
  faces: number;
}

/** The people of a base, sorted by faceid (code units) and numbered from 0. Nothing here is asynchronous or holds everybody in memory. */
export interface BasePeople {
  /** Its number, which grows. */
  readonly number: number;
  /** The place in the event log up to which it holds at least; '' when there was no log. */
  readonly position: string;
  readonly people: number;
  readonly faces: number;
  readonly rows: number;
  /** The groups as the store had them, the oldest first. */
  readonly storedGroups: Group[];
  /** Faces of other packs, counted. */
  readonly otherPacks: Record<string, number>;

  /** The number of a person; -1 when there is none. */
  indexOf(faceid: string): number;
  /** The number of the first person whose faceid is not below this text, which has no zero in it; `people`: none. */
  firstFrom(faceid: string): number;
  /** @param at a person's number */
  faceidAt(at: number): string;
  personAt(at: number): BasePerson;
  /** Whose row this is, a person's number. */
  ownerOf(row: number): number;
  /** By groupid; a group without people is not in it. */
  groups(): ReadonlyMap<string, BaseGroup>;
  /**
   * The next person from `from` on whose name or userid contains a text; -1 when there is none before `end`.
   * @param key as `searchKey` (names.ts) makes it
   */
  find(key: string, from: number, end: number): number;
}

/** The nearest rows of a base, nearest first. */
export interface NearestRows {
  rows: Uint32Array;
  /** Squared L2, exact. */
  distances: Float32Array;
}

/** The vectors of a base. */
export interface BaseVectors {
  /** `flat`, `ivf-sq8`, ... */
  readonly kind: string;
  readonly rows: number;
  /** Recall at 1 against exact search, measured when the lists were made, 0 to 1; 1 where every search is exact. */
  readonly recall: number;
  /**
   * The `k` nearest rows that are not tombstones: of all, or of some ranges. Fewer than `k` only when there are no more.
   * @param query copied
   * @param ranges ascending, apart from one another; default: all rows
   * @param isOfMany takes one thread, and leaves the others to pictures
   */
  search(query: Float32Array, k: number, ranges?: readonly Range[], isOfMany?: boolean): Promise<NearestRows>;
  /** Once it returns, no search that begins finds these rows; one that runs may. */
  remove(rows: Range): void;
  /** A copy. */
  vectorAt(row: number): Float32Array;
  /** Copies rows that follow each other. @param at the row of `into` where the first is put; there must be room */
  copyRows(rows: Range, into: Float32Array, at: number): void;
  /** Frees the files when the searches that run have ended; nothing may be called afterwards. */
  close(): Promise<void>;
}

export interface Base {
  people: BasePeople;
  vectors: BaseVectors;
  close(): Promise<void>;
}
