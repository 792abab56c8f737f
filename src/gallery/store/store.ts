import type { Obstacle } from '../../platform/files/obstacles.js';
import type { Damage } from '../../platform/files/damage.js';
import type { Face, Group, Metadata } from '../types.js';

/** What a store keeps of a person besides the faces. */
export interface Profile {
  /** Empty: none was given. */
  username: string;
  metadata: Metadata;
}

/** A face as it lies in the store. */
export interface StoredFace extends Face {
  /** Unit length; the caller's. */
  vector: Float32Array;
}

/** A person as it lies in the store. */
export interface StoredPerson extends Profile {
  faceid: string;
  faces: StoredFace[];
}

/** A person whose faces were read but for the vectors that the caller has. */
export interface ReadPerson extends Profile {
  faceid: string;
  faces: (Face & { vector?: Float32Array })[];
}

/** What a store holds for one pack. */
export interface StoreContents {
  groups: Group[];
  people: StoredPerson[];
  /** Faces of other packs, counted. */
  otherPacks: Record<string, number>;
}

/** What is asked of another pack's store. */
export type OtherPack = Pick<
  EmbeddingStore,
  'list' | 'profile' | 'recover' | 'removePerson' | 'movePerson' | 'mergePerson' | 'removeFace'
>;

/**
 * Where embeddings are kept; several processes may use one at a time. Every method that changes something resolves
 * only when the change would survive a power cut, and when it fails leaves the old or the new state behind, or (move,
 * merge) what {@link recover} brings to the new one. Removing works when the disk or Redis is full.
 */
export interface EmbeddingStore {
  /** What of it is damaged: each is named, passed over, and set aside where that is possible. */
  readonly damage: Damage;
  /** Everything. What a crash left half done is finished first. */
  load(): Promise<StoreContents>;
  /** The faceids of everyone. */
  list(): Promise<string[]>;
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
   * What keeps it from being written, or is about to; undefined: nothing. Asked before something is added, so that what
   * there is no room for leaves nothing behind.
   * @param options tend: room that was used up is kept aside again, too, where there is some
   */
  obstacle(options?: { tend?: boolean }): Promise<Obstacle | undefined>;

  /** A person's name and metadata alone; undefined when there is no such person. */
  profile(faceid: string): Promise<Profile | undefined>;
  /** The stores of the other packs beside this one; closed with it. Their vectors are never read. */
  others(): Promise<OtherPack[]>;

  /** @returns false, and changes nothing, when there is such a person */
  createPerson(faceid: string, profile: Profile): Promise<boolean>;
  /** As `createPerson`, in this pack alone, whatever others have. */
  keepPerson(faceid: string, profile: Profile): Promise<boolean>;
  /** @returns false, and makes nobody, when there is no such person */
  savePerson(faceid: string, profile: Profile): Promise<boolean>;
  removePerson(faceid: string): Promise<boolean>;
  /** The faces' ids change with the person's. */
  movePerson(from: string, to: string): Promise<'moved' | 'missing' | 'exists'>;
  /** @returns false when one of the two is not there */
  mergePerson(from: string, into: string): Promise<boolean>;

  /**
   * A person who is not there is made by the face, without a name.
   * @param profile written along when given, in the place of the one that is there
   * @param crop the face's picture as PNG, kept beside the vector
   * @throws RangeError when the vector is not one of this pack, or not of unit length
   */
  addFace(face: Face, vector: Float32Array, extras: { crop?: Uint8Array; profile?: Profile }): Promise<void>;
  /** The person stays, also without a face. @returns false when there is no such face */
  removeFace(face: Face): Promise<boolean>;
  picture(face: Face): Promise<Uint8Array | undefined>;

  /** @returns false, and changes nothing, when there is such a group */
  createGroup(group: Group): Promise<boolean>;
  saveGroup(group: Group): Promise<void>;
  /** @returns false when there is no such group */
  removeGroup(groupid: string): Promise<boolean>;

  close(): Promise<void>;
}
