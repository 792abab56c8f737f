import type { FastifyRequest } from 'fastify';
import { Type, type Static } from 'typebox';
import type { ErrorCode, KaomonError } from '../../platform/errors.js';

/**
 * The error codes that CompreFace documents and its programs look at. The statuses are its own, too, where it has
 * one for the case; what it has no code for keeps our status and answers `UNDEFINED`.
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

/** Code, and its status where it is not that of the {@link KaomonError}. */
const ANSWER_OF: Partial<Record<ErrorCode, [code: CodeName, status?: number]>> = {
  NO_FACE: ['NO_FACE', 400],
  SEVERAL_FACES: ['TOO_MANY_FACES', 400],
  FACE_TOO_SMALL: ['CONSTRAINT', 400],
  FACE_BLURRED: ['CONSTRAINT', 400],
  FACE_TURNED: ['CONSTRAINT', 400],
  IMAGE_MISSING: ['PART_MISSING'],
  IMAGE_UNREADABLE: ['FILE_UNREADABLE'],
  IMAGE_FORMAT_UNKNOWN: ['FILE_UNREADABLE', 400],
  IMAGE_TOO_LARGE: ['CONSTRAINT'],
  UPLOAD_TOO_LARGE: ['CONSTRAINT'],
  FIELD_MISSING: ['PARAMETER_MISSING'],
  FIELD_INVALID: ['CONSTRAINT'],
  PERSON_UNKNOWN: ['SUBJECT_UNKNOWN'],
  PERSON_EXISTS: ['SUBJECT_EXISTS', 400],
  FACE_UNKNOWN: ['FACE_UNKNOWN'],
  NOT_FOUND: ['IMAGE_UNKNOWN'],
  FORBIDDEN: ['ACCESS_DENIED'],
  INTERNAL: ['SERVICE_FAILED'],
  NO_MODEL: ['SERVICE_FAILED'],
  BUSY: ['SERVICE_FAILED'],
  CLOSING: ['SERVICE_FAILED'],
  STORE_UNAVAILABLE: ['SERVICE_FAILED'],
  STORAGE_FULL: ['SERVICE_FAILED'],
};

/** Fields whose fault has a code of its own. */
const CODE_OF_FIELD: Record<string, CodeName> = {
  prediction_count: 'PREDICTION_COUNT_INVALID',
  file: 'PART_MISSING',
  source_image: 'PART_MISSING',
  target_image: 'PART_MISSING',
  embeddings: 'ARGUMENT_INVALID',
  source: 'ARGUMENT_INVALID',
  targets: 'ARGUMENT_INVALID',
};

/** Where this surface's addresses lie, and those that it does not have. */
export const COMPREFACE_ADDRESS = /^\/api\/v1\/(?:recognition|detection|verification)(?:\/|$)/;

export const CompreFaceErrorSchema = Type.Object(
  {
    message: Type.String({ description: 'One sentence that says what to do.' }),
    code: Type.Integer({ minimum: 0, description: "CompreFace's code; see docs/compreface.md." }),
  },
  { description: 'What went wrong, as CompreFace says it.' },
);

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Set on the routes of the CompreFace surface: errors are answered in its shape. */
    compreface?: true;
  }
}

/** An error as this surface answers it. */
export function compreFaceError(
  error: KaomonError,
  message: string,
  { headers, is404 }: Pick<FastifyRequest, 'headers' | 'is404'>,
): { statusCode: number; body: Static<typeof CompreFaceErrorSchema> } {
  // Its code for what is not there means a picture, not an address.
  const known = is404 ? undefined : ANSWER_OF[error.code];
  const [name, statusCode = error.statusCode] = known ?? ['UNDEFINED'];
  return { statusCode, body: { message, code: COMPREFACE_CODES[refine(error, name, headers)] } };
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
