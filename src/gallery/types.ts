import type { GalleryChange } from '../events/event.js';
import type { Obstacle } from '../platform/files/obstacles.js';
import type { Damaged } from '../platform/files/damage.js';

export type { ChangeKind, GalleryChange } from '../events/event.js';

/** A group of people, as `GET /api/groups` lists it. */
export interface Group {
  /** 1 to 64 of `0-9 A-Z a-z _ .`; never starts with a dot. */
  groupid: string;
  groupname: string;
}

/** One enrolled picture: an embedding and where it came from. */
export interface Face {
  /** Unique in the gallery; the file's name without `.npy`. Changes when the person is moved. */
  id: string;
  /** `groupid-userid`. */
  faceid: string;
  /** ISO 8601. */
  enrolledAt: string;
  /** Saved by automatic enrolment, not by a person. */
  automatic: boolean;
  /** The face's crop is kept beside the vector (`KEEP_FACES=true`). */
  hasPicture: boolean;
}

/** What an installation wants to remember of a person; small. */
export type Metadata = Record<string, string | number | boolean | null>;

/** One enrolled person. */
export interface Person {
  /** `groupid-userid`; neither part can hold a `-`, so it splits in one way. */
  faceid: string;
  groupid: string;
  userid: string;
  /** Display name; the userid until one is given. */
  username: string;
  metadata: Metadata;
  /** When the oldest face was enrolled, ISO 8601; undefined while there is none. */
  enrolledAt?: string;
  /** Oldest first; a person may have none. */
  faces: Face[];
}

/** An enrolled person near a probe. */
export interface Match {
  person: Person;
  /**
   * The nearest of the person's pictures. Where the template is nearer than all of them: the nearest one that the search
   * came by, or the oldest, should it have come by none.
   */
  face: Face;
  /**
   * Squared L2 distance of two unit vectors, 0 to 4 (the number faiss's IndexFlatL2 answers): the probe's and the nearest
   * reference of the person, a face or the template (docs/gallery.md).
   */
  distance: number;
}

/** Who a new picture belongs to. */
export interface Enrolment {
  groupid: string;
  userid: string;
  /** Sets or changes the display name. */
  username?: string;
  automatic?: boolean;
  /** When it was enrolled first; left out: now. Seconds count. */
  at?: Date;
  /**
   * The ID that the face had in another gallery, in which `at` and `automatic` stand, too. A new one is made where it is
   * none of this person's, or is taken.
   */
  id?: string;
  /** The aligned crop as PNG, kept beside the vector when `KEEP_FACES=true`. */
  crop?: Uint8Array;
  /** What the picture's bytes are known by (`hashPicture`): it is then known again. Left out: by its embedding alone. */
  picture?: string;
}

/** What became of a picture. */
export interface Enrolled {
  face: Face;
  /** The picture was enrolled under this person before: `face` is that one, and nothing was added. */
  already: boolean;
}

/** A person to be made without a face. */
export interface NewPerson {
  groupid: string;
  userid: string;
  username?: string;
  metadata?: Metadata;
}

/** Whom a search may find. */
export interface SearchOptions {
  /** Only people of these groups. */
  groups?: ReadonlySet<string>;
  /** Only this person. */
  faceid?: string;
}

/** For health, metrics and the status page. */
export interface GalleryInfo {
  pack: string;
  people: number;
  faces: number;
  groups: number;
  /** Faces on disk that another pack made: kept, counted, never compared. Pack id -> number of faces. */
  otherPacks: Record<string, number>;
  /** Damaged files or keys that were met since the start, set aside or passed over; the log names them. */
  setAside: number;
  /** What keeps the gallery from being written at the moment. */
  obstacle?: Obstacle;
  /** `flat`, `ivfflat`, ... */
  index: string;
}

/**
 * Who is enrolled, and who is nearest. Made by `createGallery`. All ids are checked; vectors are copied in. What
 * changes something resolves only when it is in the store, in the log of events and in this process's index, and
 * throws STORE_UNAVAILABLE (503) when one of them cannot be had at the moment, and STORAGE_FULL (503) when there is no
 * room, except for what takes something away.
 */
export interface Gallery {
  /** The oldest first. */
  groups(): Group[];
  /** @throws KaomonError GROUPID_INVALID, GROUP_EXISTS */
  createGroup(group: Group): Promise<Group>;
  /** @throws KaomonError GROUPID_INVALID, GROUP_UNKNOWN */
  updateGroup(groupid: string, groupname: string): Promise<Group>;
  /** @throws KaomonError GROUPID_INVALID, GROUP_UNKNOWN, GROUP_NOT_EMPTY */
  removeGroup(groupid: string, options: { withPeople: boolean }): Promise<void>;

  /** Everyone, by faceid. */
  people(): Person[];
  person(faceid: string): Person | undefined;
  /**
   * Somebody who was answered earlier, as they are now: also who has been moved or merged since, from the moment on at
   * which nobody is found under the old faceid any more. undefined: deleted.
   */
  current(person: Person): Person | undefined;
  /** Makes a person without a face. @throws KaomonError GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN, PERSON_EXISTS */
  createPerson(person: NewPerson): Promise<Person>;
  /** Changes the name, or replaces the metadata, or both. @throws KaomonError PERSON_UNKNOWN */
  updatePerson(faceid: string, change: { username?: string; metadata?: Metadata }): Promise<Person>;
  /**
   * Gives a person another group or userid; the faceid and the ids of the faces change with it.
   * @throws KaomonError PERSON_UNKNOWN, GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN, PERSON_EXISTS
   */
  movePerson(faceid: string, to: { groupid: string; userid: string }): Promise<Person>;
  /** All faces of `from` go to `into`, which keeps its name and metadata; `from` is gone. @throws KaomonError PERSON_UNKNOWN */
  mergePerson(from: string, into: string): Promise<Person>;
  /** Deletes a person and all faces. @throws KaomonError GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN, PERSON_UNKNOWN */
  remove(groupid: string, userid: string): Promise<void>;

  /**
   * Stores a picture's embedding and makes it searchable; a person who is not there is made.
   * @param embedding unit length, the pack's length; copied.
   * @throws KaomonError GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN; RangeError for what is no such embedding
   */
  enrol(enrolment: Enrolment, embedding: Float32Array): Promise<Face>;
  /**
   * As `enrol`, unless the person has the picture already: by its bytes where `picture` says them, or by its embedding.
   * Then only the name is changed, where another is given. What every way in uses.
   * @throws as `enrol`
   */
  enrolOnce(enrolment: Enrolment, embedding: Float32Array): Promise<Enrolled>;
  /** The person stays, without faces if it was the last. @throws KaomonError PERSON_UNKNOWN, FACE_UNKNOWN */
  removeFace(faceid: string, id: string): Promise<void>;
  /** The kept crop as PNG. @throws KaomonError PERSON_UNKNOWN, FACE_UNKNOWN */
  picture(faceid: string, id: string): Promise<Uint8Array | undefined>;
  /** A person's embeddings, read from the store; the arrays are the caller's. @throws KaomonError PERSON_UNKNOWN */
  vectors(faceid: string): Promise<{ face: Face; vector: Float32Array }[]>;

  /**
   * The nearest people, nearest first, each once.
   * @param embedding unit length, the pack's length; only read during the call.
   * @param k at most so many people, 1 or more. Fewer come back when fewer are enrolled; none when nobody is.
   */
  nearest(embedding: Float32Array, k: number, options?: SearchOptions): Promise<Match[]>;
  /**
   * How many faces a search goes through, of these groups or of all: counted as they come and go. Templates are not
   * counted: they give a stranger hardly another chance (docs/accuracy.md).
   */
  searched(groups?: ReadonlySet<string>): number;
  /** Tells of every change, also one that another worker made. @returns ends it */
  subscribe(listener: (change: GalleryChange) => void): () => void;
  /** @param groups count these only; undefined: all */
  info(groups?: ReadonlySet<string>): GalleryInfo;
  /** What is counted in `setAside`, by name: for who administrates, because files are named after people. */
  damaged(): Damaged[];
  close(): Promise<void>;
}
