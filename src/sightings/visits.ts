import { squaredDistance } from '../gallery/distance.js';
import type { ObservedFace } from '../identity/types.js';
import { tellOdds } from '../identity/odds.js';
import type { Quality } from '../vision/types.js';
import { LONGEST_VISIT, STRANGER } from './limits.js';
import type { BestFace, VisitPart, Vote } from './types.js';
import { addVote, winnerOf } from './vote.js';

/** An open visit is written again after so long, milliseconds: a crash loses no more of it. */
const REFRESH = 30_000;
/** The most visits that are open at a time, of all cameras of a worker: some 40 MB with pictures. */
const MOST_OPEN = 2000;
/** A face of this size, pixels, or this sharpness is not better than a smaller or a softer one. */
const ENOUGH = { size: 160, sharpness: 60 } as const;
const RADIANS = Math.PI / 180;

export interface VisitSettings {
  /** A visit is over after so long without a frame, milliseconds. */
  gap: number;
  /** Two embeddings are of one person below this distance, squared L2. */
  pair: number;
  /** Begins the uid of every visit; without a dot. */
  worker: string;
}

/** Which frame faces were in. */
export interface FrameOf {
  deviceid: string;
  /** The connection whose tracks the faces have; undefined: they have none. */
  source: object | undefined;
}

/** The present, by a clock that nobody sets, milliseconds, and by the wall's, milliseconds since 1970. */
export interface Moment {
  now: number;
  date: number;
}

interface Visit {
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
  best: BestFace | undefined;
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

/** See {@link createVisits}. */
export type Visits = ReturnType<typeof createVisits>;

/**
 * Folds the faces of frames into visits. A face belongs to the visit of its track; else, where no other face of the frame
 * does, to the visit of the person it was named as, or of the face it is like. So a dropped frame, a lost track or a
 * reconnected camera splits nothing before the gap is over, and two people who stand together are two visits.
 *
 * A face that was never fit to be compared makes no visit. Of two faces of a frame with the same name only the nearer one
 * is that person: the other one is not counted, be it a reflection or a mistake.
 */
export function createVisits({ gap, pair, worker }: VisitSettings) {
  const open = new Map<string, Set<Visit>>();
  /** The visits of a connection's tracks. */
  const tracked = new WeakMap<object, Map<number, Visit>>();
  let openCount = 0;
  let made = 0;
  let frame = 0;
  let dropped = 0;
  /** The frame's nearest face of each person; reused. */
  const nearest = new Map<string, ObservedFace>();

  function tracksOf(source: object): Map<number, Visit> {
    let tracks = tracked.get(source);
    if (!tracks) tracked.set(source, (tracks = new Map<number, Visit>()));
    return tracks;
  }

  function begin({ deviceid }: FrameOf, { now, date }: Moment): Visit {
    const visit: Visit = {
      uid: `${worker}.${++made}`,
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
    let visits = open.get(deviceid);
    if (!visits) open.set(deviceid, (visits = new Set()));
    visits.add(visit);
    openCount += 1;
    return visit;
  }

  function drop(visit: Visit): void {
    const visits = open.get(visit.deviceid);
    if (visits?.delete(visit)) openCount -= 1;
    if (visits?.size === 0) open.delete(visit.deviceid);
    for (const { of, track } of visit.tracks) if (of.get(track) === visit) of.delete(track);
  }

  const isOver = (visit: Visit, now: number) =>
    now - visit.lastAt >= gap || now - visit.begunAt >= LONGEST_VISIT;

  /** The visit that a face without a known track goes on with. */
  function findVisit(
    deviceid: string,
    face: ObservedFace,
    faceid: string | undefined,
    now: number,
  ): Visit | undefined {
    let alike: Visit | undefined;
    let least = pair;
    for (const visit of open.get(deviceid) ?? []) {
      if (visit.frame === frame || isOver(visit, now)) continue;
      if (faceid !== undefined && visit.winner === faceid) return visit;
      if (!face.embedding || face.unfit) continue;
      // Two names are two people, however alike.
      if (faceid !== undefined && visit.winner !== undefined) continue;
      for (const before of [visit.latest, visit.best?.vector]) {
        const distance =
          before?.length === face.embedding.length ? squaredDistance(before, face.embedding) : Infinity;
        if (distance < least) [least, alike] = [distance, visit];
      }
    }
    return alike;
  }

  function bindTrack(visit: Visit, tracks: Map<number, Visit> | undefined, track: number | undefined): void {
    if (!tracks || track === undefined || tracks.get(track) === visit) return;
    tracks.set(track, visit);
    visit.tracks.push({ of: tracks, track });
  }

  /** @param isTwice another face of the frame is nearer to the same person */
  function count(visit: Visit, face: ObservedFace, isTwice: boolean, now: number): void {
    visit.lastAt = now;
    if (visit.frame !== frame) visit.frames += 1;
    visit.frame = frame;
    const { embedding, unfit, match, quality } = face;
    if (!embedding || unfit || isTwice) return;
    visit.fits += 1;
    if (visit.fits === 1) visit.isDue = true;
    const weight = face.area ?? 1;
    if (match) {
      const { person, distance, odds } = match;
      addVote(visit.votes, {
        faceid: person.faceid,
        weight,
        distance: Math.max(0, distance),
        ...tellOdds(odds),
      });
    } else visit.nobody += weight;
    const winner = winnerOf(visit.votes, visit.nobody)?.faceid;
    if (winner !== visit.winner) visit.isDue = true;
    visit.winner = winner;
    if (visit.latest?.length === embedding.length) visit.latest.set(embedding);
    else visit.latest = embedding.slice();
    const score = scoreOf(quality);
    if (visit.best && visit.best.score >= score) return;
    const { size = null, sharpness = null, yaw = null, pitch = null, roll = null } = quality ?? {};
    const vector = embedding.slice();
    visit.best = { score, vector, crop: face.crop ?? null, size, sharpness, yaw, pitch, roll };
    visit.isBestWritten = false;
  }

  function partOf(visit: Visit, isEnded: boolean, now: number): VisitPart {
    const { uid, deviceid, first, frames, fits, nobody, best } = visit;
    const part: VisitPart = {
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
    if (best && !visit.isBestWritten) part.best = best;
    visit.isBestWritten = true;
    visit.isDue = false;
    visit.writtenAt = now;
    return part;
  }

  /** Somebody who stays is told of as a stranger from a certain time on: see the store's `writeParts`. */
  const isStrangerForLong = ({ winner, writtenAt, begunAt, lastAt, fits }: Visit) =>
    winner === undefined &&
    fits >= STRANGER.fits &&
    lastAt - begunAt >= STRANGER.stays &&
    writtenAt - begunAt < STRANGER.stays;

  return {
    /** Adds the faces of a frame. Only what is kept of them is copied. */
    add(of: FrameOf, faces: readonly ObservedFace[], moment: Moment): void {
      frame += 1;
      const { now } = moment;
      nearest.clear();
      for (const face of faces) {
        const { match } = face;
        if (!match || !face.embedding || face.unfit) continue;
        const { faceid } = match.person;
        const other = nearest.get(faceid);
        if (!other?.match || match.distance < other.match.distance) nearest.set(faceid, face);
      }
      const tracks = of.source && tracksOf(of.source);
      const isTwice = (face: ObservedFace) => {
        const first = face.match && nearest.get(face.match.person.faceid);
        return first !== undefined && first !== face;
      };
      // Those with a track first, so that no other face takes their visit.
      for (const face of faces) {
        const visit = face.track === undefined ? undefined : tracks?.get(face.track);
        if (visit && !isOver(visit, now)) count(visit, face, isTwice(face), now);
      }
      for (const face of faces) {
        const bound = face.track === undefined ? undefined : tracks?.get(face.track);
        if (bound && !isOver(bound, now)) continue;
        const twice = isTwice(face);
        const faceid = twice ? undefined : face.match?.person.faceid;
        let visit = findVisit(of.deviceid, face, faceid, now);
        if (!visit && openCount >= MOST_OPEN) {
          dropped += 1;
          continue;
        }
        visit ??= begin(of, moment);
        bindTrack(visit, tracks, face.track);
        count(visit, face, twice, now);
      }
    },

    /** What is to be written: visits that have begun, changed, ended, or not been written for a while. */
    due({ now }: Moment): VisitPart[] {
      const parts: VisitPart[] = [];
      for (const visits of [...open.values()])
        for (const visit of [...visits]) {
          const ended = isOver(visit, now);
          if (ended) drop(visit);
          if (visit.fits === 0) continue;
          if (ended || visit.isDue || now - visit.writtenAt >= REFRESH || isStrangerForLong(visit))
            parts.push(partOf(visit, ended, now));
        }
      return parts;
    },

    /** Ends all visits: this worker sees no more of them. @returns what is to be written */
    end({ now }: Moment): VisitPart[] {
      const parts: VisitPart[] = [];
      for (const visits of [...open.values()])
        for (const visit of [...visits]) {
          drop(visit);
          if (visit.fits > 0) parts.push(partOf(visit, true, now));
        }
      return parts;
    },

    /** Forgets a person, who has been deleted; a visit of theirs that goes on is a stranger's from now on. */
    forget(faceid: string): void {
      for (const visits of [...open.values()])
        for (const visit of [...visits]) {
          if (visit.winner === faceid) drop(visit);
          else visit.votes = visit.votes.filter((vote) => vote.faceid !== faceid);
        }
    },

    /** A person has another faceid from now on. */
    rename(from: string, to: string): void {
      for (const visits of open.values())
        for (const visit of visits) {
          const given = visit.votes.filter(({ faceid }) => faceid === from);
          if (given.length === 0) continue;
          visit.votes = visit.votes.filter(({ faceid }) => faceid !== from);
          for (const vote of given) addVote(visit.votes, { ...vote, faceid: to });
          visit.winner = winnerOf(visit.votes, visit.nobody)?.faceid;
          visit.isDue = true;
        }
    },

    /** Visits that are open, and faces that began none because too many were. */
    info: () => ({ open: openCount, dropped }),
  };
}

/** How good a face is to look at and to compare: large, sharp, looking ahead. 0 to 1; 0 where it was not measured. */
export function scoreOf(quality: Quality | undefined): number {
  if (!quality) return 0;
  const { size, sharpness, yaw = 0, pitch = 0 } = quality;
  const ahead = Math.max(0, Math.cos(yaw * RADIANS)) * Math.max(0, Math.cos(pitch * RADIANS));
  return Math.min(1, size / ENOUGH.size) * Math.min(1, sharpness / ENOUGH.sharpness) * ahead;
}
