import type { Box } from './geometry.js';
import { type Odds, SURE_ODDS } from './odds.js';
import type { Words } from './words/en.js';

/** Who a face is; the fields are empty or null for an unknown one. */
export interface Identity extends Odds {
  /** `groupid-userid`, or '' for an unknown face. */
  faceid: string;
  userid: string | null;
  username: string | null;
  groupid: string | null;
  groupname: string | null;
  /** Squared L2 distance to the nearest person; null when nobody is enrolled or the server did not tell it. */
  distance: number | null;
  /** Why nobody can be recognised by this face. */
  reason?: keyof Words['unfit'];
  /** Address of the matched picture; null or absent: none is kept, or this key may not see it. */
  thumbnail?: string | null;
}

/** Picks the identity out of an answer; an older server tells no odds. */
export function identityOf(face: Omit<Identity, keyof Odds> & Partial<Odds>): Identity {
  const { faceid, userid, username, groupid, groupname, distance, reason, thumbnail = null } = face;
  const { odds = null, oddsAtMost = false } = face;
  return { faceid, userid, username, groupid, groupname, distance, reason, odds, oddsAtMost, thumbnail };
}

/** How suitable a face is for enrolment, as the server measures it. */
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
  /** Fractions of the frame, 0 to 1. */
  box: Box;
  /** `[x0, y0, ... x4, y4]`, fractions of the frame. */
  landmarks?: readonly number[] | undefined;
  quality?: Quality | undefined;
  identity: Identity;
}

/** The server's answer to one frame. */
export interface Answer {
  faces: SeenFace[];
  /** The `serial` of the frame that was asked about. */
  serial: number;
  /** Milliseconds from sending the frame to its answer. */
  roundTrip: number;
  /** Pixels of the frame that was sent. */
  width: number;
  height: number;
}

export interface Thresholds {
  /** Squared L2 distance below which a face is named. */
  identical: number;
  /** Squared L2 distance below which there is no doubt. */
  sure: number;
}

/** How sure the server is, in a word, and how far the bar is filled, 0 to 1. */
interface Certainty {
  level: 'sure' | 'likely' | 'unknown';
  part: number;
}

/** The bar is full at distance 0 and a fifth full at the threshold, so that it is never empty for a face with a name. */
const PART_AT_THRESHOLD = 0.2;

/** @param thresholds undefined until they are known */
export function certaintyOf(
  { faceid, distance, ...odds }: Pick<Identity, 'faceid' | 'distance' | 'odds' | 'oddsAtMost'>,
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

/** By the odds, which the server works out for each answer; by the distance where the pack's curve cannot tell them. */
function isSure(distance: number, { odds, oddsAtMost }: Odds, thresholds: Thresholds): boolean {
  if (odds !== null && odds <= SURE_ODDS) return true;
  return (odds === null || oddsAtMost) && distance < thresholds.sure;
}

/** The name to show: the display name, else the ID. '' for an unknown face. */
export function nameOf({ faceid, username, userid }: Identity): string {
  return faceid === '' ? '' : (username ?? userid ?? faceid);
}
