import type { Person } from '../gallery/types.js';
import { KaomonError } from '../platform/errors.js';

/**
 * Refuses a second enrolment of a person within so many seconds, which is taken for a double click (maiface's E1002).
 */
export function createDoubleClicks(seconds: number) {
  /** faceids being enrolled: of two requests at once only one may pass. */
  const underWay = new Set<string>();
  /** The newest face of each person enrolled here within `seconds`, oldest first. */
  const lately = new Map<string, { face: string; at: number }>();

  /** Seconds since the last enrolment: here by a monotonic clock, in another worker by the dates of the faces. */
  function sinceLast(faceid: string, person: Person | undefined): number {
    const faces = person?.faces.filter(({ automatic }) => !automatic) ?? [];
    const own = lately.get(faceid);
    if (own && faces.some(({ id }) => id === own.face)) return (performance.now() - own.at) / 1000;
    const last = faces.at(-1);
    const age = last ? (Date.now() - Date.parse(last.enrolledAt)) / 1000 : Infinity;
    return age < 0 ? Infinity : age;
  }

  function refuse(): never {
    const wait = seconds > 0 ? `${seconds} seconds` : 'until that has been answered';
    throw new KaomonError(
      'ALREADY_REGISTERED',
      `This person was enrolled a moment ago: wait ${wait} before the next picture.`,
      { retryAfter: Math.max(1, seconds) },
    );
  }

  return {
    /** @throws KaomonError ALREADY_REGISTERED while an enrolment of the person is under way */
    refuseUnderWay(faceid: string): void {
      if (underWay.has(faceid)) refuse();
    },

    /** @throws KaomonError ALREADY_REGISTERED when the last one was a moment ago */
    refuseLately(faceid: string, person: Person | undefined): void {
      if (sinceLast(faceid, person) < seconds) refuse();
    },

    /** An enrolment of the person is under way. @returns ends it */
    begin(faceid: string): () => void {
      underWay.add(faceid);
      return () => underWay.delete(faceid);
    },

    /** The person has been enrolled now. @param face ID of the face */
    note(faceid: string, face: string): void {
      const now = performance.now();
      for (const [known, { at }] of lately) {
        if (now - at < seconds * 1000) break;
        lately.delete(known);
      }
      lately.delete(faceid);
      lately.set(faceid, { face, at: now });
    },
  };
}
