import { nameOf, type SeenFace } from './faces.js';

/** Who was away for less than this has not come anew, milliseconds: a head that turns loses its name for a moment. */
const AWAY = 30_000;

/** Tells who of the enrolled has just come into the picture. */
export function createArrivals(away = AWAY) {
  const lastSeen = new Map<string, number>();
  return {
    /** @param now milliseconds @returns the names of those who were not seen lately, each once */
    arrived(faces: readonly SeenFace[], now: number): string[] {
      const names: string[] = [];
      for (const { identity } of faces) {
        const { faceid } = identity;
        if (faceid === '') continue;
        const before = lastSeen.get(faceid);
        if (before === undefined || now - before > away) names.push(nameOf(identity));
        lastSeen.set(faceid, now);
      }
      for (const [faceid, at] of lastSeen) if (now - at > away) lastSeen.delete(faceid);
      return names;
    },
  };
}
