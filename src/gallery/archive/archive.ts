/** An archive of either version, as an import sees it. */
import type { Consent } from '../consent.js';
import type { Metadata } from '../types.js';
import type { ArchivedGroup } from './format.js';

/** A face of an archive. */
export interface FaceToTake {
  id: string;
  /** Unit length; the caller's. */
  vector: Float32Array;
  /** Where there is one. */
  picture?: () => Promise<Buffer>;
  /** Bytes of the picture. */
  pictureBytes: number;
}

/** A person of an archive, or some more faces of the person before. */
export interface PersonToTake {
  faceid: string;
  groupid: string;
  userid: string;
  username: string;
  metadata: Metadata;
  consent?: Consent | undefined;
  faces: FaceToTake[];
  /** What was said not to be theirs: with the first of several in a row. */
  corrections: readonly CorrectionToTake[];
}

/** A correction of an archive. */
export interface CorrectionToTake {
  id: string;
  /** Unit length. */
  vector: Float32Array;
  /** PNG. */
  crop?: Uint8Array;
}

/** What an archive holds. */
export interface Totals {
  people: number;
  faces: number;
}

export interface CheckOptions {
  /** Called for each group and each person's group; throws to refuse the archive. */
  requireGroup: (groupid: string) => void;
  /** Groups that are there already: people may belong to them. */
  known: ReadonlySet<string>;
  /** Called for each person; throws to refuse the archive. */
  requirePerson?: ((person: { faceid: string; consent?: Consent | undefined }) => Promise<void>) | undefined;
  signal?: AbortSignal | undefined;
}

/** An archive that is open. */
export interface Archive {
  readonly pack: { id: string; length: number };
  /**
   * Reads and checks everything that is in it; nothing else may be called before.
   * @throws KaomonError ARCHIVE_INVALID, OTHER_PACK, CLIENT_GONE, and what `requireGroup` throws
   */
  check(options: CheckOptions): Promise<Totals>;
  groups(): AsyncIterable<ArchivedGroup>;
  /** Everybody, by faceid in version 2; several in a row may be one person. */
  people(): AsyncIterable<PersonToTake>;
  close(): Promise<void>;
}
