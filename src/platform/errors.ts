import { quietError } from './quiet-error.js';

/**
 * Every failure that a caller can cause or must know about: a stable code that says what went wrong, and its HTTP
 * status. The sentence for a person is written where the error is thrown, because only that place knows what to do
 * about it.
 */
const STATUS_OF = {
  FIELD_MISSING: 400,
  FIELD_INVALID: 400,
  /** The request's form or JSON is malformed or cut off. */
  BODY_UNREADABLE: 400,
  USERID_INVALID: 400,
  GROUPID_INVALID: 400,
  IMAGE_MISSING: 400,
  /** A format that the server reads, but damaged or cut off. */
  IMAGE_UNREADABLE: 400,
  /** Fetching by address is off, or this one may not be fetched. */
  URL_REFUSED: 400,
  /** An import's zip is not what an export writes, or is damaged. */
  ARCHIVE_INVALID: 400,
  UNAUTHORISED: 401,
  FORBIDDEN: 403,
  NOT_FOUND: 404,
  GROUP_UNKNOWN: 404,
  PERSON_UNKNOWN: 404,
  FACE_UNKNOWN: 404,
  KEY_UNKNOWN: 404,
  /** A stranger who has been named or joined with another, or whose visits are deleted. */
  UNKNOWN_GONE: 404,
  /** What was done was undone already, or too long ago. */
  UNDO_GONE: 404,
  CORRECTION_UNKNOWN: 404,
  SIGHTING_UNKNOWN: 404,
  /** Who came by is not kept (`SIGHTINGS`). */
  SIGHTINGS_OFF: 404,
  METHOD_NOT_ALLOWED: 405,
  /** The body arrived too slowly. */
  TOO_SLOW: 408,
  GROUP_EXISTS: 409,
  GROUP_NOT_EMPTY: 409,
  PERSON_EXISTS: 409,
  KEY_EXISTS: 409,
  /** The same person was enrolled a moment ago (maiface's E1002). */
  ALREADY_REGISTERED: 409,
  /** The face is enrolled under another person. */
  OTHER_PERSON: 409,
  /** The face is enrolled for the very person, or too much was said of them already. */
  CORRECTION_REFUSED: 409,
  /** An embedding made by another pack: those of two packs are never compared. */
  OTHER_PACK: 409,
  UPLOAD_TOO_LARGE: 413,
  IMAGE_TOO_LARGE: 413,
  IMAGE_FORMAT_UNKNOWN: 415,
  MEDIA_TYPE_UNKNOWN: 415,
  /** The address of a picture does not answer with one. */
  URL_UNREACHABLE: 422,
  /** Nobody is enrolled without a recorded consent here (`CONSENT`), and there is none, or it is over. */
  CONSENT_MISSING: 422,
  NO_FACE: 422,
  SEVERAL_FACES: 422,
  FACE_TOO_SMALL: 422,
  FACE_BLURRED: 422,
  FACE_TURNED: 422,
  /** The face is too far from the person's others, those that come with it or those that are enrolled. */
  NOT_THE_SAME_PERSON: 422,
  /** Faces times people for each, or faces with their embeddings, beyond what one call may have. */
  TOO_MANY_RESULTS: 422,
  TOO_MANY_REQUESTS: 429,
  /** The client has hung up, so nobody reads this (nginx's code for it). */
  CLIENT_GONE: 499,
  INTERNAL: 500,
  NO_MODEL: 503,
  BUSY: 503,
  CLOSING: 503,
  STORE_UNAVAILABLE: 503,
  /** The disk, or Redis, has no room for it. */
  STORAGE_FULL: 503,
  /** Set-up and start errors: never answered over HTTP, printed as one line. */
  SETUP: 500,
} as const;

/** The word that names a failure, in answers, logs and tests. */
export type ErrorCode = keyof typeof STATUS_OF;

/** All codes, for the tests and the documents that list them. */
export const ERROR_CODES = Object.keys(STATUS_OF) as ErrorCode[];

/** What a {@link KaomonError} carries besides its sentence. */
export interface ErrorOptionsOfOurs {
  /** Machine-readable particulars: the field's name, the limit, the number of faces. No biometric data. */
  details?: Record<string, unknown>;
  /** Seconds after which the caller may try again; answered as `Retry-After`. */
  retryAfter?: number;
  cause?: unknown;
}

/** The one class that is thrown for an expected failure; anything else is a fault of ours (500). */
export class KaomonError extends Error {
  override readonly name = 'KaomonError';
  readonly code: ErrorCode;
  /** HTTP status, 400 to 503. */
  readonly statusCode: number;
  readonly details: Record<string, unknown> | undefined;
  readonly retryAfter: number | undefined;

  /** @param message one sentence for a person: what is wrong and what to do about it. */
  constructor(code: ErrorCode, message: string, options: ErrorOptionsOfOurs = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.statusCode = STATUS_OF[code];
    this.details = options.details;
    this.retryAfter = options.retryAfter;
  }
}

export const clientGone = () => new KaomonError('CLIENT_GONE', 'The client has hung up.');

/** Refuses what is larger than allowed. @param what with its verb: `The picture is` */
export const tooLarge = (what: string, maxBytes: number) =>
  new KaomonError('UPLOAD_TOO_LARGE', `${what} too large: at most ${maxBytes} bytes are taken.`, {
    details: { maxBytes },
  });

/** Nothing is computed for a client that has hung up. @throws KaomonError CLIENT_GONE */
export function throwIfGone(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw clientGone();
}

/** What crosses a thread or a process instead of the error itself, whose class structured cloning drops. */
export interface PlainError {
  code: ErrorCode;
  message: string;
  details?: Record<string, unknown>;
  retryAfter?: number;
  /** Only of faults of ours; goes to the log, never to a caller. */
  stack?: string;
}

/** Flattens any thrown value for a message to another thread or process. */
export function toPlainError(error: unknown): PlainError {
  if (error instanceof KaomonError) {
    const { code, message, details, retryAfter } = error;
    return { code, message, details, retryAfter };
  }
  const { message, stack } = quietError(error);
  return { code: 'INTERNAL', message, stack };
}

/** The reverse of {@link toPlainError}. */
export function fromPlainError({ code, message, details, retryAfter, stack }: PlainError): KaomonError {
  const error = new KaomonError(code, message, { details, retryAfter });
  if (stack) error.stack = stack;
  return error;
}
