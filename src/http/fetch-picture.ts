import { lookup as resolve, type LookupAddress } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { KaomonError } from '../errors.js';

/** The whole of a fetch, redirects and all, milliseconds. */
const TIMEOUT = 10_000;
const MAX_REDIRECTS = 3;

export interface PictureFetcherOptions {
  /** Largest picture, bytes. */
  maxBytes: number;
  /** Whether an address may be connected to. Default: {@link isPublic}. For tests. */
  isAllowed?: (address: string) => boolean;
  timeout?: number;
}

/** Fetches pictures by address for callers who may not reach into the server's own network by it. */
export type PictureFetcher = ReturnType<typeof createPictureFetcher>;

export function createPictureFetcher({
  maxBytes,
  isAllowed = isPublic,
  timeout = TIMEOUT,
}: PictureFetcherOptions) {
  /** Checked where the connection is made: a name that was public a moment ago may point elsewhere now. */
  const lookup: LookupFunction = (hostname, options, done) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const refused = error ? undefined : addresses.find(({ address }) => !isAllowed(address));
      if (error) done(error, '', 0);
      else if (refused || addresses.length === 0) done(refusal(), '', 0);
      else answerLookup(addresses, options.all, done);
    });
  };
  const agent = new Agent({
    connect: { lookup, timeout },
    maxResponseSize: maxBytes,
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
    const host = url.hostname.replace(/^\[|\]$/g, '');
    // A connection to a bare address asks no resolver.
    if (isIP(host) && !isAllowed(host)) throw refusal();
    return url;
  }

  return {
    /**
     * @returns bytes that nothing else refers to
     * @param gone aborted when nobody waits for the picture any more
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
    if (length > maxBytes) throw tooLarge(maxBytes);
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

function tooLarge(maxBytes: number): KaomonError {
  return new KaomonError(
    'UPLOAD_TOO_LARGE',
    `The picture is too large: at most ${maxBytes} bytes are taken.`,
    {
      details: { maxBytes },
    },
  );
}

function refusal(): KaomonError {
  return new KaomonError(
    'URL_REFUSED',
    'This address lies in a network of the server’s own, where nothing is fetched.',
  );
}

function unreachable(cause: unknown): never {
  for (let error = cause; error instanceof Error; error = error.cause) {
    if (error instanceof KaomonError) throw error;
    if ('code' in error && error.code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE')
      throw new KaomonError('UPLOAD_TOO_LARGE', 'The picture at the address is too large.', { cause });
  }
  throw new KaomonError(
    'URL_UNREACHABLE',
    'The picture could not be fetched: see whether its address answers.',
    {
      cause,
    },
  );
}

function answerLookup(
  addresses: LookupAddress[],
  all: boolean | undefined,
  done: Parameters<LookupFunction>[2],
): void {
  if (all) done(null, addresses);
  else done(null, addresses[0].address, addresses[0].family);
}

/** Networks that are nobody's on the open internet (IANA's special-purpose registries). */
const PRIVATE_V4 = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  PRIVATE_V4.addSubnet(network, prefix, 'ipv4');
}
/** Of IPv6 only global unicast is public, without what wraps other addresses or is for documents. */
const GLOBAL_V6 = new BlockList();
GLOBAL_V6.addSubnet('2000::', 3, 'ipv6');
const WRAPPED_V6 = new BlockList();
WRAPPED_V6.addSubnet('2001::', 23, 'ipv6');
WRAPPED_V6.addSubnet('2001:db8::', 32, 'ipv6');
WRAPPED_V6.addSubnet('2002::', 16, 'ipv6');
WRAPPED_V6.addSubnet('3fff::', 20, 'ipv6');

/** Whether an IP address is one of the open internet. */
export function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !PRIVATE_V4.check(address, 'ipv4');
  return isIP(address) === 6 && GLOBAL_V6.check(address, 'ipv6') && !WRAPPED_V6.check(address, 'ipv6');
}
