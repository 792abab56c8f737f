/** What a check-up of the gallery found. By IDs alone: names and pictures are asked of the gallery when it is shown. */

/** A picture of a person that is not like the person's others. Distances are squared L2. */
export interface OddPicture {
  /** ID of the face. */
  face: string;
  /** The nearest of the person's other pictures, or of the larger part of them, and how far it is. */
  nearest: string;
  distance: number;
  /** Somebody else who is nearer, below the threshold. */
  other?: { faceid: string; face: string; distance: number };
}

/** A person whose pictures fall into parts that show different people. */
export interface Disagreement {
  faceid: string;
  /** As many pictures show one as show another: it cannot be told which are wrong. */
  undecided: boolean;
  /** Those of the smaller parts; of all parts where it is undecided. */
  pictures: OddPicture[];
}

/** Two people who would be taken for each other. */
export interface NearPair {
  /** By faceid. */
  faceids: [string, string];
  /** The two pictures that are nearest. */
  faces: [string, string];
  distance: number;
}

/** Why a picture is weak. */
export type Weakness =
  /** It is nearer to somebody else than to the person's other pictures. */
  | 'nearer-to-another'
  /** The person's other pictures would not recognise it. */
  | 'far-from-own';

export interface WeakPicture extends OddPicture {
  faceid: string;
  reason: Weakness;
}

/** How many faces fell into each step of distance: see {@link STEPS}. */
export type Histogram = number[];

/** Steps of a histogram from 0 to 4, the farthest that unit vectors can be. */
export const STEPS = 400;
export const FARTHEST = 4;

/**
 * Every enrolled picture in turn is left out and looked for among the others, as a probe would be. A picture counts in one
 * step: that of the person who is nearest to it.
 */
export interface Tally {
  /** To the nearest other picture of the same person; pictures of people who have one are left out. */
  same: Histogram;
  /** To the nearest picture of anybody else: how near a stranger comes. */
  different: Histogram;
  /** Of the pictures in `same`: nearest is somebody else, at this distance. */
  wrong: Histogram;
  /** Of the pictures in `same`: nearest is the person, at this distance. */
  right: Histogram;
}

/** What one pass over everybody found. */
export interface Findings {
  /** Naming threshold at the time, squared L2. */
  threshold: number;
  /** Two pictures are of two people from this distance on. */
  apart: number;
  people: number;
  pictures: number;
  /** Worst first; at most {@link MOST_LISTED}. */
  disagreeing: Disagreement[];
  pairs: NearPair[];
  weak: WeakPicture[];
  /** How many there are, listed or not. */
  totals: { disagreeing: number; pairs: number; weak: number };
  tally: Tally;
}

export const MOST_LISTED = 1000;
