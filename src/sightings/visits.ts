import { squaredDistance } from '../gallery/distance.js';
import type { ObservedFace } from '../identity/types.js';
import { tellOdds } from '../identity/odds.js';
import { LONGEST_VISIT, NAMELESS_JOINS, STRANGER } from './limits.js';
import { betterOf } from './best-face.js';
import { type Moment, newVisit, partOf, type SeenPart, type Visit } from './visit.js';
import { addVote, winnerOf } from './vote.js';

/** An open visit is written again after so long, milliseconds: a crash loses no more of it. */
const REFRESH = 30_000;
/** The most visits that are open at a time, of all cameras of a worker: some 10 MB, and 80 kB more for each new picture. */
const MOST_OPEN = 2000;

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

/** See {@link createVisits}. */
export type Visits = ReturnType<typeof createVisits>;

/**
 * Folds the faces of frames into visits. A face belongs to the visit of its track; else, where no other face of the frame
 * does, to the visit of the person it was named as, or of the face it is like; for a moment only where one of the two has
 * a name, so that no stranger's visit becomes the one of the person before. So a dropped frame, a lost track or a
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
  let begun = 0;
  /** The frame's nearest face of each person; reused. */
  const nearest = new Map<string, ObservedFace>();

  function tracksOf(source: object): Map<number, Visit> {
    let tracks = tracked.get(source);
    if (!tracks) tracked.set(source, (tracks = new Map<number, Visit>()));
    return tracks;
  }

  function begin({ deviceid }: FrameOf, moment: Moment): Visit {
    const visit = newVisit(`${worker}.${++made}`, deviceid, moment);
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
      // Two names are two people, however alike. Where one has a name, the other may be a stranger who is like them: what
      // turns out to be one visit after all, because the name came late, the store puts together.
      if (faceid !== undefined && visit.winner !== undefined) continue;
      const isOneNamed = faceid !== undefined || visit.winner !== undefined;
      if (isOneNamed && now - visit.lastAt > NAMELESS_JOINS) continue;
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
    const { embedding, unfit, match } = face;
    if (!embedding || unfit || isTwice) return;
    visit.fits += 1;
    if (visit.fits === 1) {
      begun += 1;
      visit.isDue = true;
    }
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
    const best = betterOf(visit.best, face, embedding);
    if (best !== visit.best) visit.isBestWritten = false;
    visit.best = best;
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
    due({ now }: Moment): SeenPart[] {
      const parts: SeenPart[] = [];
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
    end({ now }: Moment): SeenPart[] {
      const parts: SeenPart[] = [];
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

    /** Visits that have begun, those that are open, and faces that began none because too many were. */
    info: () => ({ seen: begun, open: openCount, dropped }),
  };
}
