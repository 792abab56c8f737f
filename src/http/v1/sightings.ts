import { Readable } from 'node:stream';
import type { FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import { KaomonError, throwIfGone } from '../../platform/errors.js';
import { splitFaceId } from '../../gallery/ids.js';
import type { Gallery } from '../../gallery/types.js';
import type { Sightings } from '../../sightings/open.js';
import type { Sighting, SightingFilter } from '../../sightings/types.js';
import { groupsToSearch, requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { BytesSchema, FaceidSchema, IdSchema, refusals, TimeSchema } from '../schemas.js';
import type { Services } from '../services.js';
import { AfterSchema, cursorOf, NextSchema, positionOf } from './cursor.js';
import {
  maySee,
  maySeeStrangers,
  SIGHTING_EXAMPLE,
  SightingSchema,
  toSighting,
  withPeople,
} from './sighting-schemas.js';
import { csvOf } from './sightings-csv.js';
import { THUMBNAIL_ROLE } from './thumbnails.js';

const tags = ['sightings'];
const PAGE = 50;

const ListQuery = Type.Object(
  {
    from: Type.Optional({ ...TimeSchema, description: 'Visits that were not over before this: ISO 8601.' }),
    to: Type.Optional({ ...TimeSchema, description: 'Visits that had begun before this: ISO 8601.' }),
    faceid: Type.Optional(FaceidSchema),
    groupid: Type.Optional({ ...IdSchema, description: 'People of this group only.' }),
    deviceid: Type.Optional({ ...Type.String({ maxLength: 200 }), description: 'At this camera only.' }),
    unknown: Type.Optional(
      Type.String({
        pattern: /^(?:true|false|u-\d{1,15})$/.source,
        description: '`true`: strangers only; `false`: people only; `u-7`: one stranger.',
      }),
    ),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200, description: `Default ${PAGE}.` })),
    after: AfterSchema,
    format: Type.Optional(
      Type.Enum(['json', 'csv'], { description: '`csv`: all of them, for a spreadsheet; without pages.' }),
    ),
  },
  { additionalProperties: false },
);
type Query = Static<typeof ListQuery>;

/** @throws KaomonError SIGHTINGS_OFF */
export function requireSightings(sightings: Sightings | undefined): Sightings {
  if (sightings) return sightings;
  throw new KaomonError(
    'SIGHTINGS_OFF',
    'Who came by is not kept: an administrator can set SIGHTINGS=true (docs/sightings.md).',
  );
}

const unknownSighting = () =>
  new KaomonError('SIGHTING_UNKNOWN', 'There is no such sighting, or it has been erased.', {
    details: { field: 'id' },
  });

/** @throws KaomonError FIELD_INVALID */
function timeOf(field: 'from' | 'to', text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (Number.isFinite(time)) return time;
  throw new KaomonError(
    'FIELD_INVALID',
    `The field "${field}" is no date: give it as 2026-11-27T08:00:00Z.`,
    {
      details: { field },
    },
  );
}

/** What the caller asks for, as far as they may see it. @throws KaomonError FORBIDDEN, GROUP_UNKNOWN, FIELD_INVALID */
async function filterOf(
  request: Pick<FastifyRequest, 'caller'>,
  query: Query,
  gallery: Pick<Gallery, 'group'>,
): Promise<SightingFilter> {
  const { faceid, deviceid } = query;
  const groupid = faceid === undefined ? undefined : splitFaceId(faceid)?.groupid;
  if (groupid !== undefined) requireGroupAccess(request, groupid);
  const groups = await groupsToSearch(request, query.groupid, gallery);
  let unknown: SightingFilter['unknown'] = query.unknown;
  if (unknown === 'true' || unknown === 'false') unknown = unknown === 'true';
  if (!maySeeStrangers(request.caller)) {
    if (unknown !== undefined && unknown !== false)
      throw new KaomonError('FORBIDDEN', 'Only an administrator of all groups sees strangers.');
    unknown = false;
  }
  const filter: SightingFilter = { faceid, deviceid, unknown };
  filter.from = timeOf('from', query.from);
  filter.to = timeOf('to', query.to);
  // By its own index where a person is asked for.
  if (groups && faceid === undefined) filter.groups = [...groups];
  else if (groups && (groupid === undefined || !groups.has(groupid))) filter.groups = [];
  return filter;
}

/** `/api/v1/sightings`: who came by, when and where. */
export function sightingRoutes(app: App, { gallery, sightings, config }: Services): void {
  const params = Type.Object({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) });

  /** A sighting that the caller may see. @throws KaomonError SIGHTINGS_OFF, SIGHTING_UNKNOWN */
  async function requireSighting(request: Pick<FastifyRequest, 'caller'>, id: number): Promise<Sighting> {
    const sighting = await requireSightings(sightings).store.ask('sighting', id);
    // As if it were not there: who may not see it learns nothing of it.
    if (!sighting || !maySee(request.caller, sighting)) throw unknownSighting();
    return sighting;
  }

  app.get(
    '/api/v1/sightings',
    {
      config: { access: 'recognise', slices: true },
      schema: {
        summary: 'List who came by',
        description:
          'One entry a visit: a person, or a stranger, at one camera from the first frame to the last. Newest first, a page at a time. Keys see people of their groups; strangers only administrators of all groups.',
        tags,
        querystring: ListQuery,
        produces: ['application/json', 'text/csv'],
        response: {
          200: Type.Object(
            {
              sightings: Type.Array(SightingSchema),
              next: NextSchema,
            },
            { examples: [{ sightings: [SIGHTING_EXAMPLE], next: '1795769954480-12' }] },
          ),
          ...refusals(404),
        },
      },
    },
    async (request, reply) => {
      const who = requireSightings(sightings);
      const { store } = who;
      const { query } = request;
      const filter = await filterOf(request, query, gallery);
      // Whoever asks sees what this worker has seen by now.
      await who.flush();
      if (query.format === 'csv') {
        // Who came by, in bulk, leaves the server.
        request.audited.as('export');
        throwIfGone(request.gone);
        const lines = csvOf(
          (after, limit) => store.ask('sightings', filter, after, limit),
          gallery,
          request.gone,
        );
        void reply
          .type('text/csv; charset=utf-8; header=present')
          .header('content-disposition', 'attachment; filename="sightings.csv"')
          .header('cache-control', 'no-store');
        return reply.send(Readable.from(lines) as never);
      }
      const { limit = PAGE } = query;
      const found = await store.ask('sightings', filter, cursorOf(query.after), limit);
      const told = await withPeople(found, gallery);
      const last = found.length < limit ? undefined : found.at(-1);
      return {
        sightings: told.map(({ sighting, person }) => toSighting(sighting, person, request.caller)),
        next: last ? positionOf(last) : null,
      };
    },
  );

  app.get(
    '/api/v1/sightings/cameras',
    {
      config: { access: 'recognise' },
      schema: {
        summary: 'List the cameras that have sightings',
        description: 'With the settings that say how long sightings are kept.',
        tags,
        response: {
          200: Type.Object(
            {
              deviceids: Type.Array(Type.String()),
              days: Type.Number({
                description: 'Days that sightings of people are kept (`SIGHTINGS_DAYS`).',
              }),
              unknownsDays: Type.Number({
                description: 'Days that those of strangers are (`UNKNOWNS_DAYS`).',
              }),
              keepsPictures: Type.Boolean({ description: 'The best pictures are kept (`KEEP_SIGHTINGS`).' }),
              seesUnknowns: Type.Boolean({ description: 'The caller may see strangers.' }),
            },
            {
              examples: [
                {
                  ...{ deviceids: ['door'], days: 30, unknownsDays: 7 },
                  ...{ keepsPictures: true, seesUnknowns: true },
                },
              ],
            },
          ),
          ...refusals(404),
        },
      },
    },
    async (request) => {
      const { store } = requireSightings(sightings);
      const { groups } = request.caller;
      const strangers = maySeeStrangers(request.caller);
      return {
        deviceids: await store.ask('deviceids', groups && [...groups]),
        days: config.SIGHTINGS_DAYS,
        unknownsDays: config.UNKNOWNS_DAYS,
        keepsPictures: config.KEEP_SIGHTINGS,
        seesUnknowns: strangers,
      };
    },
  );

  app.get(
    '/api/v1/sightings/:id',
    {
      config: { access: 'recognise' },
      schema: {
        summary: 'Read a sighting',
        tags,
        params,
        response: { 200: SightingSchema, ...refusals(404) },
      },
    },
    async (request) => {
      const sighting = await requireSighting(request, request.params.id);
      const told = (await withPeople([sighting], gallery)).at(0);
      if (!told) throw unknownSighting();
      return toSighting(sighting, told.person, request.caller);
    },
  );

  app.get(
    '/api/v1/sightings/:id/picture',
    {
      config: { access: THUMBNAIL_ROLE },
      schema: {
        summary: "A sighting's best picture of the face",
        description: 'PNG, as the embedder saw it; kept with `KEEP_SIGHTINGS`.',
        tags,
        params,
        produces: ['image/png'],
        response: { 200: BytesSchema, ...refusals(404) },
      },
    },
    async (request, reply) => {
      const { id } = await requireSighting(request, request.params.id);
      const face = await requireSightings(sightings).store.ask('face', id);
      if (!face?.crop) throw unknownSighting();
      return reply
        .type('image/png')
        .header('cache-control', 'private, no-cache')
        .send(Buffer.from(face.crop));
    },
  );

  app.delete(
    '/api/v1/sightings/:id',
    {
      config: { access: 'enrol' },
      schema: {
        summary: 'Erase a sighting',
        description: 'With its embedding and picture.',
        tags,
        params,
        response: { 204: Type.Null({ description: 'Erased.' }), ...refusals(404) },
      },
    },
    async (request, reply) => {
      const { id } = await requireSighting(request, request.params.id);
      if (!(await requireSightings(sightings).store.ask('eraseSighting', id))) throw unknownSighting();
      return reply.status(204).send(null);
    },
  );
}
