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
