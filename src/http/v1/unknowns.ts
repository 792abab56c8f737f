import { Type } from 'typebox';
import type { FastifyRequest } from 'fastify';
import { checkGroupId, checkUserId } from '../../gallery/ids.js';
import { checkName } from '../../gallery/names.js';
import { KaomonError } from '../../platform/errors.js';
import type { Naming } from '../../sightings/unknowns/naming.js';
import { requireAllGroups } from '../access.js';
import type { App } from '../app-type.js';
import { callerId } from '../on-behalf.js';
import { FaceidSchema, IdSchema, NameSchema, refusals } from '../schemas.js';
import type { Services } from '../services.js';
import { NewConsentSchema, takeConsent } from './consent-schemas.js';
import { AfterSchema, cursorOf, NextSchema, positionOf } from './cursor.js';
import { requireSightings } from './sightings.js';
import {
  force,
  NAMED_EXAMPLE,
  NamedSchema,
  toUnknown,
  UndoableUnknownSchema,
  UNKNOWN_EXAMPLE,
  UnknownIdSchema,
  UnknownSchema,
} from './unknown-schemas.js';

const tags = ['sightings'];
const PAGE = 50;
const strict = { additionalProperties: false };

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
            after: AfterSchema,
          },
          strict,
        ),
        response: {
          200: Type.Object(
            {
              unknowns: Type.Array(UnknownSchema),
              next: NextSchema,
            },
            { examples: [{ unknowns: [UNKNOWN_EXAMPLE], next: null }] },
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
      return { unknowns: unknowns.map(toUnknown), next: next ? positionOf(next) : null };
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
