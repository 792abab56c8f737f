import type { Match } from '../gallery/types.js';
import type { AnalysedFace } from '../vision/types.js';
import type { Odds } from './odds.js';

/** A match with its odds. */
export interface RatedMatch extends Match {
  /** undefined when the pack was not measured. */
  odds: Odds | undefined;
}

/** What is identified: a face of a picture, or an embedding whose picture is elsewhere. */
export type Probe = Pick<AnalysedFace, 'embedding' | 'unfit' | 'quality'> &
  Partial<Pick<AnalysedFace, 'box'>>;

/** A face and who it is. */
export interface IdentifiedFace<F = AnalysedFace> {
  face: F;
  /** The at most `k` nearest people, nearest first, however far; empty for an unfit face. */
  candidates: RatedMatch[];
  /** The candidates who are near enough to be named. */
  matches: RatedMatch[];
  /** Who it is: the first of `matches`. */
  match: RatedMatch | undefined;
}

/** One face of a frame, as it was settled, for whoever keeps who came by (src/sightings). */
export interface ObservedFace extends Probe {
  /** Who it is; undefined: a stranger, or nobody can tell. */
  match: RatedMatch | undefined;
  /** Of its box, square pixels; undefined where only an embedding is known. */
  area?: number;
  /** The aligned face: RGB, a square; only where the embedding was computed for this frame and pictures are kept. */
  aligned?: Uint8Array;
  /** Its number among the faces of its connection; undefined: nobody follows it. */
  track?: number;
}

/** Where faces were seen. */
export interface Place {
  /** The camera. */
  deviceid: string;
  /** The connection that numbers the tracks, the same object each time. */
  source?: object;
}

/** Is told of all faces that are identified. */
export interface Observer {
  /** Whether pictures of faces are kept, so that `ObservedFace.aligned` is wanted. */
  readonly wantsPictures: boolean;
  /** Returns at once and never throws. */
  observe(place: Place, faces: readonly ObservedFace[]): void;
}
