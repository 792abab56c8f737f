import { isIP } from 'node:net';
import { Agent, request } from 'undici';
import { KaomonError, tooLarge } from '../../platform/errors.js';
import { guardedLookup } from '../../platform/guarded-lookup.js';
import { isPublic } from '../../platform/public-address.js';

/** For a whole fetch, redirects included, milliseconds. */
const TIMEOUT = 10_000;
const MAX_REDIRECTS = 3;
/** Ports on which pictures are served; on others databases, caches, printers and consoles listen. */
const WEB_PORTS: readonly number[] = [80, 443];

export interface PictureFetcherOptions {
  /** Largest picture, bytes. */
  maxBytes: number;
  /** Whether an address may be connected to. Default: {@link isPublic}. For tests. */
  isAllowed?: (address: string) => boolean;
  /** Ports that may be connected to. Default: those of http and https. */
  ports?: readonly number[];
  timeout?: number;
}

/** Fetches pictures by their address, without letting callers reach into the server's own network. */
export type PictureFetcher = ReturnType<typeof createPictureFetcher>;

export function createPictureFetcher({
  maxBytes,
  isAllowed = (address) => isPublic(address),
  ports = WEB_PORTS,
  timeout = TIMEOUT,
}: PictureFetcherOptions) {
  const agent = new Agent({
    connect: { lookup: guardedLookup(isAllowed, refusal), timeout },
    headersTimeout: timeout,
    bodyTimeout: timeout,
    keepAliveTimeout: 1000,
  });

  /** @throws KaomonError URL_REFUSED */
  function check(address: string, base?: URL): URL {
    const url = URL.canParse(address, base?.href) ? new URL(address, base) : undefined;
    if (!url || !['http:', 'https:'].includes(url.protocol) || url.username || url.password) {
      throw new KaomonError('URL_REFUSED', 'A picture is fetched from plain http and https addresses only.');
    }
    const port = Number(url.port || (url.protocol === 'http:' ? 80 : 443));
    if (!ports.includes(port)) {
      throw new KaomonError(
        'URL_REFUSED',
        `A picture is fetched from the ports ${ports.join(' and ')} only, not from ${port} (see FETCH_PORTS).`,
      );
    }
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // No resolver is asked about an IP address.
    if (isIP(host) && !isAllowed(host)) throw refusal();
    return url;
  }

  return {
    /**
     * @returns bytes that nothing else refers to
     * @param gone aborted when nobody waits for the picture any longer
     * @throws KaomonError URL_REFUSED, URL_UNREACHABLE, UPLOAD_TOO_LARGE
     */
    async fetch(address: string, gone?: AbortSignal): Promise<Uint8Array> {
      const signal = AbortSignal.any([AbortSignal.timeout(timeout), ...(gone ? [gone] : [])]);
      let url = check(address);
      for (let redirects = 0; ; redirects++) {
        const answer = await request(url, {
          dispatcher: agent,
          signal,
          headers: { accept: 'image/*' },
        }).catch(unreachable);
        const { statusCode, headers, body } = answer;
        const { location } = headers;
        if (
          statusCode >= 300 &&
          statusCode < 400 &&
          typeof location === 'string' &&
          redirects < MAX_REDIRECTS
        ) {
          await body.dump({ limit: 65_536 }).catch(unreachable);
          url = check(location, url);
          continue;
        }
        if (statusCode !== 200) {
          await body.dump({ limit: 65_536 }).catch(() => undefined);
          throw new KaomonError('URL_UNREACHABLE', `The address of the picture answers ${statusCode}.`, {
            details: { status: statusCode },
          });
        }
        return await readBounded(body, maxBytes).catch(unreachable);
      }
    },
    close: () => agent.close(),
  };
}

async function readBounded(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > maxBytes) throw tooLarge('The picture is', maxBytes);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function refusal(): KaomonError {
  return new KaomonError(
    'URL_REFUSED',
    'This address is in a network of the server’s own, from which nothing is fetched.',
  );
}

function unreachable(cause: unknown): never {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if (error instanceof KaomonError) throw error;
  }
  throw new KaomonError(
    'URL_UNREACHABLE',
    'The picture could not be fetched: check whether its address answers.',
    { cause },
  );
}
