import { mapInSlices } from '../../platform/turns.js';
import { Type } from 'typebox';
import type { RatedMatch } from '../../identity/types.js';
import type { App } from '../app-type.js';
import { onBehalfOf } from '../on-behalf.js';
import { placeOf } from '../place.js';
import { BytesSchema } from '../schemas.js';
import { tellOf } from '../server-timing.js';
import {
  toFaceAnswer,
  FaceSchema,
  requireFaces,
  SimilaritySchema,
  toAnalyzeOptions,
  toVectors,
  versionsOf,
  VersionsSchema,
} from './answers.js';
import type { CompreFaceContext } from './context.js';
import { failures } from './format.js';
import {
  bodyLimitOf,
  collectionOf,
  EMBEDDINGS_BYTES,
  EMBEDDINGS_VALUES,
  EmbeddingsSchema,
  LookSchema,
  readPictures,
  readQuery,
} from './requests.js';

const predictionCount = Type.Optional(
  Type.Integer({ minimum: 1, maximum: 1000, description: 'Subjects a face; 1 unless asked for.' }),
);
const Subjects = Type.Array(Type.Object({ subject: Type.String(), similarity: SimilaritySchema }));

/** `recognize`, by picture and by embeddings, and the detection service. */
export function recogniseRoutes(app: App, context: CompreFaceContext): void {
  const { collections, config, vision, identifier, pack, similarity } = context;
  const { COMPREFACE_GROUP: group, MAX_UPLOAD_BYTES: maxUploadBytes } = config;
  const takesPicture = {
    bodyLimit: bodyLimitOf(1, maxUploadBytes),
    preValidation: [readQuery, readPictures(['file'], maxUploadBytes)],
  };

  /** The nearest subjects of a collection, however far: the caller judges by the similarity. */
  async function toSubjects(groupid: string, candidates: readonly RatedMatch[]) {
    const names = collections.namesOf(groupid);
    const subjects: { subject: string; similarity: number }[] = [];
    for (const { person, distance } of candidates)
      subjects.push({ subject: await names.nameOf(person), similarity: similarity(distance) });
    return subjects;
  }

  app.post(
    '/api/v1/recognition/recognize',
    {
      config: { access: 'recognise', slices: true },
      ...takesPicture,
      schema: {
        consumes: ['multipart/form-data', 'application/json'],
        querystring: Type.Object({ ...LookSchema, prediction_count: predictionCount }),
        body: Type.Object({ file: BytesSchema }),
        response: {
          200: Type.Object({
            result: Type.Array(Type.Object({ ...FaceSchema.properties, subjects: Subjects })),
            plugins_versions: VersionsSchema,
          }),
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const groupid = collectionOf(request, group);
      const { query, body } = request;
      const found = await identifier.identifyPicture(body.file, toAnalyzeOptions(query, true, request), {
        k: query.prediction_count,
        groups: new Set([groupid]),
        place: placeOf(request),
      });
      tellOf(reply, found);
      const result = [];
      for (const { face, candidates } of requireFaces(found)) {
        const subjects = await toSubjects(groupid, candidates);
        result.push({ ...toFaceAnswer(face, query, found.times), subjects });
      }
      return { result, ...versionsOf(pack, query) };
    },
  );

  app.post(
    '/api/v1/recognition/embeddings/recognize',
    {
      config: { access: 'recognise', jsonValues: EMBEDDINGS_VALUES, slices: true },
      bodyLimit: EMBEDDINGS_BYTES,
      preValidation: readQuery,
      schema: {
        querystring: Type.Object({ prediction_count: predictionCount }),
        body: Type.Object({ embeddings: EmbeddingsSchema }),
        response: {
          200: Type.Object({
            result: Type.Array(Type.Object({ embedding: Type.Array(Type.Number()), similarities: Subjects })),
          }),
          ...failures,
        },
      },
    },
    async (request) => {
      const groupid = collectionOf(request, group);
      const { query, body } = request;
      const vectors = toVectors('embeddings', body.embeddings, pack.embedder.length);
      const found = await identifier.identify(
        vectors.map((embedding) => ({ embedding })),
        {
          k: query.prediction_count,
          groups: new Set([groupid]),
          place: placeOf(request),
          ...onBehalfOf(request),
        },
      );
      const result = await mapInSlices(
        found,
        async ({ candidates }, i) => ({
          embedding: body.embeddings[i],
          similarities: await toSubjects(groupid, candidates),
        }),
        request.gone,
        query.prediction_count,
      );
      return { result };
    },
  );

  app.post(
    '/api/v1/detection/detect',
    {
      config: { access: 'recognise', slices: true },
      ...takesPicture,
      schema: {
        consumes: ['multipart/form-data', 'application/json'],
        querystring: Type.Object(LookSchema),
        body: Type.Object({ file: BytesSchema }),
        response: {
          200: Type.Object({ result: Type.Array(FaceSchema), plugins_versions: VersionsSchema }),
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const { query, body } = request;
      const analysis = await vision.analyze(body.file, toAnalyzeOptions(query, false, request));
      const faces = requireFaces(analysis);
      tellOf(reply, analysis);
      return {
        result: faces.map((face) => toFaceAnswer(face, query, analysis.times)),
        ...versionsOf(pack, query),
      };
    },
  );
}
