import { Type, type Static } from 'typebox';
import type { FastifyRequest } from 'fastify';
import { checkGroupId, checkUserId } from '../../gallery/ids.js';
import { checkName } from '../../gallery/names.js';
import { KaomonError } from '../../platform/errors.js';
import { UNKNOWN_ID } from '../../sightings/unknowns/ids.js';
import type { Naming } from '../../sightings/unknowns/naming.js';
import type { Unknown } from '../../sightings/unknowns/types.js';
import type { Cursor } from '../../sightings/types.js';
import { requireAllGroups } from '../access.js';
import type { App } from '../app-type.js';
import { callerId } from '../on-behalf.js';
import { FaceidSchema, IdSchema, NameSchema, Nullable, refusals, TimeSchema } from '../schemas.js';
import type { Services } from '../services.js';
import { NewConsentSchema, takeConsent } from './consent-schemas.js';
import { requireSightings } from './sightings.js';

const tags = ['sightings'];
const PAGE = 50;
const CURSOR = /^(\d{1,16})-(\d{1,15})$/;
const strict = { additionalProperties: false };

const EXAMPLE = {
  id: 'u-7',
  visits: 3,
  first: '2026-11-27T08:59:02.120Z',
  last: '2026-11-27T17:20:14.480Z',
  deviceids: ['door'],
  pictures: ['/api/v1/sightings/12/picture'],
  ignored: false,
  like: null,
};

const UnknownIdSchema = Type.String({
  pattern: UNKNOWN_ID.source,
  description: 'A stranger: `u-7`.',
  examples: ['u-7'],
});

const UnknownFields = {
  id: UnknownIdSchema,
  visits: Type.Integer({ minimum: 1 }),
  first: { ...TimeSchema, description: 'When they were first seen, of the visits that are kept.' },
  last: TimeSchema,
  deviceids: Type.Array(Type.String(), { description: 'The cameras, in order; at most 20.' }),
  pictures: Type.Array(Type.String(), {
    description: 'Addresses of the best pictures, at most three; none without `KEEP_SIGHTINGS`.',
  }),
  ignored: Type.Boolean({ description: 'Nobody is told of them.' }),
  like: Nullable({
    ...UnknownIdSchema,
    description: 'Another stranger who may be the same person. They are not joined before somebody says so.',
  }),
};
const UnknownSchema = Type.Object(UnknownFields, { examples: [EXAMPLE] });

const undo = Type.String({
  description: 'Takes it back: the token for `/api/v1/unknowns/undo`; for a week.',
});
const UndoableUnknownSchema = Type.Object(
  { ...UnknownFields, undo },
  { examples: [{ ...EXAMPLE, ignored: true, undo: 'kq3XW0b2TfQm8R1u' }] },
);

const NAMED_EXAMPLE = {
  faceid: 'staff-ada',
  sightings: 3,
  faces: ['staff-ada_20260131_090000_m0a1b2c3d4e'],
  undo: 'kq3XW0b2TfQm8R1u',
};

const NamedSchema = Type.Object(
  {
    faceid: FaceidSchema,
    sightings: Type.Integer({ minimum: 1, description: 'So many visits carry the name now.' }),
    faces: Type.Array(Type.String(), { description: 'IDs of the faces that were enrolled, at most three.' }),
    undo,
  },
  {
    examples: [NAMED_EXAMPLE],
  },
);

const force = Type.Optional(
  Type.Boolean({
    description:
      'Even if the face is enrolled under another person, or is not like the other faces of this one.',
  }),
);

const toUnknown = ({
  id,
  visits,
  first,
  last,
  deviceids,
  pictures,
  isIgnored,
  like,
}: Unknown): Static<typeof UnknownSchema> => ({
  id,
  visits,
  first: new Date(first).toISOString(),
  last: new Date(last).toISOString(),
  deviceids,
  pictures: pictures.map((sighting) => `/api/v1/sightings/${sighting}/picture`),
  ignored: isIgnored,
  like,
});

function cursorOf(text: string | undefined): Cursor | undefined {
  const [, last, id] = CURSOR.exec(text ?? '') ?? [];
  return last ? { last: Number(last), id: Number(id) } : undefined;
}

/** `/api/v1/unknowns`: strangers, each with all visits. Of no group, so for administrators of all groups only. */
export function unknownRoutes(app: App, { sightings, naming }: Services): void {
  const params = Type.Object({ id: UnknownIdSchema });

  /** @throws KaomonError FORBIDDEN, SIGHTINGS_OFF */
  function requireNaming(request: Pick<FastifyRequest, 'caller'>): Naming {
    requireAllGroups(request, 'see strangers');
    requireSightings(sightings);
    if (!naming) throw new Error('There are sightings, but nobody names strangers.');
    return naming;
  }

  app.get(
    '/api/v1/unknowns',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'List strangers',
        description:
          'Visits whose faces show one person whom nobody has named yet stand together (docs/unknowns.md). Whoever was seen last comes first.',
        tags,
        querystring: Type.Object(
          {
            ignored: Type.Optional(
              Type.Boolean({ description: 'Only those who are ignored, or only the others. Default: all.' }),
            ),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: `Default ${PAGE}.` })),
            after: Type.Optional(
              Type.String({ pattern: CURSOR.source, description: '`next` of the page before.' }),
            ),
          },
          strict,
        ),
        response: {
          200: Type.Object(
            {
              unknowns: Type.Array(UnknownSchema),
              next: Nullable(
                Type.String({
                  description: 'What to give as `after` for the next page; null on the last one.',
                }),
              ),
            },
            { examples: [{ unknowns: [EXAMPLE], next: null }] },
          ),
          ...refusals(404),
        },
      },
    },
    async (request) => {
      requireNaming(request);
      const { ignored, limit = PAGE, after } = request.query;
      const { store } = requireSightings(sightings);
      const { unknowns, next } = await store.ask('listUnknowns', { ignored, limit, after: cursorOf(after) });
      return { unknowns: unknowns.map(toUnknown), next: next ? `${next.last}-${next.id}` : null };
    },
  );

  app.get(
    '/api/v1/unknowns/:id',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Read a stranger',
        description:
          'One who was joined with another is found by either ID. The visits: `/api/v1/sightings?unknown=u-7`.',
        tags,
        params,
        response: { 200: UnknownSchema, ...refusals(404) },
      },
    },
    async (request) => toUnknown(await requireNaming(request).read(request.params.id)),
  );

  app.post(
    '/api/v1/unknowns/:id/name',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Name a stranger',
        description:
          'Makes a person, enrols the best and most different faces, at most three, and gives all visits so far to the person.',
        tags,
        params,
        body: Type.Object(
          {
            ...{ groupid: IdSchema, userid: IdSchema, username: Type.Optional(NameSchema), force },
            consent: Type.Optional(NewConsentSchema),
          },
          { ...strict, examples: [{ groupid: 'staff', userid: 'grace', username: 'Grace' }] },
        ),
        response: { 201: NamedSchema, ...refusals(404, 409, 413, 415, 422) },
      },
    },
    async (request, reply) => {
      const { groupid, userid, username = '', consent: given, force: isForced = false } = request.body;
      const consent = given && takeConsent(given, request.caller.name);
      const namer = requireNaming(request);
      checkGroupId(groupid);
      checkUserId(userid);
      const name = checkName(username.trim(), 'username');
      const person = { groupid, userid, ...(name && { username: name }), consent };
      const options = { force: isForced, caller: callerId(request) };
      const named = await namer.name(request.params.id, person, options);
      for (const face of named.faces) request.audited.did('faces', face);
      return reply.status(201).send(named);
    },
  );

  app.post(
    '/api/v1/unknowns/:id/same-as',
    {
      config: { access: 'admin' },
      schema: {
        summary: 'Say who a stranger is',
        description:
          'Somebody who is enrolled: the best faces are enrolled for the person as well, who gets all visits so far. Or another stranger (`unknown`): the two are one from now on.',
        tags,
        params,
        body: Type.Object(
          { faceid: Type.Optional(FaceidSchema), unknown: Type.Optional(UnknownIdSchema), force },
          { ...strict, examples: [{ faceid: 'staff-ada' }] },
        ),
        response: {
          200: Type.Union([NamedSchema, UndoableUnknownSchema], { examples: [NAMED_EXAMPLE] }),
          ...refusals(404, 409, 413, 415, 422),
        },
      },
    },
    async (request) => {
      const { faceid, unknown, force: isForced = false } = request.body;
      const namer = requireNaming(request);
      if ((faceid === undefined) === (unknown === undefined))
        throw new KaomonError('FIELD_INVALID', 'Give either "faceid" or "unknown": who it is.', {
          details: { field: 'faceid' },
        });
      if (unknown !== undefined) {
        const { undo: token, ...joined } = await namer.join(request.params.id, unknown);
        return { ...toUnknown(joined), undo: token };
      }
      const options = { force: isForced, caller: callerId(request) };
      const named = await namer.sameAs(request.params.id, faceid ?? '', options);
      for (const face of named.faces) request.audited.did('faces', face);
      return named;
    },
  );

  for (const [method, isIgnored] of [
    ['PUT', true],
    ['DELETE', false],
  ] as const)
    app.route({
      method,
      url: '/api/v1/unknowns/:id/ignored',
      config: { access: 'admin', audit: 'change' },
      schema: {
        summary: isIgnored ? 'Ignore a stranger' : 'Ignore a stranger no longer',
        description: isIgnored
          ? 'Nobody is told of the visits any more; they are still listed.'
          : 'Whoever wants to know is told of the visits again.',
        tags,
        params,
        response: { 200: UndoableUnknownSchema, ...refusals(404) },
      },
      handler: async (request) => {
        const { undo: token, ...unknown } = await requireNaming(request).ignore(request.params.id, isIgnored);
        return { ...toUnknown(unknown), undo: token };
      },
    });

  app.post(
    '/api/v1/unknowns/undo',
    {
      config: { access: 'admin', audit: 'change' },
      schema: {
        summary: 'Take back what was done to a stranger',
        description:
          'A name, a "same as", or that they are ignored. Faces that were enrolled for it are deleted, and the person if made for it and without other faces.',
        tags,
        body: Type.Object(
          { token: Type.String({ minLength: 1, maxLength: 64 }) },
          { ...strict, examples: [{ token: 'kq3XW0b2TfQm8R1u' }] },
        ),
        response: {
          200: Type.Object(
            {
              unknown: UnknownIdSchema,
              sightings: Type.Integer({
                minimum: 0,
                description: "So many visits are the stranger's again.",
              }),
            },
            { examples: [{ unknown: 'u-7', sightings: 3 }] },
          ),
          ...refusals(404, 413, 415),
        },
      },
    },
    async (request) => {
      const { unknown, sightings: count, faceid } = await requireNaming(request).undo(request.body.token);
      request.audited.note({ id: unknown, ...(faceid !== null && { faceid }) });
      return { unknown, sightings: count };
    },
  );
}
