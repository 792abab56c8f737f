import type { FastifyRequest } from 'fastify';
import type { Disagreement, Findings, NearPair, OddPicture, WeakPicture } from '../../checkup/types.js';
import { splitFaceId } from '../../gallery/ids.js';
import type { Face, Person } from '../../gallery/types.js';
import { mayUseGroup } from '../access.js';
import type { Services } from '../services.js';
import { toPerson } from './person-schemas.js';
import { thumbnailsFor } from './thumbnails.js';

/** Findings about people of the caller's groups alone. */
export function asSeenBy(request: Pick<FastifyRequest, 'caller'>, all: Findings): Findings {
  if (!request.caller.groups) return all;
  const sees = (faceid: string) => mayUseGroup(request, splitFaceId(faceid)?.groupid ?? '');
  const without = <T extends OddPicture>({ other, ...rest }: T) =>
    ({ ...rest, ...(other && sees(other.faceid) && { other }) }) as T;
  const disagreeing = all.disagreeing
    .filter(({ faceid }) => sees(faceid))
    .map((one) => ({ ...one, pictures: one.pictures.map(without) }));
  const pairs = all.pairs.filter(({ faceids }) => faceids.every(sees));
  const weak = all.weak.filter(({ faceid }) => sees(faceid)).map(without);
  // That a picture is nearer to somebody is no secret, but who it is: without that it is not shown as such.
  const shown = weak.filter(({ reason, other }) => reason !== 'nearer-to-another' || other);
  const totals = { disagreeing: disagreeing.length, pairs: pairs.length, weak: shown.length };
  return { ...all, disagreeing, pairs, weak: shown, totals };
}

/** What `show` makes of each thing, one after another, but for those of which it makes nothing. */
export async function collect<T, R>(
  things: readonly T[],
  show: (thing: T) => Promise<R | undefined>,
): Promise<R[]> {
  const shown: R[] = [];
  for (const thing of things) {
    const one = await show(thing);
    if (one !== undefined) shown.push(one);
  }
  return shown;
}

/** Findings with the people as they are now: what was put right since is left out. */
export function createShow(request: Pick<FastifyRequest, 'caller'>, { gallery }: Pick<Services, 'gallery'>) {
  const thumbnailOf = thumbnailsFor(request.caller);
  const people = new Map<string, Promise<Person | undefined>>();

  function find(faceid: string): Promise<Person | undefined> {
    let found = people.get(faceid);
    if (!found) people.set(faceid, (found = gallery.person(faceid)));
    return found;
  }

  const faceOf = (person: Person | undefined, id: string): Face | undefined =>
    person?.faces.find((face) => face.id === id);

  const picture = (person: Person, face: Face) => ({ face: face.id, thumbnail: thumbnailOf(person, face) });

  async function odd(person: Person, { face: id, nearest, distance, other }: OddPicture) {
    const [face, near] = [faceOf(person, id), faceOf(person, nearest)];
    if (!face || !near) return undefined;
    const stranger = other && (await find(other.faceid));
    const theirs = other && faceOf(stranger, other.face);
    return {
      picture: picture(person, face),
      nearest: { ...picture(person, near), distance },
      other:
        stranger && theirs
          ? {
              person: toPerson(stranger, thumbnailOf),
              ...picture(stranger, theirs),
              distance: Math.max(0, other.distance),
            }
          : null,
    };
  }

  return {
    async disagreement({ faceid, undecided, pictures }: Disagreement) {
      const person = await find(faceid);
      if (!person) return undefined;
      const shown = await collect(pictures, (one) => odd(person, one));
      return shown.length > 0
        ? { person: toPerson(person, thumbnailOf), undecided, pictures: shown }
        : undefined;
    },

    async pair({ faceids, faces, distance }: NearPair) {
      const both = await Promise.all(faceids.map(find));
      const [one, two] = both;
      const [mine, theirs] = both.map((person, i) => faceOf(person, faces[i]));
      if (!one || !two || !mine || !theirs) return undefined;
      // Somebody has said since that they are two.
      const isSaid =
        gallery.corrections({ faceid: one.faceid }).length > 0 &&
        gallery.corrections({ faceid: two.faceid }).length > 0 &&
        (await isToldApart([one, two], [mine, theirs], distance));
      if (isSaid) return undefined;
      return {
        people: [toPerson(one, thumbnailOf), toPerson(two, thumbnailOf)],
        pictures: [picture(one, mine), picture(two, theirs)],
        distance: Math.max(0, distance),
      };
    },

    async weak({ faceid, reason, ...picture }: WeakPicture) {
      const person = await find(faceid);
      const shown = person && (await odd(person, picture));
      return shown && { person: toPerson(person, thumbnailOf), reason, ...shown };
    },
  };

  /** Whether each is ruled out for the other's picture. */
  async function isToldApart(
    people: [Person, Person],
    faces: [Face, Face],
    distance: number,
  ): Promise<boolean> {
    for (const [i, { faceid }] of people.entries()) {
      const other = people[1 - i];
      const vectors = await gallery.vectors(other.faceid).catch(() => []);
      const vector = vectors.find(({ face }) => face.id === faces[1 - i].id)?.vector;
      if (!vector || !gallery.ruledOut(faceid, vector, distance)) return false;
    }
    return true;
  }
}
