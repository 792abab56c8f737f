import type { FaceQuality } from '../types.js';

/** A stranger: sightings that show one person whom nobody has named. */
export interface Unknown {
  /** `u-7`. */
  id: string;
  visits: number;
  /** Milliseconds since 1970. */
  first: number;
  last: number;
  /** In order, at most 20. */
  deviceids: string[];
  /** The sightings whose pictures are best, at most three. */
  pictures: number[];
  /** Nobody is told of it. */
  isIgnored: boolean;
  /** Another one that may be the same person: they are not joined without being asked. */
  like: string | null;
}

/** A face of a group, to be enrolled. */
export interface FaceOfUnknown {
  /** The sighting that it is of. */
  sighting: number;
  /** Unit length. */
  vector: Float32Array;
  /** The aligned crop as PNG, where it was kept. */
  crop: Uint8Array | null;
  quality: FaceQuality;
}

/** What naming a group did. */
export interface Named {
  faceid: string | null;
  /** The person was made for it. */
  isNew: boolean;
  /** IDs of the faces that were enrolled. */
  faces: readonly string[];
  /** IDs of the sightings that got the name. */
  sightings: readonly number[];
}

/** What was taken back. */
export interface Undone {
  id: string;
  /** How many sightings are nobody's again. */
  sightings: number;
  /** Whose faces are to be deleted; null: nobody's. */
  faceid: string | null;
  isNew: boolean;
  faces: string[];
}
