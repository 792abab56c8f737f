import type { Box } from './geometry.js';
import { type Odds, SURE_ODDS } from './odds.js';

/** Who a face is; empty and null for an unknown one. */
export interface Identity extends Odds {
  /** `groupid-userid`, or '' for an unknown face. */
  faceid: string;
  userid: string | null;
  username: string | null;
  groupid: string | null;
  groupname: string | null;
  /** Squared L2 distance to the nearest person; null when nobody is enrolled or it was not told. */
  distance: number | null;
  /** Why it is nobody's: nobody can be told apart by it. */
  reason?: Unfit;
}

/** Why nobody is recognised by a face; words.unfit says it. */
export type Unfit = 'turned' | 'too_small' | 'too_blurred';

/** Who it is, out of an answer that says more; an older server tells no odds. */
export function identityOf(face: Omit<Identity, keyof Odds> & Partial<Odds>): Identity {
  const { faceid, userid, username, groupid, groupname, distance, reason } = face;
  const { odds = null, oddsAtMost = false } = face;
  const who = { faceid, userid, username, groupid, groupname, distance, odds, oddsAtMost };
  return reason ? { ...who, reason } : who;
}

/** How fit a face is for enrolment, as the server measures it. */
export interface Quality {
  /** Shorter side of the box, pixels of the sent frame. */
  size: number;
  sharpness: number;
  brightness: number;
  /** Degrees; absent without landmarks. */
  yaw?: number;
  pitch?: number;
  roll?: number;
}

/** One face of an answer. */
export interface SeenFace {
  /** The same number from answer to answer while it is the same face. */
  track: number;
  /** Parts of the frame, 0 to 1. */
  box: Box;
  /** `[x0, y0, ... x4, y4]`, parts of the frame. */
  landmarks?: readonly number[];
  quality?: Quality;
  identity: Identity;
}

/** What the server answered to one frame. */
export interface Answer {
  faces: SeenFace[];
  /** Milliseconds from sending the frame to its answer. */
  roundTrip: number;
  /** Pixels of the frame that was sent. */
  width: number;
  height: number;
}

export interface Thresholds {
  /** Squared L2 distance below which a face is named. */
  identical: number;
  /** Below this one there is no doubt. */
  sure: number;
}

/** How sure the server is, in a word, and how far the bar is filled, 0 to 1. */
export interface Certainty {
  level: 'sure' | 'likely' | 'unknown';
  part: number;
}

/** The bar is full at distance 0 and a fifth full at the threshold, so that a named face never shows an empty one. */
const PART_AT_THRESHOLD = 0.2;

type Nearness = Pick<Identity, 'faceid' | 'distance' | 'odds' | 'oddsAtMost'>;

/** @param thresholds undefined while they are not known yet */
export function certaintyOf(
  { faceid, distance, ...odds }: Nearness,
  thresholds: Thresholds | undefined,
): Certainty {
  if (faceid === '') return { level: 'unknown', part: 0 };
  if (distance === null || !thresholds) return { level: 'likely', part: PART_AT_THRESHOLD };
  const nearness = 1 - Math.max(0, distance) / thresholds.identical;
  const part = PART_AT_THRESHOLD + (1 - PART_AT_THRESHOLD) * nearness;
  return {
    level: isSure(distance, odds, thresholds) ? 'sure' : 'likely',
    part: Math.max(PART_AT_THRESHOLD, Math.min(1, part)),
  };
}

/** The odds are of the moment of the answer; the distance tells where they cannot: not measured, or too few pairs. */
function isSure(distance: number, { odds, oddsAtMost }: Odds, thresholds: Thresholds): boolean {
  if (odds !== null && odds <= SURE_ODDS) return true;
  return (odds === null || oddsAtMost) && distance < thresholds.sure;
}

/** The name to show: the display name, else the ID. '' for an unknown face. */
export function nameOf({ faceid, username, userid }: Identity): string {
  return faceid === '' ? '' : (username ?? userid ?? faceid);
}
