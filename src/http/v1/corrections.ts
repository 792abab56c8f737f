import type { FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import { KaomonError } from '../../platform/errors.js';
import { personOfFace } from '../../gallery/face-name.js';
import { splitFaceId } from '../../gallery/ids.js';
import type { Correction } from '../../gallery/types.js';
import type { WrongFace } from '../../identity/corrections.js';
import { groupsToSearch, requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { pictureRefusals } from '../intake/one-by-one.js';
import { Base64Schema, pictureBodyLimit, requirePictures, TINY_PICTURE } from '../intake/pictures.js';
import { onBehalfOf } from '../on-behalf.js';
import { BytesSchema, FaceidSchema, FaceNameSchema, Nullable, refusals, TimeSchema } from '../schemas.js';
import type { Services } from '../services.js';
import { requirePerson } from './people.js';
import { maySee } from './sighting-schemas.js';
import { requireSightings } from './sightings.js';

const tags = ['people'];
const strict = { additionalProperties: false };
const PICTURE_PATH = '/api/v1/corrections/:id/picture';

const EXAMPLE = {
  id: 'staff-ada_20260131_090000_n0a1b2c3d4e',
  faceid: 'staff-ada',
  at: '2026-01-31T09:00:00Z',
  picture: null,
};

const CorrectionSchema = Type.Object(
  {
    id: Type.String(),
    faceid: Type.String({ description: 'Whose the face is not.' }),
    at: TimeSchema,
    picture: Nullable(
      Type.String({ description: 'Address of the face; null: it was not kept (`KEEP_FACES`).' }),
    ),
  },
  { examples: [EXAMPLE] },
);

const toAnswer = ({ id, faceid, at, hasPicture }: Correction): Static<typeof CorrectionSchema> => ({
  id,
  faceid,
  at,
  picture: hasPicture ? PICTURE_PATH.replace(':id', encodeURIComponent(id)) : null,
});

const JsonSchema = Type.Object(
  {
    faceid: Type.Optional(FaceidSchema),
    sighting: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: Number.MAX_SAFE_INTEGER,
        description: 'A visit that has the wrong name, in place of all else: it is a stranger’s then.',
      }),
    ),
    image: Type.Optional(Base64Schema),
    vector: Type.Optional(
      Type.Array(Type.Number({ minimum: -1e6, maximum: 1e6 }), { minItems: 1, maxItems: 4096 }),
    ),
    face: Type.Optional({
      ...FaceNameSchema,
      description: 'An enrolled picture of somebody else, in place of a picture or a vector: its ID.',
    }),
    pack: Type.Optional(
      Type.String({ maxLength: 64, description: 'The pack that made the vector, as /embed answers it.' }),
    ),
  },
  { ...strict, examples: [{ faceid: 'staff-ada', image: TINY_PICTURE }] },
);
const FormSchema = Type.Object(
  { faceid: FaceidSchema, image: Type.Optional(BytesSchema) },
  { examples: [{ faceid: 'staff-ada', image: '(a file)' }] },
);

/** `/api/v1/corrections`: "not this person". */
export function correctionRoutes(app: App, { config, gallery, corrector, sightings }: Services): void {
  /** Who a sighting is said to be, and the face. @throws KaomonError SIGHTINGS_OFF, SIGHTING_UNKNOWN, CORRECTION_REFUSED */
  async function seen(request: FastifyRequest, id: number): Promise<{ faceid: string; face: WrongFace }> {
    const { store } = requireSightings(sightings);
    const sighting = await store.ask('sighting', id);
    const best = sighting && maySee(request.caller, sighting) ? await store.ask('face', id) : null;
    if (!sighting || !best)
      throw new KaomonError('SIGHTING_UNKNOWN', 'There is no such sighting, or it has been erased.', {
        details: { field: 'sighting' },
      });
    const { faceid } = sighting;
    if (faceid === null)
      throw new KaomonError('CORRECTION_REFUSED', 'This sighting has no name that could be wrong.');
    return { faceid, face: { embedding: best.vector, crop: best.crop } };
  }

  app.post(
    '/api/v1/corrections',
    {
      config: { access: 'enrol', audit: 'change', pictures: { texts: ['faceid'] } },
      bodyLimit: pictureBodyLimit(config.MAX_UPLOAD_BYTES),
      schema: {
        summary: 'Say that a face is not this person’s',
        description:
          'From then on no face that is nearer to this one than to the person’s pictures gets the name, on every ' +
          'way in and in every worker. A picture with one face, or a vector with its pack (docs/corrections.md). ' +
          'What was said before is answered with 200.',
        tags,
        body: {
          content: {
            'application/json': { schema: JsonSchema },
            'multipart/form-data': { schema: FormSchema },
          },
        },
        response: {
          200: { ...CorrectionSchema, description: 'It was said before.' },
          201: CorrectionSchema,
          ...pictureRefusals(404, 409),
        },
      },
    },
    async (request, reply) => {
      const { sighting } = request.body as Static<typeof JsonSchema>;
      const { faceid, face } =
        sighting === undefined ? personAndFace(request) : await seen(request, sighting);
      await requirePerson(request, faceid, gallery);
      const { correction, already } = await corrector(faceid, face, onBehalfOf(request));
      request.audited.note({ correction: correction.id });
      if (sighting !== undefined)
        await requireSightings(sightings).store.ask('correctSighting', sighting, faceid, endOf(correction));
      return reply.status(already ? 200 : 201).send(toAnswer(correction));
    },
  );

  app.get(
    '/api/v1/corrections',
    {
      config: { access: 'enrol', slices: true },
      schema: {
        summary: 'List what was said',
        description: 'By person, the oldest first.',
        tags,
        querystring: Type.Object(
          {
            faceid: Type.Optional(FaceidSchema),
            group: Type.Optional(Type.String({ maxLength: 64, description: 'Of this group only.' })),
            limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Default 200.' })),
            after: Type.Optional(
              Type.String({
                maxLength: 200,
                description: 'Only those behind this one: `next` of the page before.',
              }),
            ),
          },
          strict,
        ),
        response: {
          200: Type.Object(
            {
              total: Type.Integer({ minimum: 0 }),
              corrections: Type.Array(CorrectionSchema),
              next: Type.Optional(Type.String()),
            },
            { examples: [{ total: 1, corrections: [EXAMPLE] }] },
          ),
          ...refusals(404),
        },
      },
    },
    async (request) => {
      const { faceid, group, limit = 200, after } = request.query;
      if (faceid !== undefined) await requirePerson(request, faceid, gallery);
      const groups = await groupsToSearch(request, group, gallery);
      const all = gallery.corrections({ faceid, groups });
      const start = after === undefined ? 0 : all.findIndex(({ id }) => isBehind(id, after));
      const page = start < 0 ? [] : all.slice(start, start + limit);
      const isLast = start < 0 || start + limit >= all.length;
      return {
        total: all.length,
        corrections: page.map(toAnswer),
        ...(!isLast && { next: page.at(-1)?.id }),
      };
    },
  );

  const params = Type.Object({ id: FaceNameSchema });

  app.delete(
    '/api/v1/corrections/:id',
    {
      config: { access: 'enrol' },
      schema: {
        summary: 'Take back what was said',
        tags,
        params,
        response: { 204: Type.Null({ description: 'Taken back.' }), ...refusals(404) },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const faceid = personOf(request, id);
      const { groupid } = splitFaceId(faceid) ?? { groupid: '' };
      const giveBack = () =>
        sightings?.store.ask('uncorrectSightings', endOf({ id, faceid }), faceid, groupid);
      // The visits first: where they cannot be reached the caller asks again, and must find the correction then.
      const isKnown = gallery.corrections({ faceid }).some((one) => one.id === id);
      if (isKnown) await giveBack();
      await gallery.removeCorrection(faceid, id);
      // Another worker has taken it a moment ago.
      if (!isKnown) await giveBack();
      return reply.status(204).send(null);
    },
  );

  app.get(
    PICTURE_PATH,
    {
      config: { access: 'enrol' },
      schema: {
        summary: 'Read the face',
        description: 'The aligned face as PNG, kept when `KEEP_FACES=true` at that time.',
        tags,
        params,
        produces: ['image/png'],
        response: { 200: BytesSchema, ...refusals(404) },
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      const picture = await gallery.correctionPicture(personOf(request, id), id);
      if (!picture) throw new KaomonError('FACE_UNKNOWN', 'No picture of this face was kept.');
      return reply.type('image/png').header('cache-control', 'private, max-age=86400').send(picture);
    },
  );
}

/** As the list is in order: by person, then by date and ID. */
function isBehind(id: string, other: string): boolean {
  const [mine, theirs] = [personOfFace(id), personOfFace(other)];
  return mine === theirs ? id > other : mine > theirs;
}

/** Whose a correction or a picture is. @throws KaomonError FORBIDDEN, and `code` for what is no such ID */
function personOf(
  request: Pick<FastifyRequest, 'caller'>,
  id: string,
  code: 'CORRECTION_UNKNOWN' | 'FACE_UNKNOWN' = 'CORRECTION_UNKNOWN',
): string {
  const faceid = personOfFace(id);
  const parts = splitFaceId(faceid);
  if (!parts) throw new KaomonError(code, 'This is not such an ID.', { details: { field: 'id' } });
  requireGroupAccess(request, parts.groupid);
  return faceid;
}

/** The part of an ID that stays when the person moves. */
const endOf = ({ id, faceid }: Pick<Correction, 'id' | 'faceid'>) => id.slice(faceid.length);

/** @throws KaomonError FIELD_MISSING, and as `faceOf` */
function personAndFace(request: FastifyRequest): { faceid: string; face: WrongFace } {
  const { faceid } = request.body as Static<typeof JsonSchema>;
  if (faceid !== undefined) return { faceid, face: faceOf(request) };
  throw new KaomonError('FIELD_MISSING', 'The field "faceid" is missing: whose face it is not.', {
    details: { field: 'faceid' },
  });
}

/** @throws KaomonError IMAGE_MISSING, FIELD_INVALID and why a picture cannot be taken */
function faceOf(request: FastifyRequest): WrongFace {
  const { vector, pack, face } = request.body as Static<typeof JsonSchema>;
  const given = [vector, face, request.pictures.at(0)].filter((one) => one !== undefined);
  if (given.length > 1)
    throw new KaomonError('FIELD_INVALID', 'Send one of a picture, a vector and the ID of an enrolled one.', {
      details: { field: vector ? 'vector' : 'face' },
    });
  if (face !== undefined) return { owner: personOf(request, face, 'FACE_UNKNOWN'), face };
  if (vector) {
    if (pack === undefined)
      throw new KaomonError('FIELD_MISSING', 'The field "pack" is missing: which pack made the vector.', {
        details: { field: 'pack' },
      });
    return { vector, pack };
  }
  const [bytes, ...others] = requirePictures(request);
  if (others.length === 0) return { bytes };
  throw new KaomonError('FIELD_INVALID', 'Send one picture, of the face that has the wrong name.', {
    details: { field: 'image' },
  });
}
