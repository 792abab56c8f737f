import { tellOdds } from './odds.js';
import type { IdentifiedFace } from './types.js';

/** A person is announced again after so long, milliseconds: a camera page sends several frames a second. */
const AGAIN = 10_000;

/** A person was named. */
export interface Sighting {
  /** ISO 8601. */
  at: string;
  faceid: string;
  groupid: string;
  userid: string;
  username: string;
  /** Squared L2. */
  distance: number;
  /** How many of a million strangers would come as near to somebody searched; null when the pack was not measured. */
  odds: number | null;
  /** `odds` is an upper bound: the pack has too few pairs to tell. */
  oddsAtMost: boolean;
}

/** Tells listeners who was identified, each person once in ten seconds. */
export type Sightings = ReturnType<typeof createSightings>;

/** @param now a monotonic clock, milliseconds @param date the date of a sighting */
export function createSightings(
  now: () => number = () => performance.now(),
  date: () => Date = () => new Date(),
) {
  const listeners = new Set<(sighting: Sighting) => void>();
  /** When each person was last announced, oldest first. */
  const announced = new Map<string, number>();

  function forgetOld(time: number): void {
    for (const [faceid, at] of announced) {
      if (time - at < AGAIN) break;
      announced.delete(faceid);
    }
  }

  return {
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
    /** @returns ends the subscription */
    subscribe(listener: (sighting: Sighting) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
