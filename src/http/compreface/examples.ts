import type { FastifyRequest } from 'fastify';
import { Type } from 'typebox';
import { KaomonError } from '../../platform/errors.js';
import type { Person } from '../../gallery/types.js';
import type { App } from '../app-type.js';
import { onBehalfOf } from '../on-behalf.js';
import { BytesSchema } from '../schemas.js';
import type { Example } from './collections.js';
import type { CompreFaceContext } from './context.js';
import { imageIdOf } from './image-ids.js';
import { failures } from './format.js';
import { checkSubject, type SubjectNames } from './subject-names.js';
import {
  bodyLimitOf,
  collectionOf,
  ImageIdSchema,
  LookSchema,
  mayMakeGroups,
  readPictures,
  readQuery,
  SubjectSchema,
} from './requests.js';

const PATH = '/api/v1/recognition/faces';
/** As CompreFace's framework: 20 unless asked for, never more than 2,000. */
const PAGE = 20;
const LARGEST_PAGE = 2000;

/** Sent as it is: bytes are not serialised. */
const PictureSchema = Type.Unsafe<Buffer>({ contentMediaType: 'image/png' });
const ExampleSchema = Type.Object({ image_id: Type.String(), subject: Type.String() });
const toAnswer = ({ face, subject }: Example) => ({ image_id: imageIdOf(face), subject });

/**
 * An empty parameter counts as one that was not given; where that would delete everybody it is a program's mistake.
 * (`delete_all_subject` of CompreFace's JavaScript SDK sends one for an empty name.)
 */
function refuseEmptySubject({ query }: FastifyRequest): Promise<void> {
  const { subject } = query as { subject?: string | string[] };
  if (![subject].flat().includes('')) return Promise.resolve();
  throw new KaomonError(
    'FIELD_INVALID',
    'The subject is empty: name one, or leave "subject" out to delete the faces of all.',
    { details: { field: 'subject' } },
  );
}

/** One that is there may have been named before names were looked at; a new one is. @throws KaomonError FIELD_INVALID */
const subjectOf = async (names: SubjectNames, subject: string) =>
  (await names.find(subject)) ? subject : checkSubject(subject);

/** The examples (enrolled faces) of a collection: add, list, delete, download. */
export function exampleRoutes(app: App, context: CompreFaceContext): void {
  const { collections, config, enroller, gallery, receipts } = context;
  const { COMPREFACE_GROUP: group, MAX_UPLOAD_BYTES: maxUploadBytes } = config;

  app.post(
    PATH,
    {
      config: { access: 'enrol' },
      bodyLimit: bodyLimitOf(1, maxUploadBytes),
      preValidation: [readQuery, readPictures(['file'], maxUploadBytes)],
      schema: {
        consumes: ['multipart/form-data', 'application/json'],
        querystring: Type.Object({
          subject: SubjectSchema,
          det_prob_threshold: LookSchema.det_prob_threshold,
          force: Type.Optional(
            Type.Boolean({
              description:
                'Ours: add a face that is enrolled under another subject, too, or is not like the other examples of this one.',
            }),
          ),
        }),
        body: Type.Object({ file: BytesSchema }),
        response: { 200: ExampleSchema, 201: ExampleSchema, ...failures },
      },
    },
    async (request, reply) => {
      const groupid = collectionOf(request, group);
      const subject = await subjectOf(collections.namesOf(groupid), request.query.subject);
      await collections.makeGroup(groupid, mayMakeGroups(request));
      const { face, already } = await enroller.enrol(
        await collections.personOf(groupid, subject),
        request.body.file,
        {
          ...onBehalfOf(request),
          minProbability: request.query.det_prob_threshold,
          force: request.query.force,
          // Another collection is another service's: whom it knows is nobody's business here.
          groups: new Set([groupid]),
          // Programs add a subject's examples one after another.
          oneOfSeveral: true,
          storing: (store) => collections.withPerson(groupid, subject, store),
        },
      );
      if (!already) request.audited.did('faces', face.id);
      return reply.status(already ? 200 : 201).send({ image_id: imageIdOf(face), subject });
    },
  );

  app.get(
    PATH,
    {
      config: { access: 'recognise', slices: true },
      preValidation: readQuery,
      schema: {
        querystring: Type.Object({
          page: Type.Optional(Type.Integer({ minimum: 0, maximum: 1e9 })),
          size: Type.Optional(Type.Integer({ minimum: 0, maximum: 1e9 })),
          subject: Type.Optional(Type.String({ maxLength: 255 })),
        }),
        response: {
          200: Type.Object({
            faces: Type.Array(ExampleSchema),
            page_number: Type.Integer(),
            page_size: Type.Integer(),
            total_pages: Type.Integer(),
            total_elements: Type.Integer(),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const groupid = collectionOf(request, group);
      const { page = 0, size = PAGE, subject } = request.query;
      const pageSize = size < 1 ? PAGE : Math.min(size, LARGEST_PAGE);
      const where = { subject, offset: page * pageSize, limit: pageSize, signal: request.gone };
      const { examples, total } = await collections.listExamples(groupid, where);
      return {
        faces: examples.map(toAnswer),
        page_number: page,
        page_size: pageSize,
        total_pages: Math.ceil(total / pageSize),
        total_elements: total,
      };
    },
  );

  async function remove(
    { audited }: FastifyRequest,
    example: Example,
  ): Promise<{ image_id: string; subject: string }> {
    await gallery.removeFace(example.person.faceid, example.face.id);
    audited.did('faces', example.face.id);
    return toAnswer(example);
  }

  app.delete(
    `${PATH}/:image_id`,
    {
      config: { access: 'enrol' },
      schema: { params: ImageIdSchema, response: { 200: ExampleSchema, ...failures } },
    },
    async (request) =>
      await remove(
        request,
        await collections.requireExample(collectionOf(request, group), request.params.image_id),
      ),
  );

  app.post(
    `${PATH}/delete`,
    {
      config: { access: 'enrol', audit: 'delete' },
      schema: {
        body: Type.Array(Type.String({ maxLength: 64 }), { maxItems: 10_000 }),
        response: { 200: Type.Array(ExampleSchema), ...failures },
      },
    },
    async (request) => {
      const groupid = collectionOf(request, group);
      const wanted = new Set(request.body.map((id) => id.toLowerCase()));
      const examples = await collections.findExamples(groupid, [...wanted]);
      const removed = [];
      for (const example of examples) {
        if (!example) continue;
        try {
          removed.push(await remove(request, example));
        } catch (error) {
          // Somebody else was quicker: those that are not there are passed over, as CompreFace does.
          if (!(error instanceof KaomonError) || error.statusCode !== 404) throw error;
        }
      }
      return removed;
    },
  );

  app.delete(
    PATH,
    {
      config: { access: 'enrol' },
      preValidation: [refuseEmptySubject, readQuery],
      schema: {
        querystring: Type.Object({ subject: Type.Optional(SubjectSchema) }),
        response: { 200: Type.Object({ deleted: Type.Integer() }), ...failures },
      },
    },
    async (request, reply) => {
      const groupid = collectionOf(request, group);
      const { subject } = request.query;
      const told = ({ faceid }: Person) => request.audited.did('people', faceid);
      if (subject === undefined) {
        const all = await collections.removeAllSubjects(groupid, told);
        receipts.give(request, reply, all.erased);
        return { deleted: all.faces };
      }
      const faces = (await collections.namesOf(groupid).findAtLast(subject))?.faces.length;
      if (faces === undefined) return { deleted: 0 };
      receipts.give(request, reply, (await collections.removeSubject(groupid, subject, told)).erased);
      return { deleted: faces };
    },
  );

  app.get(
    `${PATH}/:image_id/img`,
    {
      config: { access: 'enrol' },
      schema: {
        params: ImageIdSchema,
        produces: ['image/png'],
        response: { 200: PictureSchema, ...failures },
      },
    },
    async (request, reply) => {
      const { params } = request;
      const { face, person } = await collections.requireExample(
        collectionOf(request, group),
        params.image_id,
      );
      const picture = await gallery.picture(person.faceid, face.id);
      if (!picture) {
        throw new KaomonError(
          'NOT_FOUND',
          'The picture of this example was not kept: KEEP_FACES=true keeps the faces of those added from then on.',
        );
      }
      return reply.type('image/png').send(Buffer.from(picture));
    },
  );
}
