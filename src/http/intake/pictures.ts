import type { FastifyRequest } from 'fastify';
import { Type, type TSchema } from 'typebox';
import { KaomonError } from '../../platform/errors.js';
import type { App } from '../app-type.js';
import { type Base64Options, decodeBase64, pictureTooLarge } from './base64.js';
import { BytesSchema } from '../schemas.js';

/** The most pictures that one request may bring. */
export const MAX_PICTURES = 16;
/** All pictures of a request together may be so many times the largest single one. */
const TOGETHER = 4;
/** What a request besides its pictures may take, bytes: texts, headers, boundaries, JSON. */
const OVERHEAD = 65_536;

/** A picture's bytes, which nothing else refers to, or why it cannot be taken. */
export type PictureInput = Uint8Array | KaomonError;

declare module 'fastify' {
  interface FastifyRequest {
    /** What `readPictures` found, in the order in which it was sent. */
    pictures: PictureInput[];
    /** The request may be answered by a list only: it brought several pictures, or one in a list. */
    picturesInList: boolean;
  }
  interface FastifyContextConfig {
    /** The route takes pictures as a form, as a raw body or as base64 in JSON. */
    pictures?: PictureFields;
  }
}

interface JsonPictures {
  image?: string;
  images?: string[];
  url?: string;
  urls?: string[];
}

export interface PictureFields {
  /** The text fields that a form may hold besides `image`; others are ignored. */
  texts?: readonly string[];
}

/** Largest body of a route that takes pictures: JSON is the widest way to send them (base64 takes 4 for 3). */
export function pictureBodyLimit(maxBytes: number): number {
  return Math.ceil((maxBytes * TOGETHER * 4) / 3) + OVERHEAD;
}

/**
 * One way to read pictures for every route with `config.pictures`. A request may send them as `image` parts of a
 * multipart form, as a raw body (`image/*`, `application/octet-stream`), or as base64 in JSON (`image` or `images`,
 * with or without a `data:` prefix); they come out as `request.pictures`. A form's texts become `request.body`, where
 * the schema checks them. A picture that cannot be taken becomes an error in its place; the others go on.
 * @param app an encapsulated instance: the parsers of raw bodies are for its routes alone
 * @param maxBytes of one picture
 * @param fetchUrls JSON may name a picture's address instead (`url`, `urls`), on these ports; left out: it may not
 */
export function registerPictures(app: App, maxBytes: number, fetchUrls?: { ports: readonly number[] }): void {
  // Loaded only where it is used: a start without stays light.
  const fetcher = fetchUrls
    ? import('./fetch-picture.js').then(({ createPictureFetcher }) =>
        createPictureFetcher({ maxBytes, ...fetchUrls }),
      )
    : undefined;
  app.addHook('onClose', async () => (await fetcher)?.close());
  const fetchPicture = async (url: string, signal: AbortSignal): Promise<PictureInput> => {
    try {
      if (fetcher) return bounded(await (await fetcher).fetch(url, signal), maxBytes);
    } catch (error) {
      if (error instanceof KaomonError) return error;
      throw error;
    }
    return new KaomonError(
      'URL_REFUSED',
      'This server fetches no pictures by their address: send them, or set FETCH_URLS=true.',
    );
  };

  app.decorateRequest('pictures', null as unknown as PictureInput[]);
  app.decorateRequest('picturesInList', false);
  app.removeContentTypeParser('text/plain');
  for (const kind of [/^image\/[a-z0-9.+-]+/i, 'application/octet-stream']) {
    app.addContentTypeParser(kind, { parseAs: 'buffer' }, (request, body, done) => {
      if (request.routeOptions.config.pictures) done(null, body);
      else done(new KaomonError('MEDIA_TYPE_UNKNOWN', 'This address takes no picture as its body.'));
    });
  }
  app.addHook('onRequest', (request, _reply, done) => {
    request.pictures = [];
    done();
  });
  app.addHook('preValidation', async (request) => {
    const fields = request.routeOptions.config.pictures;
    if (!fields) return;
    if (request.isMultipart()) await readForm(request, fields, maxBytes);
    else if (request.body instanceof Uint8Array) {
      if (request.body.length > 0) request.pictures = [bounded(request.body, maxBytes)];
      request.body = {};
    } else request.body ??= {};
  });
  // After validation: what is decoded is known to be text, and not too many of it.
  app.addHook('preHandler', async (request) => {
    if (request.routeOptions.config.pictures && request.mediaType === 'application/json') {
      const { image, images, url, urls } = request.body as JsonPictures;
      const { gone: signal } = request;
      for (const text of [image ?? [], images ?? []].flat())
        request.pictures.push(await fromBase64(text, { maxBytes, signal }));
      const addresses = [url ?? [], urls ?? []].flat();
      request.pictures.push(...(await Promise.all(addresses.map((one) => fetchPicture(one, signal)))));
      if (images || urls) request.picturesInList = true;
    }
    if (request.pictures.length > 1) request.picturesInList = true;
  });
}

/**
 * The pictures of a request.
 * @throws KaomonError IMAGE_MISSING when there is none
 */
export function requirePictures({ pictures }: Pick<FastifyRequest, 'pictures'>): PictureInput[] {
  if (pictures.length > 0) return pictures;
  throw new KaomonError(
    'IMAGE_MISSING',
    'There is no picture: send a form with a file "image", a body of type image/*, or JSON with "image".',
    { details: { field: 'image' } },
  );
}

/** @throws KaomonError when the picture could not be taken */
export function bytesOf(picture: PictureInput): Uint8Array {
  if (picture instanceof KaomonError) throw picture;
  return picture;
}

/**
 * The `body` of a route's schema.
 * @param fields what may be said besides the picture, in a form and in JSON
 * @param example of the JSON fields besides the picture
 */
export function pictureBody(fields: Record<string, TSchema> = {}, example: Record<string, unknown> = {}) {
  const several = 'One picture, or several parts of this name: they are answered in their order.';
  return {
    content: {
      'multipart/form-data': {
        schema: Type.Object(
          { image: Type.Optional({ ...BytesSchema, description: several }), ...fields },
          { examples: [{ image: '(a file)', ...example }] },
        ),
      },
      'application/json': {
        schema: Type.Object(
          {
            image: Type.Optional(Base64Schema),
            images: Type.Optional(Type.Array(Base64Schema, { minItems: 1, maxItems: MAX_PICTURES })),
            url: Type.Optional(UrlSchema),
            urls: Type.Optional(Type.Array(UrlSchema, { minItems: 1, maxItems: MAX_PICTURES })),
            ...fields,
          },
          { additionalProperties: false, examples: [{ image: TINY_PICTURE, ...example }] },
        ),
      },
      'image/*': { schema: BytesSchema },
      'application/octet-stream': { schema: BytesSchema },
    },
  };
}

/** A picture in JSON. */
export const Base64Schema = Type.String({
  maxLength: 1_500_000_000,
  contentEncoding: 'base64',
  description: 'A picture as base64 (either alphabet, padded or not), with or without a `data:` prefix.',
});

const UrlSchema = Type.String({
  minLength: 1,
  maxLength: 2000,
  description: "A picture's address, fetched where the server is set to (`FETCH_URLS=true`).",
});

/** A grey PNG of 8 x 8 pixels: the documents' example. */
export const TINY_PICTURE =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADklEQVQI12NogAIGyhgAgIQgAb2ruSwAAAAASUVORK5CYII=';

/** A picture of a JSON body. @returns its bytes, or why they cannot be taken */
export async function fromBase64(text: string, options: Base64Options): Promise<PictureInput> {
  try {
    return bounded(await decodeBase64(text, options), options.maxBytes);
  } catch (error) {
    if (error instanceof KaomonError && error.code !== 'CLIENT_GONE') return error;
    throw error;
  }
}

function bounded(bytes: Uint8Array, maxBytes: number): PictureInput {
  if (bytes.length === 0) return new KaomonError('IMAGE_MISSING', 'The picture is empty: send it again.');
  return bytes.length > maxBytes ? pictureTooLarge(maxBytes) : bytes;
}

/** The form is read to its end even when it is refused: an answer in mid-upload would be lost with the connection. */
async function readForm(request: FastifyRequest, fields: PictureFields, maxBytes: number): Promise<void> {
  const most = maxBytes * TOGETHER;
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > most + OVERHEAD) throw allTooLarge(most);
  const body: Record<string, string> = {};
  let together = 0;
  let refusal: KaomonError | undefined;
  request.body = body;
  const limits = { files: MAX_PICTURES, parts: MAX_PICTURES + 20 };
  try {
    for await (const part of request.parts({ limits })) {
      const { fieldname: name } = part;
      if (part.type === 'file') {
        if (refusal || name !== 'image') {
          part.file.resume();
          continue;
        }
        const bytes = await part.toBuffer();
        together += bytes.length;
        if (together > most) refusal = allTooLarge(most);
        // A browser sends an empty file for an input that nobody filled.
        else if (bytes.length > 0)
          request.pictures.push(part.file.truncated ? pictureTooLarge(maxBytes) : bytes);
      } else if (name === 'image' || fields.texts?.includes(name)) {
        const wrong = refuseText(name, part.value, part.valueTruncated, body);
        if (wrong) refusal ??= wrong;
        else body[name] = part.value as string;
      }
    }
  } catch (cause) {
    if (cause instanceof KaomonError) throw cause;
    refusal ??= unreadable(cause);
  }
  if (refusal) throw refusal;
}

function refuseText(
  name: string,
  value: unknown,
  truncated: boolean,
  body: Record<string, string>,
): KaomonError | undefined {
  const refuse = (what: string) =>
    new KaomonError('FIELD_INVALID', `The field "${name}" ${what}.`, { details: { field: name } });
  if (name === 'image') return refuse('must be sent as a file');
  if (Object.hasOwn(body, name)) return refuse('may be given once only');
  if (truncated) return refuse('is too long');
  return typeof value === 'string' ? undefined : refuse('must be text');
}

function unreadable(cause: unknown): KaomonError {
  const { code } = cause as { code?: string };
  if (code === 'FST_FILES_LIMIT' || code === 'FST_PARTS_LIMIT') {
    return new KaomonError('FIELD_INVALID', `A request may bring at most ${MAX_PICTURES} pictures.`, {
      details: { field: 'image', maximum: MAX_PICTURES },
    });
  }
  return new KaomonError(
    'BODY_UNREADABLE',
    'The form is malformed or cut off: send it again as multipart/form-data.',
    { cause },
  );
}

function allTooLarge(most: number): KaomonError {
  return new KaomonError(
    'UPLOAD_TOO_LARGE',
    `The pictures are too large together: at most ${most} bytes are taken in one request.`,
    { details: { maxBytes: most } },
  );
}
