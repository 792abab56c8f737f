import { tellOdds } from './odds.js';
import type { IdentifiedFace } from './types.js';

/** A person is announced again after so long, milliseconds: a camera page sends several frames a second. */
const AGAIN = 10_000;

/** A person was named. Nothing of it is kept: whole visits are (src/sightings). */
export interface Recognised {
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
export type Announcer = ReturnType<typeof createAnnouncer>;

/** @param now a monotonic clock, milliseconds @param date the date of an announcement */
export function createAnnouncer(
  now: () => number = () => performance.now(),
  date: () => Date = () => new Date(),
) {
  const listeners = new Set<(recognised: Recognised) => void>();
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
        const recognised = { at: date().toISOString(), ...who, ...tellOdds(match.odds) };
        for (const listener of listeners) listener(recognised);
      }
    },
    /** @returns ends the subscription */
    subscribe(listener: (recognised: Recognised) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}
