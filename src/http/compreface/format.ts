import type { FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { ErrorCode, KaomonError } from '../../platform/errors.js';
import { errorsOf } from '../schemas.js';

/**
 * The error codes that CompreFace documents and its clients check. Where it has one, the status is CompreFace's as well;
 * what it has no code for keeps our status and is `UNDEFINED`.
 */
export const COMPREFACE_CODES = {
  UNDEFINED: 0,
  ACCESS_DENIED: 1,
  KEY_UNKNOWN: 10,
  IMAGE_UNKNOWN: 11,
  PREDICTION_COUNT_INVALID: 12,
  HEADER_MISSING: 20,
  FILE_UNREADABLE: 21,
  CONSTRAINT: 26,
  NO_FACE: 28,
  TOO_MANY_FACES: 31,
  PARAMETER_MISSING: 33,
  PART_MISSING: 34,
  ARGUMENT_INVALID: 36,
  EMBEDDING_LENGTH: 37,
  SERVICE_FAILED: 41,
  SUBJECT_UNKNOWN: 42,
  SUBJECT_EXISTS: 43,
  FACE_UNKNOWN: 44,
} as const;
type CodeName = keyof typeof COMPREFACE_CODES;

/** The code, and the status where it differs from that of the {@link KaomonError}. */
const ANSWER_OF: Partial<Record<ErrorCode, { name: CodeName; statusCode?: number }>> = {
  NO_FACE: { name: 'NO_FACE', statusCode: 400 },
  SEVERAL_FACES: { name: 'TOO_MANY_FACES', statusCode: 400 },
  FACE_TOO_SMALL: { name: 'CONSTRAINT', statusCode: 400 },
  FACE_BLURRED: { name: 'CONSTRAINT', statusCode: 400 },
  FACE_TURNED: { name: 'CONSTRAINT', statusCode: 400 },
  IMAGE_MISSING: { name: 'PART_MISSING' },
  IMAGE_UNREADABLE: { name: 'FILE_UNREADABLE' },
  IMAGE_FORMAT_UNKNOWN: { name: 'FILE_UNREADABLE', statusCode: 400 },
  IMAGE_TOO_LARGE: { name: 'CONSTRAINT' },
  UPLOAD_TOO_LARGE: { name: 'CONSTRAINT' },
  FIELD_MISSING: { name: 'PARAMETER_MISSING' },
  FIELD_INVALID: { name: 'CONSTRAINT' },
  TOO_MANY_RESULTS: { name: 'CONSTRAINT' },
  PERSON_UNKNOWN: { name: 'SUBJECT_UNKNOWN' },
  PERSON_EXISTS: { name: 'SUBJECT_EXISTS', statusCode: 400 },
  FACE_UNKNOWN: { name: 'FACE_UNKNOWN' },
  NOT_FOUND: { name: 'IMAGE_UNKNOWN' },
  FORBIDDEN: { name: 'ACCESS_DENIED' },
  INTERNAL: { name: 'SERVICE_FAILED' },
  NO_MODEL: { name: 'SERVICE_FAILED' },
  BUSY: { name: 'SERVICE_FAILED' },
  CLOSING: { name: 'SERVICE_FAILED' },
  STORE_UNAVAILABLE: { name: 'SERVICE_FAILED' },
  STORAGE_FULL: { name: 'SERVICE_FAILED' },
};

/** Fields whose errors have a code of their own. */
const CODE_OF_FIELD: Record<string, CodeName> = {
  prediction_count: 'PREDICTION_COUNT_INVALID',
  file: 'PART_MISSING',
  source_image: 'PART_MISSING',
  target_image: 'PART_MISSING',
  embeddings: 'ARGUMENT_INVALID',
  source: 'ARGUMENT_INVALID',
  targets: 'ARGUMENT_INVALID',
};

/** How this surface's addresses begin. */
export const COMPREFACE_ADDRESS = /^\/api\/v1\/(?:recognition|detection|verification)(?:\/|$)/;

export const CompreFaceErrorSchema = Type.Object(
  {
    message: Type.String({ description: 'One sentence that says what to do.' }),
    code: Type.Integer({ minimum: 0, description: "CompreFace's code; see docs/compreface.md." }),
  },
  { description: 'What went wrong, as CompreFace says it.' },
);

/** Every status that any route of this surface can answer when it fails. */
export const failures = errorsOf(
  CompreFaceErrorSchema,
  ...([400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 503] as const),
);

/** An error as this surface answers it. */
export function compreFaceError(
  error: KaomonError,
  message: string,
  { headers, is404 }: Pick<FastifyRequest, 'headers' | 'is404'>,
): { statusCode: number; body: Static<typeof CompreFaceErrorSchema> } {
  const { name, statusCode = error.statusCode } = ANSWER_OF[error.code] ?? { name: 'UNDEFINED' };
  // CompreFace's code for what is not there is about a picture, not about an address.
  const code = is404 ? 'UNDEFINED' : refine(error, name, headers);
  return { statusCode, body: { message, code: COMPREFACE_CODES[code] } };
}

function refine(
  { code, details }: KaomonError,
  name: CodeName,
  headers: FastifyRequest['headers'],
): CodeName {
  if (code === 'UNAUTHORISED') return headers['x-api-key'] === undefined ? 'HEADER_MISSING' : 'KEY_UNKNOWN';
  if (details?.length !== undefined) return 'EMBEDDING_LENGTH';
  const field = typeof details?.field === 'string' ? details.field.split('.')[0] : '';
  const known = (code === 'FIELD_MISSING' || code === 'FIELD_INVALID') && CODE_OF_FIELD[field];
  return known || name;
}
