import type { Match } from '../gallery/types.js';
import type { AnalysedFace, EmptyScene, KnownFace } from '../vision/types.js';

/** A face, followed through the frames. */
export interface Track {
  /** The face's number in the answers. */
  id: number;
  face: AnalysedFace;
  /** From its last embedding. */
  thumbnail: Float32Array | undefined;
  embedding: Float32Array | undefined;
  embeddedAt: number;
  /** Frames since its last embedding. */
  frames: number;
  /** Who it is: the best recent match; undefined while unknown. */
  match: Match | undefined;
  /** The nearest person at the last embedding, however far. */
  nearest: Match | undefined;
  matchedAt: number;
  /** Why the face was unfit at its last embedding, with its quality then. */
  unfit: Pick<AnalysedFace, 'unfit' | 'quality'> | undefined;
  /** The last embedding contradicted `match`: the next frame decides. */
  isDoubted: boolean;
  lostAt: number;
}

/** What to do with the next frame. */
export interface Plan {
  search: boolean;
  /** Where nobody is known: the frame in which nobody was found. One that shows the same is not searched. */
  quiet: EmptyScene | undefined;
  closeUps: boolean;
  /** The smallest face to look for, pixels. */
  minFaceSize: number;
  /** How often everything had been doubted. */
  doubts: number;
  tracks: Track[];
  faces: KnownFace[];
}

/** The time and the threshold of one frame. */
export interface Moment {
  /** Milliseconds of the clock. */
  now: number;
  /** Squared L2: a face is named below this distance. It changes as people come and go. */
  identical: number;
}
