import { Type } from 'typebox';
import type { FastifyRequest } from 'fastify';
import { KaomonError } from '../../platform/errors.js';
import { splitFaceId } from '../../gallery/ids.js';
import { checkName } from '../../gallery/names.js';
import type { Gallery, Person } from '../../gallery/types.js';
import { groupsToSearch, requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { ReceiptSchema } from '../receipts.js';
import { FaceidSchema, refusals } from '../schemas.js';
import type { Services } from '../services.js';
import {
  ChangeSchema,
  EXAMPLE,
  NewPersonSchema,
  PAGE,
  PeopleQuery,
  PersonSchema,
  strict,
  toPerson,
} from './person-schemas.js';
import { takeConsent } from './consent-schemas.js';
import { thumbnailsFor } from './thumbnails.js';

const tags = ['people'];

/**
 * The person that a path names, if the caller may see that person.
 * @throws KaomonError PERSON_UNKNOWN, FORBIDDEN
 */
export async function requirePerson(
  request: Pick<FastifyRequest, 'caller'>,
  faceid: string,
  gallery: Pick<Gallery, 'person'>,
): Promise<Person> {
  const parts = splitFaceId(faceid);
  if (parts) requireGroupAccess(request, parts.groupid);
  const person = await gallery.person(faceid);
  if (person) return person;
  throw new KaomonError('PERSON_UNKNOWN', 'Nobody is enrolled under this faceid.', {
    details: { field: 'faceid' },
  });
}

/** `/api/v1/people`. */
export function peopleRoutes(app: App, { gallery, receipts }: Services): void {
  const params = Type.Object({ faceid: FaceidSchema });
  const describe = (person: Person, { caller }: Pick<FastifyRequest, 'caller'>) =>
    toPerson(person, thumbnailsFor(caller));

  app.get(
    '/api/v1/people',
    {
      config: { access: 'recognise', slices: true },
      schema: {
        summary: 'List people',
        description: 'A page at a time, by faceid or as `sort` says.',
        tags,
        querystring: PeopleQuery,
        response: {
          200: Type.Object(
            {
              total: Type.Integer({ minimum: 0, description: 'All who fit, on whatever page.' }),
              people: Type.Array(PersonSchema),
              next: Type.Optional(
                Type.String({
                  description:
                    'What to give as `after` for the next page; left out on the last one. The page may be empty.',
                }),
              ),
            },
            { examples: [{ total: 1, people: [EXAMPLE] }] },
          ),
          ...refusals(404),
        },
      },
    },
    async (request) => {
      const { group, search = '', pictures, consent, sort: order, after } = request.query;
      const { limit = PAGE, offset = 0 } = request.query;
      const sort = order === 'id' ? undefined : order;
      if (sort !== undefined && after !== undefined) {
        const sentence = 'Only a list by faceid goes on with "after": leave "sort" out, or use "offset".';
        throw new KaomonError('FIELD_INVALID', sentence, { details: { field: 'after' } });
      }
      const groups = await groupsToSearch(request, group, gallery);
      const which = {
        groups,
        search,
        pictures,
        ...(consent && { consent }),
        sort,
        after,
        offset,
        limit,
        count: true,
        signal: request.gone,
      };
      const { total = 0, people, next } = await gallery.people(which);
      const thumbnailOf = thumbnailsFor(request.caller);
      return { total, people: people.map((person) => toPerson(person, thumbnailOf)), next };
    },
  );

  app.post(
    '/api/v1/people',
    {
      config: { access: 'enrol', changes: true },
      schema: {
        summary: 'Create a person',
        description: 'Without pictures; add them at `/people/{faceid}/faces`.',
        tags,
        body: NewPersonSchema,
        response: { 201: PersonSchema, ...refusals(404, 409, 413, 415) },
      },
    },
    async (request, reply) => {
      const { username = '', metadata = {}, consent, ...ids } = request.body;
      requireGroupAccess(request, ids.groupid);
      const person = await gallery.createPerson({
        ...ids,
        username: checkName(username.trim(), 'username'),
        metadata,
        consent: consent && takeConsent(consent, request.caller.name),
      });
      return reply.status(201).send(describe(person, request));
    },
  );

  app.get(
    '/api/v1/people/:faceid',
    {
      config: { access: 'recognise' },
      schema: {
        summary: 'Read a person',
        tags,
        params,
        response: { 200: PersonSchema, ...refusals(404) },
      },
    },
    async (request) => describe(await requirePerson(request, request.params.faceid, gallery), request),
  );

  app.patch(
    '/api/v1/people/:faceid',
    {
      config: { access: 'enrol', changes: true },
      schema: {
        summary: 'Change a person',
        description:
          'Name, metadata, consent, group or ID. With the last two the faceid changes, and those of the pictures.',
        tags,
        params,
        body: ChangeSchema,
        response: { 200: PersonSchema, ...refusals(404, 409, 413, 415) },
      },
    },
    async (request) => {
      let person = await requirePerson(request, request.params.faceid, gallery);
      const { username, metadata, consent: given, ...to } = request.body;
      const consent = given && takeConsent(given, request.caller.name);
      // Before the move: whoever is refused must not have been moved.
      const change: Parameters<typeof gallery.updatePerson>[1] = {};
      if (username !== undefined) change.username = checkName(username.trim(), 'username');
      if (metadata) change.metadata = metadata;
      if (consent !== undefined) change.consent = consent;
      const target = { groupid: to.groupid ?? person.groupid, userid: to.userid ?? person.userid };
      requireGroupAccess(request, target.groupid);
      // The move first: it is the part that may be refused now.
      if (target.groupid !== person.groupid || target.userid !== person.userid) {
        person = await gallery.movePerson(person.faceid, target);
        request.audited.note({ to: person.faceid });
      }
      if (Object.keys(change).length > 0) person = await gallery.updatePerson(person.faceid, change);
      return describe(person, request);
    },
  );

  app.delete(
    '/api/v1/people/:faceid',
    {
      config: { access: 'enrol' },
      schema: {
        summary: 'Delete a person',
        description:
          'With all pictures, vectors, corrections and sightings. The receipt says what was erased where, and what is still held (docs/privacy.md).',
        tags,
        params,
        response: { 200: ReceiptSchema, ...refusals(404) },
      },
    },
    async (request, reply) => {
      const { groupid, userid } = await requirePerson(request, request.params.faceid, gallery);
      return receipts.give(request, reply, await gallery.remove(groupid, userid));
    },
  );

  app.post(
    '/api/v1/people/:faceid/merge',
    {
      config: { access: 'enrol', audit: 'change', changes: true },
      schema: {
        summary: 'Merge two people into one',
        description: 'All pictures of `from` go to this person, who keeps name and metadata; `from` is gone.',
        tags,
        params,
        body: Type.Object({ from: FaceidSchema }, { ...strict, examples: [{ from: 'default-ken' }] }),
        response: { 200: PersonSchema, ...refusals(404, 409, 413, 415) },
      },
    },
    async (request) => {
      const into = await requirePerson(request, request.params.faceid, gallery);
      const from = await requirePerson(request, request.body.from, gallery);
      return describe(await gallery.mergePerson(from.faceid, into.faceid), request);
    },
  );
}
