/**
 * A sighting is a visit that is kept: one person, or one stranger, at one camera from the first frame to the last. Each
 * worker folds what it saw into parts of visits (visits.ts); the store joins the parts of all workers of a machine.
 */

/** Why a sighting is told to others. `unknown`: a stranger stayed, or has gone without being named. */
export type HappeningKind = 'arrived' | 'left' | 'unknown';

/** How often a person was named in a visit, and how surely. */
export interface Vote {
  faceid: string;
  /** Sum of the areas of the faces that were named so, square pixels. */
  weight: number;
  /** The least one, squared L2. */
  distance: number;
  /** Of a million strangers, at that distance; null: not measured. */
  odds: number | null;
  oddsAtMost: boolean;
}

/** How good a visit's best face is, as `Quality` (src/vision/types.ts) says it; null: not measured. */
export interface FaceQuality {
  size: number | null;
  sharpness: number | null;
  yaw: number | null;
  pitch: number | null;
  roll: number | null;
}

/** The face of a visit that is best to look at and to compare. */
export interface BestFace extends FaceQuality {
  /** Larger is better; see `scoreOf` (best-face.ts). */
  score: number;
  /** Unit length, the pack's length, float32. */
  vector: Float32Array;
  /** The aligned crop as PNG; only with `KEEP_SIGHTINGS`. */
  crop: Uint8Array | null;
}

/** What one worker saw of a visit. It is written again, as a whole, when it has changed. */
export interface VisitPart {
  /** Unique; what is written twice changes nothing. */
  uid: string;
  /** The camera: `deviceid` of the call, else the name of its key. */
  deviceid: string;
  /** Milliseconds since 1970; `first` <= `last`. */
  first: number;
  last: number;
  /** How many frames the face was in. */
  frames: number;
  /** In how many of them its embedding was computed and fit to be compared. */
  fits: number;
  votes: Vote[];
  /** The weight of the fit faces that were nobody's, as in {@link Vote}. */
  nobody: number;
  /** Left out where it has not changed since it was last written. */
  best?: BestFace;
  /** Nothing more comes. */
  isEnded: boolean;
}

/** A sighting as it is kept, without its vector and picture. */
export interface Sighting {
  id: number;
  deviceid: string;
  /** Milliseconds since 1970. */
  first: number;
  last: number;
  frames: number;
  fits: number;
  /** Whom most of the frames show; null: a stranger, or a tie. */
  faceid: string | null;
  /** Least distance to that person, squared L2; null for a stranger. */
  distance: number | null;
  odds: number | null;
  oddsAtMost: boolean;
  quality: FaceQuality;
  /** The stranger's group of sightings (src/sightings/unknowns): `u-7`. */
  unknown: string | null;
  hasPicture: boolean;
  /** Nobody's votes change the name any more: somebody has said who it is, or who it is not. */
  isSettled: boolean;
  /** The visit goes on. */
  isOpen: boolean;
}

/** Which sightings to list. All that are given must hold. */
export interface SightingFilter {
  /** Sightings that were not over before this, milliseconds since 1970. */
  from?: number;
  /** Sightings that had begun before this. */
  to?: number;
  faceid?: string;
  /** People of these groups only, so no strangers; undefined: all, and strangers. */
  groups?: readonly string[];
  deviceid?: string;
  /** Strangers only, people only, or one stranger's: `u-7`. */
  unknown?: boolean | string;
}

/** Where a page of sightings, newest first, goes on. */
export interface Cursor {
  last: number;
  id: number;
}

/** Something that happened to a sighting, by position: `seq` grows, also over the workers of a machine. */
export interface Happening {
  seq: number;
  /** Milliseconds since 1970. */
  at: number;
  kind: HappeningKind;
  /** As it is now; null where it has been deleted since. */
  sighting: Sighting | null;
}

/** What is in the store: of all workers. */
export interface Kept {
  sightings: number;
  /** Those of strangers among them. */
  strangers: number;
  /** Strangers whose sightings stand together. */
  unknowns: number;
  /** When the oldest one was over, milliseconds since 1970; null: there are none. */
  oldest: number | null;
  /** Size of the file. */
  bytes: number;
}
