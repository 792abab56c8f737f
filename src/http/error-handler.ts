import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, KaomonError, tooLarge } from '../platform/errors.js';
import { isFull } from '../platform/files/obstacles.js';
import type { App } from './app-type.js';
import { type Surface, surfaceOf } from './surface.js';

/** Seconds to wait where the error does not say. */
const RETRY_AFTER = 5;

/** Fields with codes of their own. A map: a caller may name a field `__proto__`. */
const CODES_OF_FIELD = new Map<string, { missing: ErrorCode; wrong: ErrorCode }>([
  ['userid', { missing: 'FIELD_MISSING', wrong: 'USERID_INVALID' }],
  ['groupid', { missing: 'FIELD_MISSING', wrong: 'GROUPID_INVALID' }],
  ['image', { missing: 'IMAGE_MISSING', wrong: 'IMAGE_MISSING' }],
]);

const OF_FASTIFY: Record<string, [ErrorCode, string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [
    'MEDIA_TYPE_UNKNOWN',
    'This kind of body is not taken here: see docs/api.md for what to send.',
  ],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['BODY_UNREADABLE', 'The request says it holds JSON, but its body is empty.'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['BODY_UNREADABLE', 'The request body is not valid JSON.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [
    'BODY_UNREADABLE',
    'The body is not as long as its content-length says.',
  ],
  FST_ERR_BAD_URL: ['FIELD_INVALID', 'The address has a "%" that does not begin an encoded character.'],
  FST_ERR_MAX_PARAM_LENGTH: ['NOT_FOUND', 'There is nothing at this address: a part of it is too long.'],
};

/** Makes an instance a surface: what is registered on it, and inside of it, answers errors in the surface's format. */
export function answerErrors(app: App, surface: Surface): void {
  app.surface = surface;
  app.setErrorHandler(answerError);
}

/** Logs an error where that is due. @returns it, and what the caller may be told of it */
export function tellError(error: unknown, request: FastifyRequest): { known: KaomonError; message: string } {
  const known = toKaomonError(error, request);
  logError(error, known, request);
  // What went wrong inside is for the log alone; a 503's message was written for the caller.
  const message =
    known.statusCode === 500
      ? `The server failed. Its log has the reason, request ID ${request.id}.`
      : known.message;
  return { known, message };
}

/** The one place where an error becomes an answer. */
export function answerError(error: unknown, request: FastifyRequest, reply: FastifyReply): void {
  const { known, message } = tellError(error, request);
  if (known.statusCode === 503 || known.statusCode === 429 || known.retryAfter !== undefined) {
    reply.header('retry-after', String(known.retryAfter ?? RETRY_AFTER));
  }
  if (known.code === 'METHOD_NOT_ALLOWED') reply.header('allow', String(known.details?.allowed));
  const { statusCode, body } = surfaceOf(request).errorFormat(known, message, request);
  reply.type('application/json; charset=utf-8').status(statusCode).send(body);
}

/** For requests that no route takes. */
export function answerNotFound(request: FastifyRequest): never {
  throw request.server.knownAddresses.refusal(request);
}

function logError(error: unknown, { statusCode, code, message }: KaomonError, request: FastifyRequest): void {
  const { log, server, routeOptions } = request;
  if (statusCode !== 500 && statusCode !== 503) {
    // Without its message, which may name somebody.
    log.debug({ code }, 'A request was refused');
    return;
  }
  const route = routeOptions.url ?? 'none';
  server.repeats.tell(
    `${code} ${route} ${message.slice(0, 100)}`,
    () => {
      if (statusCode === 500) log.error({ err: error }, 'A request failed');
      else log.warn({ code, ...causeOf(error) }, message);
    },
    (times) => server.log.warn({ code, route, times }, 'Failed again'),
  );
}

function causeOf(error: unknown): { err?: unknown } {
  return error instanceof Error && error.cause !== undefined ? { err: error.cause } : {};
}

/** Turns any error into one with a code of ours. */
function toKaomonError(error: unknown, { routeOptions }: FastifyRequest): KaomonError {
  if (error instanceof KaomonError) return error;
  const { code = '', validation, statusCode = 500 } = error as Partial<FastifyError>;
  if (validation) return fieldError(validation[0]);
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return tooLarge('The request body is', routeOptions.bodyLimit);
  if (Object.hasOwn(OF_FASTIFY, code)) return new KaomonError(...OF_FASTIFY[code]);
  if (isFull(error)) {
    return new KaomonError('STORAGE_FULL', 'A disk of this server is full: try again when there is room.', {
      cause: error,
      retryAfter: 60,
    });
  }
  if (statusCode < 500)
    return new KaomonError('BODY_UNREADABLE', 'The request is malformed.', { cause: error });
  return new KaomonError('INTERNAL', error instanceof Error ? error.message : String(error), {
    cause: error,
  });
}

/** The first thing that a schema found wrong. */
function fieldError({
  keyword,
  instancePath,
  params,
  message = '',
}: NonNullable<FastifyError['validation']>[number]): KaomonError {
  const required = params.requiredProperties;
  const missing: unknown = Array.isArray(required) ? required[0] : undefined;
  const isMissing = typeof missing === 'string';
  const inside = instancePath.split('/').filter(Boolean);
  const field = isMissing ? [...inside, missing].join('.') : inside.join('.') || 'body';
  // TypeBox answers `additionalProperties: false` as "schema is false" at the field itself.
  const wrong = keyword === 'boolean' ? 'is not known here' : message;
  const sentence = `The field "${field}" ${isMissing ? 'is missing' : wrong}.`;
  const { missing: ofMissing, wrong: ofWrong } = CODES_OF_FIELD.get(field) ?? {
    missing: 'FIELD_MISSING',
    wrong: 'FIELD_INVALID',
  };
  const code = isMissing ? ofMissing : ofWrong;
  return new KaomonError(code, sentence, { details: { field } });
}
