import type { SeenFace } from './best-face.js';
import type { VisitPart, Vote } from './types.js';

/** The present, by a clock that nobody sets, milliseconds, and by the wall's, milliseconds since 1970. */
export interface Moment {
  now: number;
  date: number;
}

/** What is to be written of a visit. */
export type SeenPart = Omit<VisitPart, 'best'> & { best?: SeenFace };

/** A visit that goes on. */
export interface Visit {
  uid: string;
  deviceid: string;
  first: number;
  /** Of the clock that nobody sets. */
  begunAt: number;
  lastAt: number;
  frames: number;
  fits: number;
  votes: Vote[];
  nobody: number;
  winner: string | undefined;
  best: SeenFace | undefined;
  /** Of the last fit frame. */
  latest: Float32Array | undefined;
  /** By which tracks it is found. */
  tracks: { of: Map<number, Visit>; track: number }[];
  /** The last frame that it was in. */
  frame: number;
  writtenAt: number;
  isBestWritten: boolean;
  isDue: boolean;
}

export function newVisit(uid: string, deviceid: string, { now, date }: Moment): Visit {
  return {
    uid,
    deviceid,
    first: date,
    begunAt: now,
    lastAt: now,
    frames: 0,
    fits: 0,
    votes: [],
    nobody: 0,
    winner: undefined,
    best: undefined,
    latest: undefined,
    tracks: [],
    frame: 0,
    writtenAt: -Infinity,
    isBestWritten: false,
    isDue: false,
  };
}

/**
 * What is to be written of a visit, which is noted to be written. The best face is in it when it is a new one.
 * @param isEnded nothing more is seen of it @param now of the clock that nobody sets
 */
export function partOf(visit: Visit, isEnded: boolean, now: number): SeenPart {
  const { uid, deviceid, first, frames, fits, nobody, best } = visit;
  const part: SeenPart = {
    uid,
    deviceid,
    first,
    last: Math.round(first + visit.lastAt - visit.begunAt),
    frames,
    fits,
    votes: visit.votes.map((vote) => ({ ...vote })),
    nobody,
    isEnded,
  };
  if (best && !visit.isBestWritten) {
    part.best = best;
    // Drawn by whoever writes it; a picture is not held for as long as somebody stays.
    visit.best = { ...best, aligned: undefined };
  }
  visit.isBestWritten = true;
  visit.isDue = false;
  visit.writtenAt = now;
  return part;
}
