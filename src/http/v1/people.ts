import { Type, type Static } from 'typebox';
import type { FastifyRequest } from 'fastify';
import { KaomonError } from '../../platform/errors.js';
import { splitFaceId } from '../../gallery/ids.js';
import { checkName } from '../../gallery/names.js';
import type { Gallery, Person } from '../../gallery/types.js';
import { groupsToSearch, requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { FaceidSchema, IdSchema, NameSchema, Nullable, refusals, TimeSchema } from '../schemas.js';
import type { Services } from '../services.js';

const tags = ['people'];
/** People on a page, unless the caller says otherwise. */
const PAGE = 100;
const strict = { additionalProperties: false };

const MetadataSchema = Type.Record(
  Type.String({ maxLength: 64 }),
  Type.Union([
    Type.String({ maxLength: 1000 }),
    Type.Number({ minimum: -1e15, maximum: 1e15 }),
    Type.Boolean(),
    Type.Null(),
  ]),
  { maxProperties: 50, description: 'What you want to remember of the person; small.' },
);

const EXAMPLE = {
  faceid: 'staff-ada',
  groupid: 'staff',
  userid: 'ada',
  username: 'Ada',
  metadata: { room: 12 },
  faces: 2,
  enrolledAt: '2026-01-31T09:00:00Z',
};

const PersonSchema = Type.Object(
  {
    faceid: Type.String(),
    groupid: Type.String(),
    userid: Type.String(),
    username: Type.String(),
    metadata: Type.Record(
      Type.String(),
      Type.Union([Type.String(), Type.Number(), Type.Boolean(), Type.Null()]),
    ),
    faces: Type.Integer({ minimum: 0, description: 'Enrolled pictures.' }),
    enrolledAt: { ...Nullable(TimeSchema), description: 'Of the oldest picture; null while there is none.' },
  },
  {
    examples: [EXAMPLE],
  },
);

const NewPersonSchema = Type.Object(
  {
    groupid: IdSchema,
    userid: IdSchema,
    username: Type.Optional(NameSchema),
    metadata: Type.Optional(MetadataSchema),
  },
  { ...strict, examples: [{ groupid: 'staff', userid: 'grace', username: 'Grace', metadata: { room: 12 } }] },
);

const ChangeSchema = Type.Object(
  {
    username: Type.Optional(NameSchema),
    metadata: Type.Optional({ ...MetadataSchema, description: 'Takes the place of all that was there.' }),
    groupid: Type.Optional({ ...IdSchema, description: 'Moves the person.' }),
    userid: Type.Optional({ ...IdSchema, description: 'Gives the person another ID.' }),
  },
  { ...strict, minProperties: 1, examples: [{ username: 'Ada L.', groupid: 'default' }] },
);

const PeopleQuery = Type.Object(
  {
    group: Type.Optional(
      Type.String({ maxLength: 64, description: 'Of this group only.', examples: ['staff'] }),
    ),
    search: Type.Optional(
      Type.String({
        maxLength: 200,
        description:
          'Part of the name or of the user ID, in small or capital letters, with accents or without, in full or half width, in katakana or hiragana.',
        examples: ['ad'],
      }),
    ),
    pictures: Type.Optional(
      Type.Enum(['none', 'some'], {
        description:
          'Only people without a picture, or with one. `none`: to be enrolled, or enrolled again after a change of pack.',
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: `Default ${PAGE}.` })),
    offset: Type.Optional(Type.Integer({ minimum: 0, maximum: 1e9, description: 'People to pass over.' })),
    after: Type.Optional(
      Type.String({
        maxLength: 200,
        description:
          'Only people behind this faceid: `next` of the page before. Nobody is listed twice or left out when others come and go meanwhile.',
        examples: ['staff-ada'],
      }),
    ),
  },
  strict,
);

function toPerson(person: Person): Static<typeof PersonSchema> {
  const { faceid, groupid, userid, username, metadata, faces, enrolledAt = null } = person;
  return { faceid, groupid, userid, username, metadata, faces: faces.length, enrolledAt };
}

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
export function peopleRoutes(app: App, { gallery }: Services): void {
  const params = Type.Object({ faceid: FaceidSchema });

  app.get(
    '/api/v1/people',
    {
      config: { access: 'recognise', slices: true },
      schema: {
        summary: 'List people',
        description: 'By faceid, a page at a time.',
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
      const { group, search = '', pictures, after, limit = PAGE, offset = 0 } = request.query;
      const groups = await groupsToSearch(request, group, gallery);
      const which = { groups, search, pictures, after, offset, limit, count: true, signal: request.gone };
      const { total = 0, people, next } = await gallery.people(which);
      return { total, people: people.map(toPerson), next };
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
      const { username = '', metadata = {}, ...ids } = request.body;
      requireGroupAccess(request, ids.groupid);
      const person = await gallery.createPerson({
        ...ids,
        username: checkName(username.trim(), 'username'),
        metadata,
      });
      return reply.status(201).send(toPerson(person));
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
    async (request) => toPerson(await requirePerson(request, request.params.faceid, gallery)),
  );

  app.patch(
    '/api/v1/people/:faceid',
    {
      config: { access: 'enrol', changes: true },
      schema: {
        summary: 'Change a person',
        description:
          'Name, metadata, group or ID. With the last two the faceid changes, and those of the pictures.',
        tags,
        params,
        body: ChangeSchema,
        response: { 200: PersonSchema, ...refusals(404, 409, 413, 415) },
      },
    },
    async (request) => {
      let person = await requirePerson(request, request.params.faceid, gallery);
      const { username, metadata, ...to } = request.body;
      const target = { groupid: to.groupid ?? person.groupid, userid: to.userid ?? person.userid };
      requireGroupAccess(request, target.groupid);
      // The move first: it is the part that may be refused.
      if (target.groupid !== person.groupid || target.userid !== person.userid) {
        person = await gallery.movePerson(person.faceid, target);
        request.audited.note({ to: person.faceid });
      }
      if (username !== undefined || metadata) {
        const change: Parameters<typeof gallery.updatePerson>[1] = {};
        if (username !== undefined) change.username = checkName(username.trim(), 'username');
        if (metadata) change.metadata = metadata;
        person = await gallery.updatePerson(person.faceid, change);
      }
      return toPerson(person);
    },
  );

  app.delete(
    '/api/v1/people/:faceid',
    {
      config: { access: 'enrol' },
      schema: {
        summary: 'Delete a person',
        description: 'With all pictures.',
        tags,
        params,
        response: { 204: Type.Null({ description: 'Deleted.' }), ...refusals(404) },
      },
    },
    async (request, reply) => {
      const { groupid, userid } = await requirePerson(request, request.params.faceid, gallery);
      await gallery.remove(groupid, userid);
      return reply.status(204).send(null);
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
      return toPerson(await gallery.mergePerson(from.faceid, into.faceid));
    },
  );
}
