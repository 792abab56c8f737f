import type { Match } from '../gallery/types.js';
import type { AnalysedFace } from '../vision/types.js';
import type { Odds } from './odds.js';

/** A match with the odds that it is a stranger's. */
export interface RatedMatch extends Match {
  /** undefined: nobody measured this pack. */
  odds: Odds | undefined;
}

/** What is compared with everybody enrolled: a face of a picture, or an embedding whose picture is elsewhere. */
export type Probe = Pick<AnalysedFace, 'embedding' | 'unfit' | 'quality'> &
  Partial<Pick<AnalysedFace, 'box'>>;

/** A face and who it is. */
export interface IdentifiedFace<F = AnalysedFace> {
  face: F;
  /** The nearest enrolled people, at most `k`, nearest first, however far; nobody for a face that is unfit. */
  candidates: RatedMatch[];
  /** Those of the candidates who are near enough to be named. */
  matches: RatedMatch[];
  /** Who it is: the first of `matches`. */
  match: RatedMatch | undefined;
}
