import { Type, type Static } from 'typebox';
import { covers } from '../../access/roles.js';
import { splitFaceId } from '../../gallery/ids.js';
import type { Gallery, Person } from '../../gallery/types.js';
import type { Sighting } from '../../sightings/types.js';
import type { Caller } from '../access.js';
import { DistanceSchema, FaceidSchema, Nullable, oddsFields, TimeSchema } from '../schemas.js';
import { THUMBNAIL_ROLE } from './thumbnails.js';

const EXAMPLE = {
  id: 12,
  deviceid: 'door',
  first: '2026-11-27T08:59:02.120Z',
  last: '2026-11-27T08:59:14.480Z',
  frames: 31,
  person: { faceid: 'staff-ada', groupid: 'staff', userid: 'ada', username: 'Ada' },
  distance: 0.31,
  odds: 12.5,
  oddsAtMost: false,
  unknown: null,
  picture: '/api/v1/sightings/12/picture',
  isOpen: false,
};

/** A sighting, as the API tells of it. */
export const SightingSchema = Type.Object(
  {
    id: Type.Integer({ minimum: 1 }),
    deviceid: Type.String({ description: 'The camera; empty where nobody said.' }),
    first: TimeSchema,
    last: TimeSchema,
    frames: Type.Integer({ minimum: 1, description: 'In how many frames the face was.' }),
    person: Nullable(
      Type.Object({
        faceid: FaceidSchema,
        groupid: Type.String(),
        userid: Type.String(),
        username: Type.String({ description: 'As it is now.' }),
      }),
    ),
    distance: Nullable({
      ...DistanceSchema,
      description: 'Least squared L2 distance to that person; null: a stranger.',
    }),
    ...oddsFields,
    unknown: Nullable(Type.String({ description: "The stranger's group of sightings: `u-7`." })),
    picture: Nullable(
      Type.String({
        description:
          'Address of the best picture on this server; null: none is kept (`KEEP_SIGHTINGS`), or the key may not see faces (role `recognise`).',
      }),
    ),
    isOpen: Type.Boolean({ description: 'The visit goes on.' }),
  },
  { examples: [EXAMPLE] },
);
export type SightingAnswer = Static<typeof SightingSchema>;
export { EXAMPLE as SIGHTING_EXAMPLE };

const iso = (time: number) => new Date(time).toISOString();

/** How a sighting is told to a caller. @param person whose it is, as they are now; undefined: a stranger's */
export function toSighting(
  { id, deviceid, first, last, frames, distance, odds, oddsAtMost, unknown, hasPicture, isOpen }: Sighting,
  person: Pick<Person, 'faceid' | 'groupid' | 'userid' | 'username'> | undefined,
  { role }: Pick<Caller, 'role'>,
): SightingAnswer {
  const { faceid = '', groupid = '', userid = '', username = '' } = person ?? {};
  return {
    id,
    deviceid,
    first: iso(first),
    last: iso(last),
    frames,
    person: person ? { faceid, groupid, userid, username } : null,
    distance,
    odds,
    oddsAtMost,
    unknown,
    picture: hasPicture && covers(role, THUMBNAIL_ROLE) ? `/api/v1/sightings/${id}/picture` : null,
    isOpen,
  };
}

/** Whether a caller may see strangers: they are of no group, so only administrators of all groups may. */
export const maySeeStrangers = ({ role, groups }: Pick<Caller, 'role' | 'groups'>) =>
  groups === undefined && covers(role, 'admin');

/** Whether a caller may see a sighting. */
export function maySee(
  caller: Pick<Caller, 'role' | 'groups'>,
  { faceid }: Pick<Sighting, 'faceid'>,
): boolean {
  if (faceid === null) return maySeeStrangers(caller);
  const groupid = splitFaceId(faceid)?.groupid;
  return caller.groups === undefined || (groupid !== undefined && caller.groups.has(groupid));
}

/**
 * Adds whose the sightings are. One whose person is gone by now is about to be erased, and left out.
 * @param gallery asked once for each person
 */
export async function withPeople(
  sightings: readonly Sighting[],
  gallery: Pick<Gallery, 'person'>,
): Promise<{ sighting: Sighting; person: Person | undefined }[]> {
  const people = new Map<string, Person | undefined>();
  const told: { sighting: Sighting; person: Person | undefined }[] = [];
  for (const sighting of sightings) {
    const { faceid } = sighting;
    if (faceid !== null && !people.has(faceid)) people.set(faceid, await gallery.person(faceid));
    const person = faceid === null ? undefined : people.get(faceid);
    if (faceid === null || person) told.push({ sighting, person });
  }
  return told;
}
