import type { Obstacle } from '../../platform/files/obstacles.js';
import type { Damage } from '../../platform/files/damage.js';
import type { Consent } from '../consent.js';
import type { Correction, Face, Group, Metadata } from '../types.js';

/** What a store holds of a person besides the faces. */
export interface Profile {
  /** Empty: none was given. */
  username: string;
  metadata: Metadata;
  consent?: Consent | undefined;
}

/** A face as it is stored. */
export interface StoredFace extends Face {
  /** Unit length; the caller's. */
  vector: Float32Array;
}

/** A face to store. */
export interface NewFace {
  face: Face;
  /** Unit length. */
  vector: Float32Array;
  /** The face's picture as PNG. */
  crop?: Uint8Array | undefined;
}

/** A person to store with all faces. */
export interface FilledPerson {
  faceid: string;
  profile: Profile;
  faces: readonly NewFace[];
  corrections?: readonly NewCorrection[];
}

/** A correction to store with its person. */
export interface NewCorrection {
  correction: Correction;
  /** Unit length. */
  vector: Float32Array;
  /** The face's picture as PNG. */
  crop?: Uint8Array | undefined;
}

/** A correction as it is stored. */
export interface StoredCorrection extends Correction {
  /** Of the face that is not the person's; unit length, only read. */
  vector: Float32Array;
}

/** A person as they are stored. */
export interface StoredPerson extends Profile {
  faceid: string;
  faces: StoredFace[];
  corrections?: StoredCorrection[];
}

/** A person, read without the vectors that the caller has already. */
export interface ReadPerson extends Profile {
  faceid: string;
  faces: (Face & { vector?: Float32Array })[];
  /** All of them, oldest first; undefined: not read, they are as they were. */
  corrections?: StoredCorrection[];
}

/** What a store held of a person who is removed, counted; of all packs. */
export interface Removed {
  faces: number;
  /** Kept pictures, of faces and of corrections. */
  pictures: number;
  corrections: number;
}

/** When a person's files were changed, for a comparison with what was read before. */
export interface Stamp {
  /** Milliseconds, the sum over the person's folder, `person.json` and the vectors. */
  modified: number;
  changed: number;
  /** The latest of them all, milliseconds since 1970. */
  newest: number;
}

/** @param faces ids of the faces they had @returns undefined when there is no such person */
export type Stamper = (faceid: string, faces: readonly string[]) => Stamp | undefined;

/** What a store holds for one pack. */
export interface StoreContents {
  groups: Group[];
  people: StoredPerson[];
  /** Faces of other packs, counted. */
  otherPacks: Record<string, number>;
}

export interface LoadOptions {
  /** @param done people read of all */
  onProgress?: ((done: number, all: number) => void) | undefined;
  /** Ends it. */
  signal?: AbortSignal | undefined;
}

/** What another pack's store is used for. */
export type OtherPack = Pick<
  EmbeddingStore,
  | 'list'
  | 'peopleIn'
  | 'profile'
  | 'savePerson'
  | 'recover'
  | 'stamper'
  | 'removePerson'
  | 'movePerson'
  | 'mergePerson'
  | 'removeFace'
>;

/**
 * Where embeddings are stored; several processes may use it at once. A method that changes something resolves when the
 * change would survive a power cut. When it fails it leaves the old or the new state behind, or, for a move or merge, one
 * that {@link recover} completes. Removing works even when the disk or Redis is full.
 */
export interface EmbeddingStore {
  /** What is damaged in it: skipped, and set aside where that is possible. */
  readonly damage: Damage;
  /** Makes what is missing of an empty store, and finishes what a crash interrupted. */
  prepare(): Promise<void>;
  /** Everything, after {@link prepare}. @throws the signal's reason */
  load(options?: LoadOptions): Promise<StoreContents>;
  /** Faces of other packs, counted. */
  countOtherPacks(): Promise<Record<string, number>>;
  /**
   * A person whose stamp is the same has not changed: no file of theirs was added, removed, replaced or written to, by
   * whomever. Asking blocks, for microseconds. Absent: the store has no dates.
   */
  stamper?(): Promise<Stamper>;
  /** The faceids of everyone. */
  list(): Promise<string[]>;
  /** The faceids of a group's people, where that is quicker than all of them. */
  peopleIn?(groupid: string): Promise<string[]>;
  /**
   * One person as it is now, or undefined.
   * @param known ids of faces whose vectors need not be read
   */
  readPerson(faceid: string, known: ReadonlySet<string>): Promise<ReadPerson | undefined>;
  /** The oldest first. */
  readGroups(): Promise<Group[]>;
  /** Finishes moves and merges whose process has died. */
  recover(): Promise<void>;

  /**
   * Why it cannot be written, or soon cannot; undefined when it can. Checked before an addition, so that one without room
   * leaves nothing behind.
   * @param options tend: also fill up the reserve of disk space where there is room again
   */
  obstacle(options?: { tend?: boolean }): Promise<Obstacle | undefined>;

  /** A person's name and metadata; undefined when there is no such person. */
  profile(faceid: string): Promise<Profile | undefined>;
  /** The stores of the other packs, closed with this one. Their vectors are never read. */
  others(): Promise<OtherPack[]>;

  /** @returns false, changing nothing, when the person exists in any pack */
  createPerson(faceid: string, profile: Profile): Promise<boolean>;
  /** As `createPerson`, but looks only at this pack. */
  keepPerson(faceid: string, profile: Profile): Promise<boolean>;
  /**
   * Creates people with all faces and corrections, many times faster than one by one. No reader sees a part of one of them.
   * @returns of each: false, and nothing was changed, when the person exists in any pack
   * @throws RangeError as `addFace`, and then nobody is created; when the store fails, some may have been
   */
  addPeople(people: readonly FilledPerson[]): Promise<boolean[]>;
  /** @returns false, changing nothing, when there is no such person */
  savePerson(faceid: string, profile: Profile): Promise<boolean>;
  /** @returns undefined when there is no such person */
  removePerson(faceid: string): Promise<Removed | undefined>;
  /** The faces' ids change with the person's. */
  movePerson(from: string, to: string): Promise<'moved' | 'missing' | 'exists'>;
  /** @returns false when one of the two does not exist */
  mergePerson(from: string, into: string): Promise<boolean>;

  /**
   * Creates the person, without a name, where necessary.
   * @param profile replaces the person's
   * @param crop the face's picture as PNG, stored beside the vector
   * @throws RangeError when the vector is not one of this pack, or not of unit length
   */
  addFace(face: Face, vector: Float32Array, extras: { crop?: Uint8Array; profile?: Profile }): Promise<void>;
  /** The person stays, even without a face. @returns false when there is no such face */
  removeFace(face: Face): Promise<boolean>;
  picture(face: Pick<Face, 'faceid' | 'id'>): Promise<Uint8Array | undefined>;

  /** The faceids of people who have corrections, or had some. */
  corrected(): Promise<string[]>;
  /**
   * Goes with the person: moved, merged and deleted with them.
   * @param crop the face's picture as PNG, stored beside the vector
   * @returns false, changing nothing, when there is no such person
   * @throws RangeError as `addFace`
   */
  addCorrection(correction: Correction, vector: Float32Array, crop?: Uint8Array): Promise<boolean>;
  /** @returns false when there is no such correction */
  removeCorrection(correction: Pick<Correction, 'faceid' | 'id'>): Promise<boolean>;

  /** @returns false, changing nothing, when the group exists */
  createGroup(group: Group): Promise<boolean>;
  saveGroup(group: Group): Promise<void>;
  /** @returns false when there is no such group */
  removeGroup(groupid: string): Promise<boolean>;

  /** The naming threshold that somebody chose for this pack, squared L2; undefined: none. */
  readThreshold(): Promise<number | undefined>;
  /** @param identical undefined: none any more */
  saveThreshold(identical: number | undefined): Promise<void>;

  close(): Promise<void>;
}
