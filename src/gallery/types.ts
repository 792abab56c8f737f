import type { GalleryChange } from '../events/event.js';
import type { Obstacle } from '../platform/files/obstacles.js';
import type { Damaged } from '../platform/files/damage.js';
import type { Consent, ConsentState } from './consent.js';

export type { ChangeKind, GalleryChange } from '../events/event.js';

/** A group of people, as `GET /api/groups` lists it. */
export interface Group {
  /** 1 to 64 of `0-9 A-Z a-z _ .`; never starts with a dot. */
  groupid: string;
  groupname: string;
}

/** One enrolled picture: an embedding and where it came from. */
export interface Face {
  /** Unique in the gallery; the file's name without `.npy`. Changes when the person moves. */
  id: string;
  /** `groupid-userid`. */
  faceid: string;
  /** ISO 8601. */
  enrolledAt: string;
  /** Enrolled automatically, not by hand. */
  automatic: boolean;
  /** The face's crop is stored beside the vector (`KEEP_FACES=true`). */
  hasPicture: boolean;
}

/** Somebody's word that a face is not this person's. */
export interface Correction {
  /** Made like a face's; changes when the person moves. */
  id: string;
  faceid: string;
  /** When it was said, ISO 8601. */
  at: string;
  /** The face's crop is stored beside the vector (`KEEP_FACES=true`). */
  hasPicture: boolean;
}

/** A few facts about a person, as the installation likes. */
export type Metadata = Record<string, string | number | boolean | null>;

/** One enrolled person. */
export interface Person {
  /** `groupid-userid`; neither part can hold a `-`, so it splits in one way. */
  faceid: string;
  groupid: string;
  userid: string;
  /** Display name; the userid when none was given. */
  username: string;
  metadata: Metadata;
  /** To be enrolled; undefined: none was recorded. */
  consent?: Consent | undefined;
  /** When the oldest face was enrolled, ISO 8601; undefined without a face. */
  enrolledAt?: string;
  /** Oldest first; a person may have none. */
  faces: Face[];
}

/** An enrolled person near a probe. */
export interface Match {
  person: Person;
  /**
   * The person's nearest face. Where the template is nearer: the nearest of the faces that the search reached, or the
   * oldest when it reached none.
   */
  face: Face;
  /**
   * Squared L2 distance of the probe to the person's nearest face, or to the template where that is nearer, 0 to 4 (as
   * faiss's IndexFlatL2 gives it; docs/gallery.md).
   */
  distance: number;
  /**
   * ID of the correction that says that the face is not this person's. Only in a search for one person: others do not
   * find whoever is ruled out.
   */
  correction?: string;
}

/** A face to enrol: whose it is, and where it came from. */
export interface Enrolment {
  groupid: string;
  userid: string;
  /** Sets or changes the display name. */
  username?: string;
  /** Takes the place of the one that the person has. */
  consent?: Consent | undefined;
  automatic?: boolean;
  /** When it was first enrolled, to the second. Default: now. */
  at?: Date;
  /**
   * The ID of the face in another gallery, which also says `at` and `automatic`. A new one is made where it is taken, or
   * not valid for this person.
   */
  id?: string;
  /** The aligned crop as PNG, stored beside the vector; for `KEEP_FACES=true`. */
  crop?: Uint8Array;
  /** The hash of the picture (`hashPicture`), to recognise it again. Default: it is recognised by its embedding alone. */
  picture?: string;
}

/** The outcome of an enrolment. */
export interface Enrolled {
  face: Face;
  /** The person had the picture already: `face` is that one, and nothing was added. */
  already: boolean;
}

/** A person to create without a face. */
export interface NewPerson {
  groupid: string;
  userid: string;
  username?: string;
  metadata?: Metadata;
  consent?: Consent | undefined;
}

/** A person to restore. */
export interface RestoredPerson extends NewPerson {
  faces: readonly RestoredFace[];
  /** What was said not to be theirs. */
  corrections?: readonly RestoredFace[];
}

/** A face, or a correction, to restore with its person. */
export interface RestoredFace {
  /** As in the gallery that it comes from; it says when the face was enrolled, and how. */
  id: string;
  /** Unit length, the pack's length; copied. */
  vector: Float32Array;
  /** The aligned crop as PNG. */
  crop?: Uint8Array | undefined;
}

/**
 * What was erased, counted by kind. The gallery counts what its store held; who keeps something of people beside it adds
 * what that was.
 */
export type Erased = Partial<Record<ErasedKind, number>>;
export type ErasedKind =
  | 'people'
  | 'faces'
  | 'pictures'
  | 'corrections'
  | 'sightings'
  | 'sightingPictures'
  | 'detections'
  | 'journalLines';

/** Whom a search may find. */
export interface SearchOptions {
  /** Only people of these groups. */
  groups?: ReadonlySet<string>;
  /** Only this person. */
  faceid?: string;
  /** One of a call's long list: it takes one thread, and leaves the other cores to pictures. */
  isOfMany?: boolean;
}

/** In which order people are listed, if not by faceid; see `PageOptions.sort`. */
export type PeopleSort = 'name' | 'newest' | 'faces';

/** Which people {@link Gallery.people} lists. */
export interface PageOptions {
  /** Only people of these groups. */
  groups?: ReadonlySet<string>;
  /** Part of the name or of the userid, as somebody typed it; see `searchKey` (names.ts). */
  search?: string;
  /** Only people without a face, or with one. */
  pictures?: 'none' | 'some';
  /** Only people whose consent is so now. */
  consent?: ConsentState;
  /** Only people behind this faceid, who may be gone by now. */
  after?: string;
  /** So many people are passed over. Without `search` and `pictures` this costs the same at any number. */
  offset?: number;
  /** The most people to list; 0 or more. */
  limit: number;
  /**
   * By name as a search reads it (small letters, without accents), by the oldest face with the newest such person first
   * and those without a face last, or with most faces first. Default: by faceid. Any other order looks at everybody, has
   * no `next`, and goes on with `offset`.
   */
  sort?: PeopleSort;
  /** Also count all who fit, on whatever page. With `search` or `pictures` that looks at everybody. */
  count?: boolean;
  /** Checked between slices of the work. */
  signal?: AbortSignal;
}

/** Some of the people, in order, as they were when they were listed. */
export interface PeoplePage {
  people: Person[];
  /**
   * What to give as `after` for the next page, on which nobody may be; undefined where this is the last one, or they are
   * not listed by faceid.
   */
  next?: string;
  /** All who fit, where they were to be counted. */
  total?: number;
}

/** Who keeps something of everybody: see {@link Gallery.follow}. Both must be quick, and not fail. */
export interface Follower {
  /** @param person as they are now; undefined when gone */
  one: (faceid: string, person: Person | undefined) => void;
  /** Anybody may be another, and somebody may have come: what is kept must be compared. */
  all: () => void;
}

/** For health, metrics and the status page. */
export interface GalleryInfo {
  pack: string;
  people: number;
  faces: number;
  groups: number;
  /** Faces of which it was said that they are not somebody's. */
  corrections: number;
  /** Stored faces that other packs embedded, never compared. Pack id -> number of faces. */
  otherPacks: Record<string, number>;
  /** Damaged files or keys found since the start, and set aside or skipped; the log names them. */
  setAside: number;
  /** Why the gallery cannot be written at the moment. */
  obstacle?: Obstacle;
  /** How nearly everybody is searched: `flat`, `ivfflat`, `ivf-sq8`, ... */
  index: string;
  /** What of the gallery is in a snapshot; undefined: nothing is, everybody is in memory. */
  snapshot?: SnapshotInfo;
}

/** A gallery's snapshot, and what is newer. */
export interface SnapshotInfo {
  number: number;
  /** How often its search finds whom an exact one finds first, 0 to 1; 1 where it is exact. */
  recall: number;
  /** People who were added, changed or deleted since. */
  newer: number;
  /** How those are searched. */
  newerIndex: string;
}

/** Whose embeddings to copy, and where to. */
export interface VectorsOf {
  readonly faceid: string;
  /** Of all faces, in the person's order. */
  readonly ids: readonly string[];
  /** The row where the first is put; the others follow. */
  readonly at: number;
}

/**
 * Who is enrolled, and who is nearest. Made by `createGallery`. All ids are checked; vectors are copied. A change resolves
 * when it is in the store, in the event log and in this process's index. It throws STORE_UNAVAILABLE (503) when the store
 * or the log cannot be reached, and STORAGE_FULL (503) when there is no room, which a deletion does not need.
 *
 * Another worker may have changed something that this one has not heard of yet. Before anybody is told that a person, a
 * face or a group is not there, or is there already, the store is asked. What an answer says may have changed by the time
 * it is used: whoever was listed may be gone.
 */
export interface Gallery {
  /** Those that this process knows of, the oldest first. */
  groups(): Group[];
  /** @throws KaomonError STORE_UNAVAILABLE */
  group(groupid: string): Promise<Group | undefined>;
  /** @throws KaomonError GROUPID_INVALID, GROUP_EXISTS */
  createGroup(group: Group): Promise<Group>;
  /** @throws KaomonError GROUPID_INVALID, GROUP_UNKNOWN */
  updateGroup(groupid: string, groupname: string): Promise<Group>;
  /**
   * @param removed called for each person who is gone with it, even where it fails later
   * @returns what was erased of its people
   * @throws KaomonError GROUPID_INVALID, GROUP_UNKNOWN, GROUP_NOT_EMPTY
   */
  removeGroup(
    groupid: string,
    options: { withPeople: boolean; removed?: (faceid: string) => void },
  ): Promise<Erased>;

  /** Lists people, a page at a time. Those whom only other workers know of so far are missing. @throws KaomonError CLIENT_GONE */
  people(options: PageOptions): Promise<PeoplePage>;
  /** Everybody, a page at a time, for what truly needs them all. @throws KaomonError CLIENT_GONE */
  everyone(
    options?: Pick<PageOptions, 'groups' | 'pictures' | 'consent' | 'after' | 'signal'>,
  ): AsyncIterable<Person>;
  /** @throws KaomonError STORE_UNAVAILABLE */
  person(faceid: string): Promise<Person | undefined>;
  /**
   * A person from an earlier answer as they are now, even if they have been moved or merged since; undefined when
   * deleted. Answered from what this process remembers of the changes since then, so it need not wait.
   */
  current(person: Person): Person | undefined;
  /** Creates a person without a face. @throws KaomonError GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN, PERSON_EXISTS */
  createPerson(person: NewPerson): Promise<Person>;
  /**
   * Creates people with all their faces, for an import: told to listeners as `created` alone. Many times faster than one
   * by one. Each person is made with all faces or not at all.
   * @param people their embeddings are only read until it resolves
   * @returns of each, the person who was made; undefined, and nothing changed, where there is one
   * @throws KaomonError GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN; RangeError when an embedding or the ID of a face is
   *   not valid; then nobody is made. STORE_UNAVAILABLE, STORAGE_FULL: then some may have been
   */
  restorePeople(people: readonly RestoredPerson[]): Promise<(Person | undefined)[]>;
  /** Whether this process knows of a person; the store is not asked. */
  knows(faceid: string): boolean;
  /**
   * Changes the name, or replaces the metadata or the consent.
   * @param change consent: null takes it away
   * @throws KaomonError PERSON_UNKNOWN
   */
  updatePerson(
    faceid: string,
    change: { username?: string; metadata?: Metadata; consent?: Consent | null },
  ): Promise<Person>;
  /**
   * Gives a person another group or userid; the faceid and the ids of the faces change with it.
   * @throws KaomonError PERSON_UNKNOWN, GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN, PERSON_EXISTS
   */
  movePerson(faceid: string, to: { groupid: string; userid: string }): Promise<Person>;
  /** Gives all faces of `from` to `into`, which keeps its name and metadata, and deletes `from`. @throws KaomonError PERSON_UNKNOWN */
  mergePerson(from: string, into: string): Promise<Person>;
  /**
   * Deletes a person and all faces.
   * @throws KaomonError GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN, PERSON_UNKNOWN
   */
  remove(groupid: string, userid: string): Promise<Erased>;
  /**
   * Deletes a person if that is right for them as the store has them at this moment.
   * @returns undefined: it is not, or they are gone; nothing was changed
   */
  removeIf(faceid: string, isRight: (person: Person) => boolean): Promise<Erased | undefined>;

  /**
   * Stores a face's embedding and makes it searchable; creates the person where necessary.
   * @param embedding unit length, the pack's length; copied
   * @throws KaomonError GROUPID_INVALID, USERID_INVALID, GROUP_UNKNOWN; RangeError when the embedding is not valid
   */
  enrol(enrolment: Enrolment, embedding: Float32Array): Promise<Face>;
  /**
   * As `enrol`, unless the person has the picture already, judged by its hash (`picture`) or its embedding: then only the
   * name changes, where another is given. Every way in uses it.
   * @throws as `enrol`
   */
  enrolOnce(enrolment: Enrolment, embedding: Float32Array): Promise<Enrolled>;
  /** Deletes a face; the person stays, even without a face. @throws KaomonError PERSON_UNKNOWN, FACE_UNKNOWN */
  removeFace(faceid: string, id: string): Promise<void>;
  /** The stored crop as PNG; undefined when there is none. @throws KaomonError PERSON_UNKNOWN, FACE_UNKNOWN */
  picture(faceid: string, id: string): Promise<Uint8Array | undefined>;
  /** A person's embeddings, read from the store; the arrays are the caller's. @throws KaomonError PERSON_UNKNOWN */
  vectors(faceid: string): Promise<{ face: Face; vector: Float32Array }[]>;
  /**
   * Copies embeddings at once and without the store: from the base, of people who have not changed since it was made.
   * @param into a matrix with a row a vector
   * @returns of each, whether they were copied; false where the store must be asked or the person has other faces
   */
  copyVectors(of: readonly VectorsOf[], into: Float32Array): boolean[];

  /**
   * Stores that a face is not a person's: from then on it names them nowhere, nor does a face that is nearer to it than to
   * all of theirs.
   * @param embedding unit length, the pack's length; copied
   * @param crop the aligned face as PNG
   * @param id of the correction in another gallery, which also says when it was said. A new one is made where it is taken,
   *   or not valid for this person
   * @returns `already`: the same was said before
   * @throws KaomonError PERSON_UNKNOWN, CORRECTION_REFUSED; RangeError when the embedding is not valid
   */
  correct(
    faceid: string,
    embedding: Float32Array,
    crop?: Uint8Array,
    id?: string,
  ): Promise<{ correction: Correction; already: boolean }>;
  /** @throws KaomonError PERSON_UNKNOWN, CORRECTION_UNKNOWN */
  removeCorrection(faceid: string, id: string): Promise<void>;
  /** Of a person, or of everybody in these groups; by person, the oldest first. */
  corrections(of?: { faceid?: string | undefined; groups?: ReadonlySet<string> | undefined }): Correction[];
  /** A person's, with their embeddings, which are only read; none where nobody is so called. */
  correctionVectors(faceid: string): { correction: Correction; vector: Float32Array }[];
  /** The face's crop as PNG; undefined when there is none. @throws KaomonError CORRECTION_UNKNOWN */
  correctionPicture(faceid: string, id: string): Promise<Uint8Array | undefined>;
  /**
   * The correction that rules a person out for a face.
   * @param distance squared L2 of the face to the person
   */
  ruledOut(faceid: string, embedding: Float32Array, distance: number): Correction | undefined;

  /**
   * The nearest people, nearest first, each once; without those whom a correction rules out.
   * @param embedding unit length, the pack's length; only read during the call
   * @param k the most people to return, 1 or more; fewer where fewer are enrolled
   */
  nearest(embedding: Float32Array, k: number, options?: SearchOptions): Promise<Match[]>;
  /** The naming threshold that somebody chose for this pack, squared L2, here or in another worker; undefined: none. */
  threshold(): number | undefined;
  /** Chooses one for all workers, or none (undefined). @throws RangeError when it is not above 0 and at most 4 */
  setThreshold(identical: number | undefined): Promise<void>;
  /**
   * How many faces a search compares, of these groups or of all. Templates are not counted: they hardly give a stranger
   * another chance (docs/accuracy.md).
   */
  searched(groups?: ReadonlySet<string>): number;
  /** Calls the listener for every change, also of other workers. @returns ends the subscription */
  subscribe(listener: (change: GalleryChange) => void): () => void;
  /** Tells the follower who may be another from now on in this process's answers, however it learnt of that. @returns ends it */
  follow(follower: Follower): () => void;
  /**
   * Applies what other workers have done by now, for who asks by what the store knows nobody by, such as a name. Where that
   * is not possible it does nothing.
   */
  catchUp(): Promise<void>;
  /** @param groups count these only; undefined: all */
  info(groups?: ReadonlySet<string>): GalleryInfo;
  /** What `setAside` counts, by name; for administrators only, because files are named after people. */
  damaged(): Damaged[];
  close(): Promise<void>;
}
