import { Type, type Static } from 'typebox';
import { limitsOfCall, takeEmbeddings } from '../../identity/results.js';
import { groupsToSearch } from '../access.js';
import type { App } from '../app-type.js';
import { onBehalfOf } from '../on-behalf.js';
import { deviceidField, placeOf } from '../place.js';
import { answerEach, listOf, pictureRefusals } from '../intake/one-by-one.js';
import { pictureBody, pictureBodyLimit } from '../intake/pictures.js';
import { tellOf } from '../server-timing.js';
import type { Services } from '../services.js';
import {
  EmbeddedFaceSchema,
  EXAMPLES,
  FaceSchema,
  NamedFaceSchema,
  pictureFields,
  toFace,
  toMatches,
} from './face-schemas.js';
import { thumbnailsFor } from './thumbnails.js';

const tags = ['recognition'];

/** Parameters of every route that analyses pictures. */
const lookFields = {
  quality: Type.Optional(Type.Boolean({ description: 'Say how fit each face is for enrolment.' })),
  minFaceSize: Type.Optional(
    Type.Integer({
      minimum: 12,
      maximum: 4096,
      description: 'Shorter side of the smallest face to answer, pixels.',
    }),
  ),
  minProbability: Type.Optional(
    Type.Number({ minimum: 0, maximum: 1, description: 'Leave out less certain faces.' }),
  ),
  maxFaces: Type.Optional(
    Type.Integer({ minimum: 1, maximum: 1000, description: 'Only the largest so many.' }),
  ),
};
const ageGender = Type.Optional(Type.Boolean({ description: 'Estimate age and gender.' }));

const strict = { additionalProperties: false };
const DetectQuery = Type.Object({ ...lookFields, ageGender }, strict);
const EmbedQuery = Type.Object(lookFields, strict);
const RecogniseQuery = Type.Object(
  {
    k: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 100, description: 'At most so many people a face. Default 1.' }),
    ),
    threshold: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 4,
        description:
          'A face is named below this squared L2 distance. Default: the one in force for the groups searched. The odds do not hang on it.',
      }),
    ),
    groups: Type.Optional(
      Type.String({
        maxLength: 4000,
        description: 'Search these groups only: IDs, separated by commas. Default: all of the key.',
        examples: ['staff'],
      }),
    ),
    deviceid: deviceidField,
    ...lookFields,
    ageGender,
  },
  strict,
);

const DetectionSchema = Type.Object({ ...pictureFields, faces: Type.Array(FaceSchema) });
const RecognitionSchema = Type.Object({ ...pictureFields, faces: Type.Array(NamedFaceSchema) });
const EmbeddingsSchema = Type.Object({
  ...pictureFields,
  pack: Type.String({ description: "Whose embeddings these are: two packs' are never compared." }),
  faces: Type.Array(EmbeddedFaceSchema),
});

/** `POST /api/v1/detect`, `/recognise` and `/embed`: pictures in, faces out. */
export function recognitionRoutes(app: App, services: Services): void {
  const { vision, identifier, gallery, pack } = services;
  const bodyLimit = pictureBodyLimit(services.config.MAX_UPLOAD_BYTES);
  const config = { access: 'recognise', pictures: {}, slices: true } as const;

  app.post(
    '/api/v1/detect',
    {
      config,
      bodyLimit,
      schema: {
        summary: 'Find faces',
        description: 'Boxes, landmarks and quality; age and gender when asked for. Largest face first.',
        tags,
        querystring: DetectQuery,
        body: pictureBody(),
        response: {
          200: Type.Union([DetectionSchema, listOf(DetectionSchema)], { examples: [EXAMPLES.detection] }),
          ...pictureRefusals(),
        },
      },
    },
    (request, reply) =>
      answerEach(request, async (bytes): Promise<Static<typeof DetectionSchema>> => {
        const { query } = request;
        const options = { quality: true, ...query, embed: false, ...onBehalfOf(request) };
        const { width, height, faces, leftOut, times } = await vision.analyze(bytes, options);
        tellOf(reply, { times, leftOut });
        return {
          width,
          height,
          faces: faces.map((face) => toFace(face, options)),
          leftOut,
          times: { ...times },
        };
      }),
  );

  app.post(
    '/api/v1/recognise',
    {
      config,
      bodyLimit,
      schema: {
        summary: 'Tell who is in a picture',
        description: 'For each face, largest first, the enrolled people who are near enough, nearest first.',
        tags,
        querystring: RecogniseQuery,
        body: pictureBody(),
        response: {
          200: Type.Union([RecognitionSchema, listOf(RecognitionSchema)], {
            examples: [EXAMPLES.recognition],
          }),
          ...pictureRefusals(404),
        },
      },
    },
    async (request, reply) => {
      const { groups: named, k, threshold, deviceid, ...look } = request.query;
      const place = placeOf(request, deviceid);
      const groups = await groupsToSearch(request, named, gallery);
      const limits = limitsOfCall();
      const thumbnailOf = thumbnailsFor(request.caller);
      return answerEach(request, async (bytes): Promise<Static<typeof RecognitionSchema>> => {
        const found = await identifier.identifyPicture(
          bytes,
          { ...look, ...onBehalfOf(request) },
          { k, threshold, groups, limits, place },
        );
        tellOf(reply, found);
        return {
          ...found,
          faces: found.faces.map(({ face, matches }) => ({
            ...toFace(face, look),
            matches: toMatches(matches, gallery, thumbnailOf),
          })),
          times: { ...found.times },
        };
      });
    },
  );

  app.post(
    '/api/v1/embed',
    {
      config,
      bodyLimit,
      schema: {
        summary: 'Turn faces into embeddings',
        description: 'One vector of unit length a face, largest face first.',
        tags,
        querystring: EmbedQuery,
        body: pictureBody(),
        response: {
          200: Type.Union([EmbeddingsSchema, listOf(EmbeddingsSchema)], { examples: [EXAMPLES.embeddings] }),
          ...pictureRefusals(),
        },
      },
    },
    (request, reply) => {
      const limits = limitsOfCall();
      return answerEach(request, async (bytes): Promise<Static<typeof EmbeddingsSchema>> => {
        const options = { ...request.query, ...onBehalfOf(request) };
        const { width, height, faces, leftOut, times } = await vision.analyze(bytes, options);
        takeEmbeddings(limits, faces.length);
        tellOf(reply, { times, leftOut });
        return {
          width,
          height,
          pack: pack.id,
          faces: faces.map((face) => ({ ...toFace(face, options), embedding: [...(face.embedding ?? [])] })),
          leftOut,
          times: { ...times },
        };
      });
    },
  );
}
