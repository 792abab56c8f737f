import { Type } from 'typebox';
import { squaredDistance } from '../../gallery/distance.js';
import type { AnalysedFace } from '../../vision/types.js';
import type { App } from '../app-type.js';
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
  EmbeddingSchema,
  EmbeddingsSchema,
  ImageIdSchema,
  LookSchema,
  readPictures,
  readQuery,
} from './requests.js';

const ComparedFaceSchema = Type.Object({ ...FaceSchema.properties, similarity: SimilaritySchema });
const ComparedVectorsSchema = Type.Object({
  result: Type.Array(Type.Object({ embedding: Type.Array(Type.Number()), similarity: SimilaritySchema })),
});
const BothPictures = ['source_image', 'target_image'] as const;

/** Faces against one example of a collection, and the verification service: two pictures against each other. */
export function verifyRoutes(app: App, context: CompreFaceContext): void {
  const { collections, config, gallery, vision, pack, similarity } = context;
  const { COMPREFACE_GROUP: group, MAX_UPLOAD_BYTES: maxUploadBytes } = config;

  const compare = (vector: Float32Array | undefined, other: Float32Array | undefined) =>
    vector && other ? similarity(squaredDistance(vector, other)) : 0;
  /** Nobody is told apart by a face that is unfit. */
  const embeddingOf = ({ embedding, unfit }: AnalysedFace) => (unfit ? undefined : embedding);

  async function exampleOf(groupid: string, imageId: string) {
    const { face, person, subject } = await collections.requireExample(groupid, imageId);
    const stored = (await gallery.vectors(person.faceid)).find((one) => one.face.id === face.id);
    return { subject, vector: stored?.vector };
  }

  app.post(
    '/api/v1/recognition/faces/:image_id/verify',
    {
      config: { access: 'recognise' },
      bodyLimit: bodyLimitOf(1, maxUploadBytes),
      preValidation: [readQuery, readPictures(['file'], maxUploadBytes)],
      schema: {
        consumes: ['multipart/form-data', 'application/json'],
        params: ImageIdSchema,
        querystring: Type.Object(LookSchema),
        body: Type.Object({ file: BytesSchema }),
        response: {
          200: Type.Object({
            result: Type.Array(Type.Object({ ...ComparedFaceSchema.properties, subject: Type.String() })),
            plugins_versions: VersionsSchema,
          }),
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const { params, query, body } = request;
      const { subject, vector } = await exampleOf(collectionOf(request, group), params.image_id);
      const analysis = await vision.analyze(body.file, toAnalyzeOptions(query, true, request));
      tellOf(reply, analysis);
      const result = requireFaces(analysis).map((face) => ({
        ...toFaceAnswer(face, query, analysis.times),
        subject,
        similarity: compare(vector, embeddingOf(face)),
      }));
      return { result, ...versionsOf(pack, query) };
    },
  );

  app.post(
    '/api/v1/recognition/embeddings/faces/:image_id/verify',
    {
      config: { access: 'recognise', jsonValues: EMBEDDINGS_VALUES, slices: true },
      bodyLimit: EMBEDDINGS_BYTES,
      schema: {
        params: ImageIdSchema,
        body: Type.Object({ embeddings: EmbeddingsSchema }),
        response: { 200: ComparedVectorsSchema, ...failures },
      },
    },
    async (request) => {
      const { params, body } = request;
      const { vector } = await exampleOf(collectionOf(request, group), params.image_id);
      const given = toVectors('embeddings', body.embeddings, pack.embedder.length);
      return {
        result: given.map((one, i) => ({ embedding: body.embeddings[i], similarity: compare(vector, one) })),
      };
    },
  );

  app.post(
    '/api/v1/verification/verify',
    {
      config: { access: 'recognise' },
      bodyLimit: bodyLimitOf(2, maxUploadBytes),
      preValidation: [readQuery, readPictures(BothPictures, maxUploadBytes)],
      schema: {
        consumes: ['multipart/form-data', 'application/json'],
        querystring: Type.Object(LookSchema),
        body: Type.Object({ source_image: BytesSchema, target_image: BytesSchema }),
        response: {
          200: Type.Object({
            result: Type.Array(
              Type.Object({
                source_image_face: FaceSchema,
                face_matches: Type.Array(ComparedFaceSchema),
                plugins_versions: VersionsSchema,
              }),
            ),
          }),
          ...failures,
        },
      },
    },
    async (request, reply) => {
      const { query, body } = request;
      // The source's largest face counts; `limit` is for the target.
      const largest = toAnalyzeOptions({ ...query, limit: 1 }, true, request);
      const source = await vision.analyze(body.source_image, largest);
      const [face] = requireFaces(source, 'the source image');
      // The target stands for what is enrolled: it is looked at as such.
      const asked = { ...toAnalyzeOptions(query, true, request), views: true };
      const target = await vision.analyze(body.target_image, asked);
      tellOf(reply, target);
      const matches = requireFaces(target, 'the target image').map((other) => ({
        ...toFaceAnswer(other, query, target.times),
        similarity: compare(embeddingOf(face), embeddingOf(other)),
      }));
      matches.sort((a, b) => b.similarity - a.similarity);
      const result = {
        source_image_face: toFaceAnswer(face, query, source.times),
        face_matches: matches,
        ...versionsOf(pack, query),
      };
      return { result: [result] };
    },
  );

  app.post(
    '/api/v1/verification/embeddings/verify',
    {
      config: { access: 'recognise', jsonValues: EMBEDDINGS_VALUES, slices: true },
      bodyLimit: EMBEDDINGS_BYTES,
      schema: {
        body: Type.Object({ source: EmbeddingSchema, targets: EmbeddingsSchema }),
        response: { 200: ComparedVectorsSchema, ...failures },
      },
    },
    ({ body }) => {
      const [source] = toVectors('source', [body.source], pack.embedder.length);
      const targets = toVectors('targets', body.targets, pack.embedder.length);
      return {
        result: targets.map((one, i) => ({ embedding: body.targets[i], similarity: compare(source, one) })),
      };
    },
  );
}
