import type { FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { ReadyPack } from '../../models/types.js';
import type { AnalysedFace, AnalyzeOptions, Quality, StageTimes } from '../../vision/types.js';
import { KaomonError } from '../../platform/errors.js';
import { toUnitLength } from '../../gallery/embedding.js';
import { QualitySchema, toQuality, UnfitSchema } from '../v1/face-schemas.js';
import { onBehalfOf } from '../on-behalf.js';

const pixels = Type.Integer({ description: 'Pixels of the posted picture, upright.' });
const fraction = Type.Number({ minimum: 0, maximum: 1 });

/** What an answer says about any face. */
export const FaceSchema = Type.Object({
  box: Type.Object({ probability: fraction, x_min: pixels, y_min: pixels, x_max: pixels, y_max: pixels }),
  age: Type.Optional(Type.Object({ low: Type.Integer(), high: Type.Integer() })),
  gender: Type.Optional(Type.Object({ value: Type.Enum(['male', 'female']), probability: fraction })),
  pose: Type.Optional(Type.Object({ pitch: Type.Number(), roll: Type.Number(), yaw: Type.Number() })),
  landmarks: Type.Optional(Type.Array(Type.Array(Type.Integer()))),
  embedding: Type.Optional(Type.Array(Type.Number())),
  reason: Type.Optional(UnfitSchema),
  quality: Type.Optional(QualitySchema),
  execution_time: Type.Optional(Type.Record(Type.String(), Type.Number({ description: 'Milliseconds.' }))),
});
export type FaceAnswer = Static<typeof FaceSchema>;

export const SimilaritySchema = Type.Number({ minimum: 0, maximum: 1 });
export const VersionsSchema = Type.Optional(Type.Record(Type.String(), Type.String()));

/** The parameters that say what to look for and what to answer. */
export interface LookQuery {
  limit?: number;
  det_prob_threshold?: number;
  face_plugins?: string;
  status?: boolean;
}

/** What a request asks for, as options of the analysis. */
export function toAnalyzeOptions(query: LookQuery, embed: boolean, request: FastifyRequest): AnalyzeOptions {
  const { limit = 0, det_prob_threshold: minProbability } = query;
  const plugins = pluginsOf(query);
  return {
    ...onBehalfOf(request),
    embed: embed || plugins.has('calculator'),
    maxFaces: limit > 0 ? limit : undefined,
    minProbability,
    quality: plugins.has('pose'),
    ageGender: plugins.has('age') || plugins.has('gender'),
  };
}

export function pluginsOf({ face_plugins = '' }: LookQuery): ReadonlySet<string> {
  return new Set(face_plugins.split(',').map((slug) => slug.trim().toLowerCase()));
}

/** @throws KaomonError NO_FACE: this surface never answers an empty list */
export function requireFaces<F>({ faces }: { faces: F[] }, which = 'the given image'): F[] {
  if (faces.length > 0) return faces;
  throw new KaomonError('NO_FACE', `No face is found in ${which}.`);
}

/** A face as this surface answers it. */
export function toFaceAnswer(face: AnalysedFace, query: LookQuery, times: StageTimes): FaceAnswer {
  const plugins = pluginsOf(query);
  const { box, probability, landmarks, embedding, quality, unfit, age, gender } = face;
  return {
    box: {
      probability: rounded(Math.min(1, Math.max(0, probability))),
      x_min: Math.round(box.x1),
      y_min: Math.round(box.y1),
      x_max: Math.round(box.x2),
      y_max: Math.round(box.y2),
    },
    age:
      plugins.has('age') && age !== undefined ? { low: Math.round(age), high: Math.round(age) } : undefined,
    gender:
      plugins.has('gender') && gender
        ? { value: gender.value, probability: rounded(gender.probability) }
        : undefined,
    pose: plugins.has('pose') ? poseOf(quality) : undefined,
    landmarks: plugins.has('landmarks') && landmarks ? pairs(landmarks) : undefined,
    embedding: plugins.has('calculator') && embedding ? [...embedding] : undefined,
    reason: unfit,
    quality: unfit && quality && toQuality(quality),
    execution_time: query.status
      ? { detector: tenths(times.detect), calculator: tenths(times.embed) }
      : undefined,
  };
}

function poseOf({ pitch, roll, yaw }: Partial<Quality> = {}): FaceAnswer['pose'] {
  if (pitch === undefined || roll === undefined || yaw === undefined) return undefined;
  return { pitch, roll, yaw };
}

/** The networks that did the work, if `status` asks for them. */
export function versionsOf(pack: ReadyPack, query: LookQuery): { plugins_versions?: Record<string, string> } {
  if (!query.status) return {};
  const plugins = pluginsOf(query);
  const optional = ['age', 'gender'].filter((slug) => plugins.has(slug) && pack.ageGender !== undefined);
  return {
    plugins_versions: {
      ...Object.fromEntries(optional.map((slug) => [slug, `faceapi.${slug}`])),
      detector: `${pack.detector.kind}.detector`,
      calculator: `${pack.embedder.name}.calculator`,
    },
  };
}

const rounded = (value: number) => Math.round(value * 1e5) / 1e5;
const tenths = (ms: number) => Math.round(ms * 10) / 10;

function pairs(landmarks: Float32Array): number[][] {
  return Array.from({ length: landmarks.length / 2 }, (_, i) => [
    Math.round(landmarks[2 * i]),
    Math.round(landmarks[2 * i + 1]),
  ]);
}

/**
 * Vectors as JSON gives them, made unit length.
 * @throws KaomonError FIELD_INVALID naming the field; with `details.length` when a vector is not as long as the pack's
 */
export function toVectors(
  field: string,
  lists: readonly (readonly number[])[],
  length: number,
): Float32Array[] {
  return lists.map((list) => {
    if (list.length !== length) {
      throw new KaomonError(
        'FIELD_INVALID',
        `An embedding of the model in use has ${length} numbers; one in "${field}" has ${list.length}.`,
        { details: { field, length } },
      );
    }
    const vector = toUnitLength(list);
    if (!vector) {
      throw new KaomonError('FIELD_INVALID', `An embedding in "${field}" has no direction.`, {
        details: { field },
      });
    }
    return vector;
  });
}
