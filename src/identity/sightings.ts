import { tellOdds } from './odds.js';
import type { IdentifiedFace } from './types.js';

/** A person stays announced for so long, milliseconds: a camera page sends several frames a second. */
const AGAIN = 10_000;

/** Somebody was named. */
export interface Sighting {
  /** ISO 8601. */
  at: string;
  faceid: string;
  groupid: string;
  userid: string;
  username: string;
  /** Squared L2. */
  distance: number;
  /** Of a million strangers so many would come as near to somebody of those searched; null: nobody measured this pack. */
  odds: number | null;
  /** So many or fewer: the pack's pairs can tell no more. */
  oddsAtMost: boolean;
}

/** Tells who was recognised, each person once in ten seconds, to whoever listens. */
export type Sightings = ReturnType<typeof createSightings>;

/** @param now milliseconds of a clock that nobody sets; @param date what the sighting is dated */
export function createSightings(
  now: () => number = () => performance.now(),
  date: () => Date = () => new Date(),
) {
  const listeners = new Set<(sighting: Sighting) => void>();
  /** When each person was announced last, the longest ago first. */
  const announced = new Map<string, number>();

  function forgetOld(time: number): void {
    for (const [faceid, at] of announced) {
      if (time - at < AGAIN) break;
      announced.delete(faceid);
    }
  }

  return {
    /** Called by the identifier with whoever was seen. */
    announce(faces: readonly Pick<IdentifiedFace, 'match'>[]): void {
      if (listeners.size === 0) return;
      const time = now();
      forgetOld(time);
      for (const { match } of faces) {
        if (!match || announced.has(match.person.faceid)) continue;
        const { faceid, groupid, userid, username } = match.person;
        announced.set(faceid, time);
        const distance = Math.max(0, match.distance);
        const who = { faceid, groupid, userid, username, distance };
        const sighting = { at: date().toISOString(), ...who, ...tellOdds(match.odds) };
        for (const listener of listeners) listener(sighting);
      }
    },
    /** @returns ends it */
    subscribe(listener: (sighting: Sighting) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
