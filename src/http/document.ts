import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { acceptedOf, addVary } from './accept.js';
import type { App } from './app-type.js';

/** A text as it is sent, by its encoding. */
type Sent = Record<'identity' | 'gzip' | 'br', Buffer>;

/** Nearly as small as the slowest, in a tenth of its time. */
const BROTLI = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };

/**
 * The OpenAPI document at `/docs/json` and `/docs/yaml`, for everybody: it is the same for every installation, so it may be
 * compressed like a file. It is made when it is asked for the first time, since every route must be there.
 */
export function documentRoutes(app: App): void {
  serve('/docs/json', 'application/json; charset=utf-8', () => JSON.stringify(app.swagger()));
  serve('/docs/yaml', 'application/yaml; charset=utf-8', () => app.swagger({ yaml: true }));
  app.get('/docs/', { config: { access: 'public' } }, (_request, reply) => reply.redirect('/docs', 308));

  function serve(address: string, type: string, make: () => string): void {
    let made: Promise<Sent> | undefined;
    app.get(address, { config: { access: 'public' } }, async (request, reply) => {
      made ??= compress(make());
      const sent = await made;
      const accepted = acceptedOf(request.headers['accept-encoding']);
      const encoding = (['br', 'gzip'] as const).find((one) => accepted.includes(one)) ?? 'identity';
      const etag = `"${createHash('sha256').update(sent[encoding]).digest('base64url').slice(0, 16)}"`;
      addVary(reply, 'accept-encoding');
      reply.headers({ etag, 'cache-control': 'no-cache' });
      if (request.headers['if-none-match']?.includes(etag)) return reply.code(304).send();
      if (encoding !== 'identity') reply.header('content-encoding', encoding);
      return reply.type(type).send(sent[encoding]);
    });
  }
}

async function compress(text: string): Promise<Sent> {
  const identity = Buffer.from(text);
  const [zipped, br] = await Promise.all([
    promisify(gzip)(identity),
    promisify(brotliCompress)(identity, BROTLI),
  ]);
  return { identity, gzip: zipped, br };
}
