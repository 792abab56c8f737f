import { Type, type Static } from 'typebox';
import { KaomonError } from '../../platform/errors.js';
import { splitFaceId } from '../../gallery/ids.js';
import { checkName } from '../../gallery/names.js';
import type { Face } from '../../gallery/types.js';
import { requireGroupAccess } from '../access.js';
import type { App } from '../app-type.js';
import { onBehalfOf } from '../on-behalf.js';
import { listOf, pictureRefusals, together } from '../intake/one-by-one.js';
import { pictureBody, pictureBodyLimit } from '../intake/pictures.js';
import { BytesSchema, FaceidSchema, FaceNameSchema, NameSchema, refusals, TimeSchema } from '../schemas.js';
import type { Services } from '../services.js';
import { requirePerson } from './people.js';
import { moveFace } from '../../identity/move-face.js';
import { ConsentQuery, consentOfQuery } from './consent-schemas.js';
import { THUMBNAIL_PATH, THUMBNAIL_ROLE } from './thumbnails.js';

const tags = ['people'];

const EXAMPLE = {
  id: 'staff-ada_20260131_090000_m0a1b2c3d4e',
  enrolledAt: '2026-01-31T09:00:00Z',
  automatic: false,
  picture: false,
};

const EnrolledSchema = Type.Object(
  {
    id: Type.String(),
    enrolledAt: TimeSchema,
    automatic: Type.Boolean({ description: 'Enrolled by the server itself, not by a person.' }),
    picture: Type.Boolean({ description: 'A thumbnail is kept (`KEEP_FACES=true`).' }),
  },
  { examples: [EXAMPLE] },
);

const toEnrolled = ({ id, enrolledAt, automatic, hasPicture }: Face): Static<typeof EnrolledSchema> => ({
  id,
  enrolledAt,
  automatic,
  picture: hasPicture,
});

const EnrolledEntrySchema = Type.Object(
  {
    status: Type.Enum(['enrolled', 'already'], {
      description: '`already`: the person has this picture, as `face`; nothing was added.',
    }),
    face: EnrolledSchema,
  },
  { examples: [{ status: 'enrolled', face: EXAMPLE }] },
);

const EnrolQuery = Type.Object(
  {
    force: Type.Optional(
      Type.Boolean({
        description:
          'Enrol a face that is enrolled under another person, too, or is not like the other pictures of this one.',
      }),
    ),
    create: Type.Optional(Type.Boolean({ description: 'Create the person when there is none.' })),
    username: Type.Optional(NameSchema),
    ...ConsentQuery,
  },
  { additionalProperties: false },
);

/** `/api/v1/people/:faceid/faces`. */
export function faceRoutes(app: App, { config, gallery, enroller }: Services): void {
  const params = Type.Object({ faceid: FaceidSchema });

  app.get(
    '/api/v1/people/:faceid/faces',
    {
      config: { access: 'recognise' },
      schema: {
        summary: "List a person's pictures",
        tags,
        params,
        response: { 200: Type.Array(EnrolledSchema, { examples: [[EXAMPLE]] }), ...refusals(404) },
      },
    },
    async (request) => (await requirePerson(request, request.params.faceid, gallery)).faces.map(toEnrolled),
  );

  app.post(
    '/api/v1/people/:faceid/faces',
    {
      config: { access: 'enrol', pictures: { texts: ['username'] } },
      bodyLimit: pictureBodyLimit(config.MAX_UPLOAD_BYTES),
      schema: {
        summary: 'Enrol pictures of a person',
        description:
          'Each picture must show one face that is large, sharp and straight enough (docs/quality.md). One that ' +
          'cannot be used does not stop the others, and one that the person has already is not enrolled again. ' +
          'Pictures are compared with those of the person and, where there are none, with one another: send those ' +
          'of a new person together, so that the one of somebody else is refused and not the others ' +
          '(`NOT_THE_SAME_PERSON`, docs/ways-in.md).',
        tags,
        params,
        querystring: EnrolQuery,
        body: pictureBody({ username: Type.Optional(NameSchema) }),
        response: {
          200: {
            ...listOf(EnrolledEntrySchema, { results: [{ status: 'already', face: EXAMPLE }] }),
            description: 'Nothing was added: the person has these pictures already.',
          },
          201: listOf(EnrolledEntrySchema, { results: [{ status: 'enrolled', face: EXAMPLE }] }),
          ...pictureRefusals(404, 409),
        },
      },
    },
    async (request, reply) => {
      const { faceid } = request.params;
      const { force = false, create = false } = request.query;
      const parts = splitFaceId(faceid);
      if (!parts) {
        throw new KaomonError(
          'PERSON_UNKNOWN',
          'This is not a faceid, which consists of groupid, "-" and userid.',
          {
            details: { field: 'faceid' },
          },
        );
      }
      requireGroupAccess(request, parts.groupid);
      if (!create) await requirePerson(request, faceid, gallery);
      const given = usernameOf(request.body) ?? request.query.username ?? '';
      const username = checkName(given.trim(), 'username');
      const consent = consentOfQuery(request.query, request.caller.name);
      // Who is there has it from now on, whatever becomes of the pictures.
      const isThere = consent && (await gallery.person(faceid)) !== undefined;
      if (isThere) await gallery.updatePerson(faceid, { consent });
      const person = { ...parts, username: username || undefined, consent };
      const options = {
        force,
        // The pages send a person's pictures one after another.
        oneOfSeveral: true,
        groups: request.caller.groups,
        ...onBehalfOf(request),
      };
      const results = await together(
        request,
        (bytes, place) => enroller.look(person, bytes, options, place),
        async (looked) => {
          const outcomes = await enroller.enrolTogether(person, looked, options);
          return outcomes.map((outcome) => {
            if (outcome.status === 'rejected') return outcome;
            const { face, already } = outcome.value;
            if (!already) request.audited.did('faces', face.id);
            const status = already ? ('already' as const) : ('enrolled' as const);
            return { status: 'fulfilled', value: { status, face: toEnrolled(face) } };
          });
        },
      );
      const isNew = results.some(({ status }) => status === 'enrolled');
      return reply.status(isNew ? 201 : 200).send({ results });
    },
  );

  const faceParams = Type.Object({ faceid: FaceidSchema, id: FaceNameSchema });

  app.delete(
    '/api/v1/people/:faceid/faces/:id',
    {
      config: { access: 'enrol' },
      schema: {
        summary: 'Delete a picture',
        description: 'The person stays, without pictures if it was the last.',
        tags,
        params: faceParams,
        response: { 204: Type.Null({ description: 'Deleted.' }), ...refusals(404) },
      },
    },
    async (request, reply) => {
      const { faceid, id } = request.params;
      await requirePerson(request, faceid, gallery);
      await gallery.removeFace(faceid, id);
      return reply.status(204).send(null);
    },
  );

  app.post(
    '/api/v1/people/:faceid/faces/:id/move',
    {
      config: { access: 'enrol', audit: 'change', changes: true },
      schema: {
        summary: 'Give a picture to somebody else',
        description:
          'It was enrolled for the wrong person. Its date stays, and its ID changes; move it back to undo this.',
        tags,
        params: faceParams,
        body: Type.Object(
          { to: FaceidSchema },
          { additionalProperties: false, examples: [{ to: 'default-ken' }] },
        ),
        response: { 200: EnrolledEntrySchema, ...refusals(404, 409, 413, 415) },
      },
    },
    async (request) => {
      const { faceid, id } = request.params;
      await requirePerson(request, faceid, gallery);
      const { faceid: to } = await requirePerson(request, request.body.to, gallery);
      request.audited.note({ to });
      const { face, already } = await moveFace(gallery, { faceid, id }, to);
      return { status: already ? ('already' as const) : ('enrolled' as const), face: toEnrolled(face) };
    },
  );

  app.get(
    THUMBNAIL_PATH,
    {
      config: { access: THUMBNAIL_ROLE },
      schema: {
        summary: 'Read a picture’s thumbnail',
        description: 'The aligned face as PNG, kept when `KEEP_FACES=true` at its enrolment.',
        tags,
        params: faceParams,
        produces: ['image/png'],
        response: { 200: BytesSchema, ...refusals(404) },
      },
    },
    async (request, reply) => {
      const { faceid, id } = request.params;
      await requirePerson(request, faceid, gallery);
      const picture = await gallery.picture(faceid, id);
      if (!picture) throw new KaomonError('FACE_UNKNOWN', 'No thumbnail of this picture was kept.');
      // It never changes under this ID, but no cache in between may keep it.
      return reply.type('image/png').header('cache-control', 'private, max-age=86400').send(picture);
    },
  );
}

function usernameOf(body: unknown): string | undefined {
  return (body as { username?: string } | undefined)?.username;
}
