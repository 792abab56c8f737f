import type { FastifyRequest } from 'fastify';
import { Type, type TSchema } from 'typebox';
import { KaomonError, tooLarge } from '../../platform/errors.js';
import type { Config } from '../../settings/config.js';
import type { App } from '../app-type.js';
import { decodeBase64 } from './base64.js';
import { base64Limit, type PictureInput, readForm } from './form.js';
import { BytesSchema } from '../schemas.js';

/** Most pictures in one request. */
export const MAX_PICTURES = 16;
/** All pictures of a request together may be this many times as large as one picture. */
const TOGETHER = 4;
const FORM = { files: ['image'], several: MAX_PICTURES };

declare module 'fastify' {
  interface FastifyRequest {
    /** In the order in which they were sent; see {@link registerPictures}. */
    pictures: PictureInput[];
    /** The answer is a list: the request brought several pictures, or one in a list. */
    picturesInList: boolean;
  }
  interface FastifyContextConfig {
    /** The route takes pictures: as a form, as a raw body or as base64 in JSON. */
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

/** Largest body of a route that takes pictures: they take most as base64. */
export const pictureBodyLimit = (maxBytes: number) => base64Limit(TOGETHER * maxBytes);

/**
 * Reads the pictures of every route with `config.pictures`. A request may send them as `image` parts of a
 * multipart form, as a raw body (`image/*`, `application/octet-stream`), or as base64 in JSON (`image` or `images`,
 * with or without a `data:` prefix); they come out as `request.pictures`. A form's texts become `request.body`, where
 * the schema checks them. A picture that cannot be taken is an error in its place and does not stop the others.
 * @param app an encapsulated instance: raw bodies are taken by its routes alone
 * @param config `FETCH_URLS`: JSON may name a picture's address instead (`url`, `urls`)
 */
export function registerPictures(
  app: App,
  config: Pick<Config, 'MAX_UPLOAD_BYTES' | 'FETCH_URLS' | 'FETCH_PORTS'>,
): void {
  const maxBytes = config.MAX_UPLOAD_BYTES;
  const ports = config.FETCH_PORTS.split(',').map(Number);
  // Loaded only where it is used, to keep other starts light.
  const fetcher = config.FETCH_URLS
    ? import('./fetch-picture.js').then(({ createPictureFetcher }) =>
        createPictureFetcher({ maxBytes, ports }),
      )
    : undefined;
  app.addHook('onClose', async () => (await fetcher)?.close());
  async function fetchPicture(url: string, signal: AbortSignal): Promise<Uint8Array> {
    if (fetcher) return (await fetcher).fetch(url, signal);
    throw new KaomonError(
      'URL_REFUSED',
      'This server does not fetch pictures by their address: send them, or set FETCH_URLS=true.',
    );
  }
  /** What is sent, or why it cannot be taken. */
  async function take(bytes: Uint8Array | Promise<Uint8Array>): Promise<PictureInput> {
    try {
      return bounded(await bytes, maxBytes);
    } catch (error) {
      if (error instanceof KaomonError && error.code !== 'CLIENT_GONE') return error;
      throw error;
    }
  }

  app.decorateRequest('pictures', null as unknown as PictureInput[]);
  app.decorateRequest('picturesInList', false);
  app.removeContentTypeParser('text/plain');
  for (const kind of [/^image\/[a-z0-9.+-]+/i, 'application/octet-stream']) {
    app.addContentTypeParser(kind, { parseAs: 'buffer' }, (request, body, done) => {
      if (request.routeOptions.config.pictures) done(null, body);
      else done(new KaomonError('MEDIA_TYPE_UNKNOWN', 'This address does not take a picture as its body.'));
    });
  }
  app.addHook('onRequest', (request, _reply, done) => {
    request.pictures = [];
    done();
  });
  app.addHook('preValidation', async (request) => {
    const fields = request.routeOptions.config.pictures;
    if (!fields) return;
    if (request.isMultipart()) {
      const sent = await readForm(request, {
        ...FORM,
        texts: fields.texts ?? [],
        maxBytes,
        together: TOGETHER * maxBytes,
      });
      request.pictures = sent.map(({ picture }) => picture);
    } else if (request.body instanceof Uint8Array) {
      if (request.body.length > 0) request.pictures = [await take(request.body)];
      request.body = {};
    } else request.body ??= {};
  });
  // After validation, which makes sure that what is decoded is text, and not too much of it.
  app.addHook('preHandler', async (request) => {
    if (request.routeOptions.config.pictures && request.mediaType === 'application/json') {
      const { image, images, url, urls } = request.body as JsonPictures;
      const { gone: signal } = request;
      for (const text of [image ?? [], images ?? []].flat())
        request.pictures.push(await take(decodeBase64(text, { maxBytes, signal })));
      const addresses = [url ?? [], urls ?? []].flat();
      request.pictures.push(...(await Promise.all(addresses.map((one) => take(fetchPicture(one, signal))))));
      if (images || urls) request.picturesInList = true;
    }
    if (request.pictures.length > 1) request.picturesInList = true;
  });
}

/** There is none in the request. */
export const noPicture = () =>
  new KaomonError(
    'IMAGE_MISSING',
    'There is no picture: send a form with a file "image", a body of type image/*, or JSON with "image".',
    { details: { field: 'image' } },
  );

/**
 * The bytes of each picture of a request, for routes that need them all.
 * @throws KaomonError IMAGE_MISSING when there is none; why the first that cannot be taken cannot
 */
export function requirePictures({ pictures }: Pick<FastifyRequest, 'pictures'>): Uint8Array[] {
  if (pictures.length === 0) throw noPicture();
  return pictures.map((picture) => {
    if (picture instanceof KaomonError) throw picture;
    return picture;
  });
}

/**
 * The `body` of a route's schema.
 * @param fields besides the pictures, in a form and in JSON
 * @param example of these fields
 */
export function pictureBody(fields: Record<string, TSchema> = {}, example: Record<string, unknown> = {}) {
  const several = 'One picture, or several parts of this name, which are answered in their order.';
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

/** A grey PNG of 8 x 8 pixels: the example in the OpenAPI document. */
export const TINY_PICTURE =
  'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAADklEQVQI12NogAIGyhgAgIQgAb2ruSwAAAAASUVORK5CYII=';

function bounded(bytes: Uint8Array, maxBytes: number): PictureInput {
  if (bytes.length === 0) return new KaomonError('IMAGE_MISSING', 'The picture is empty: send it again.');
  return bytes.length > maxBytes ? tooLarge('The picture is', maxBytes) : bytes;
}
