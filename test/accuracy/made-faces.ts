import { collectFaces, type Faces } from '../../src/accuracy/faces.js';

/** A unit vector in a plane, so that distances can be worked out by hand. */
export const at = (degrees: number): Float32Array => {
  const angle = (degrees * Math.PI) / 180;
  return Float32Array.of(Math.cos(angle), Math.sin(angle));
};

/** Squared L2 distance of two unit vectors that lie so many degrees apart. */
export const apart = (degrees: number): number => 2 - 2 * Math.cos((degrees * Math.PI) / 180);

/** A picture: whose it is, and where its embedding points; undefined: no face was found. */
export type MadeFace = readonly [who: string, degrees: number | undefined];

/**
 * @param people pictures of people
 * @param strangers those that begin with `heap` lie together and may be anybody's
 */
export function facesOf(people: readonly MadeFace[], strangers: readonly MadeFace[] = []): Faces {
  const row =
    (isPerson: boolean) =>
    ([who, degrees]: MadeFace) => {
      const embedding = degrees === undefined ? undefined : at(degrees);
      const label = who.startsWith('heap') ? 'heap' : who;
      return { label, unit: who, isPerson, enrolled: embedding, probe: embedding };
    };
  return collectFaces([...people.map(row(true)), ...strangers.map(row(false))]).faces;
}
