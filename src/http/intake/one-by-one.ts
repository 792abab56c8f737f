import type { FastifyRequest } from 'fastify';
import { Type, type Static, type TSchema } from 'typebox';
import { KaomonError } from '../../platform/errors.js';
import type { PictureInput } from './form.js';
import { noPicture, requirePictures } from './pictures.js';
import { errorsOf, ErrorSchema } from '../schemas.js';

/** Several pictures in one request: the answers keep their order, and each picture can fail on its own. */

const { code, message, details } = ErrorSchema.properties;

/** The entry of a picture that was refused. */
export const RefusedSchema = Type.Object({
  status: Type.Literal('refused'),
  error: Type.Object({ code, message, details }),
});
export type Refused = Static<typeof RefusedSchema>;

/** An error body; with an entry for each picture when a list was sent and none could be used. */
const ListErrorSchema = Type.Object(
  { ...ErrorSchema.properties, results: Type.Optional(Type.Array(RefusedSchema)) },
  { description: 'What went wrong; `results` when a list was sent and no picture of it could be used.' },
);

/** Refusals of the routes that take pictures. */
export function pictureRefusals<S extends number>(...statuses: S[]) {
  return { ...errorsOf(ListErrorSchema, ...PICTURE_STATUSES), ...errorsOf(ListErrorSchema, ...statuses) };
}
const PICTURE_STATUSES = [400, 401, 403, 413, 415, 422, 429, 500, 503] as const;

/** The answer to a list of pictures. */
export function listOf<T extends TSchema>(entry: T, example?: object) {
  return Type.Object(
    { results: Type.Array(Type.Union([entry, RefusedSchema])) },
    example && { examples: [example] },
  );
}

/** No picture of a list could be used: the error of the first, with an entry for each. */
export class AllRefused extends KaomonError {
  readonly results: Refused[];

  constructor(errors: readonly KaomonError[]) {
    const [first] = errors;
    super(first.code, first.message, { details: first.details, retryAfter: first.retryAfter });
    this.results = errors.map(toRefused);
  }
}

function toRefused({ code, message, details }: KaomonError): Refused {
  return { status: 'refused', error: { code, message, details } };
}

/** Whether an error is one picture's, and does not fail the request. */
const isOfPicture = (error: unknown): error is KaomonError =>
  error instanceof KaomonError && (error.statusCode < 499 || error.statusCode === 503);

/** @returns why it cannot be used, where that is this picture's own fault */
async function attempt<T>(
  picture: PictureInput,
  work: (bytes: Uint8Array) => Promise<T>,
): Promise<T | KaomonError> {
  if (picture instanceof KaomonError) return picture;
  try {
    return await work(picture);
  } catch (error) {
    if (isOfPicture(error)) return error;
    throw error;
  }
}

/** @throws AllRefused */
function toEntries<T>(settled: readonly (T | KaomonError)[]): (T | Refused)[] {
  const errors = settled.filter((entry) => entry instanceof KaomonError);
  if (errors.length === settled.length) throw new AllRefused(errors);
  return settled.map((entry) => (entry instanceof KaomonError ? toRefused(entry) : entry));
}

/**
 * Does `work` with each picture, all at once, because the vision pool has a queue.
 * @returns an entry for each picture, in order
 * @throws KaomonError IMAGE_MISSING, AllRefused; CLIENT_GONE and faults of ours, which fail the request
 */
async function oneByOne<T>(
  { pictures }: Pick<FastifyRequest, 'pictures'>,
  work: (bytes: Uint8Array) => Promise<T>,
): Promise<(T | Refused)[]> {
  if (pictures.length === 0) throw noPicture();
  return toEntries(await Promise.all(pictures.map((picture) => attempt(picture, work))));
}

/**
 * Looks at each picture in turn, then finishes with all that can be used together.
 * @param look given the picture's place in the request, from 0
 * @param finish given what `look` returned, in order; answers an outcome for each
 * @returns as `oneByOne` @throws as `oneByOne`
 */
export async function together<L, T>(
  { pictures }: Pick<FastifyRequest, 'pictures'>,
  look: (bytes: Uint8Array, place: number) => Promise<L>,
  finish: (looked: L[]) => Promise<PromiseSettledResult<T>[]>,
): Promise<(T | Refused)[]> {
  if (pictures.length === 0) throw noPicture();
  const looked: (L | KaomonError)[] = [];
  for (const [place, picture] of pictures.entries())
    looked.push(await attempt(picture, (bytes) => look(bytes, place)));
  const usable = looked.filter((entry): entry is L => !(entry instanceof KaomonError));
  const outcomes = (usable.length > 0 ? await finish(usable) : []).values();
  const settled: (T | KaomonError)[] = [];
  for (const entry of looked) {
    const outcome = entry instanceof KaomonError ? undefined : outcomes.next().value;
    if (!outcome) settled.push(entry as KaomonError);
    else if (outcome.status === 'fulfilled') settled.push(outcome.value);
    else if (isOfPicture(outcome.reason)) settled.push(outcome.reason);
    else throw outcome.reason;
  }
  return toEntries(settled);
}

/** One picture's answer, or the list of the answers to several. */
export async function answerEach<T>(
  request: FastifyRequest,
  work: (bytes: Uint8Array) => Promise<T>,
): Promise<T | { results: (T | Refused)[] }> {
  if (!request.picturesInList) return work(requirePictures(request)[0]);
  return { results: await oneByOne(request, work) };
}
