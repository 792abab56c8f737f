import type { Readable } from 'node:stream';
import { type Dispatcher, EnvHttpProxyAgent } from 'undici';
import { KaomonError } from '../../platform/errors.js';

/** How the internet is reached: values of the usual variables, passed in because this room reads no settings. */
export interface ProxySettings {
  /** Address of the proxy for `https:` addresses (HTTPS_PROXY). */
  readonly https?: string;
  /** Address of the proxy for `http:` addresses (HTTP_PROXY). */
  readonly http?: string;
  /** Hosts that are reached directly, separated by commas (NO_PROXY). */
  readonly except?: string;
}

/** A transfer that broke off; another attempt may succeed. */
export class Interrupted extends Error {}

/** An answer whose body is about to be read. */
export interface Answer {
  readonly status: number;
  header: (name: string) => string | undefined;
  /** Ends with {@link Interrupted} when the connection breaks or nothing comes for too long. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Closes the connection without reading on. */
  discard: () => void;
}

export interface Client {
  /**
   * Requests an address and follows redirects.
   * @throws Interrupted when the host cannot be reached or does not answer in time
   * @throws KaomonError SETUP for an address or a redirect that is not followed
   */
  get: (address: URL, headers: Record<string, string>) => Promise<Answer>;
  close: () => Promise<void>;
}

const MAX_REDIRECTS = 5;
/** Bytes that may be waiting to be written. */
const MAX_WAITING = 4_000_000;
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

/**
 * A small HTTP client.
 * @param reachWithinMs bound on the time from the call to the answer's headers: names, connections and redirects
 *   together
 * @param stallMs bound on the time between two pieces of a body
 * @throws KaomonError SETUP when a proxy's address is not one
 */
export function createClient(proxy: ProxySettings, reachWithinMs: number, stallMs: number): Client {
  const agent = createAgent(proxy, reachWithinMs, stallMs);

  async function ask(address: URL, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    let at = address;
    for (let hops = 0; ; hops++) {
      const answer = await agent.request({
        origin: at.origin,
        path: at.pathname + at.search,
        method: 'GET',
        headers,
        signal,
      });
      if (!REDIRECTS.has(answer.statusCode)) return toAnswer(at, answer);
      answer.body.on('error', () => undefined).destroy();
      if (hops === MAX_REDIRECTS) refuse(address, `is redirected more than ${MAX_REDIRECTS} times`);
      at = redirected(at, answer.headers.location, address);
    }
  }

  return {
    async get(address, headers) {
      const abort = new AbortController();
      const late = setTimeout(() => {
        abort.abort(new Interrupted(`${address.host} did not answer within ${reachWithinMs / 1000} s`));
      }, reachWithinMs);
      try {
        return await ask(address, headers, abort.signal);
      } catch (error) {
        if (error instanceof KaomonError || error instanceof Interrupted) throw error;
        throw new Interrupted(`${address.host} cannot be reached (${reasonOf(error)})`, { cause: error });
      } finally {
        clearTimeout(late);
      }
    },
    // `destroy`, not `close`, which would wait for a body that nobody reads on.
    close: () => agent.destroy(),
  };
}

function createAgent(proxy: ProxySettings, reachWithinMs: number, stallMs: number): Dispatcher {
  try {
    return new EnvHttpProxyAgent({
      // Empty, not undefined: then undici would read the environment.
      httpsProxy: proxy.https ?? '',
      httpProxy: proxy.http ?? '',
      noProxy: proxy.except ?? '',
      connect: { timeout: reachWithinMs },
      headersTimeout: reachWithinMs,
      bodyTimeout: stallMs,
    });
  } catch (error) {
    const given = [proxy.https, proxy.http].filter(Boolean).join(' or ');
    throw new KaomonError('SETUP', `The proxy ${given} is not an address: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
}

function toAnswer(address: URL, { statusCode, headers, body }: Dispatcher.ResponseData): Answer {
  return {
    status: statusCode,
    header: (name) => {
      const value = headers[name];
      return Array.isArray(value) ? value[0] : value;
    },
    body: piecesOf(body, address.host),
    discard: () => void body.on('error', () => undefined).destroy(),
  };
}

/**
 * The pieces of a body, up to the last one that arrived. (A broken stream drops what has not been read yet, so on an
 * unreliable line nothing would be gained.) Listens from the call on, not from the first read, so as not to miss a
 * break in between.
 */
function piecesOf(body: Readable, host: string): AsyncIterable<Uint8Array> {
  const queue: Uint8Array[] = [];
  let waiting = 0;
  let end: { error?: Error } | undefined;
  let wake = (): void => undefined;
  body.on('data', (piece: Uint8Array) => {
    queue.push(piece);
    waiting += piece.byteLength;
    if (waiting > MAX_WAITING) body.pause();
    wake();
  });
  const finish = (error?: Error) => {
    end ??= error ? { error } : {};
    wake();
  };
  body.on('end', () => finish()).on('error', finish);
  body.on('close', () => finish(new Error('closed')));

  async function* pieces(): AsyncGenerator<Uint8Array> {
    for (;;) {
      const piece = queue.shift();
      if (piece) {
        waiting -= piece.byteLength;
        if (waiting <= MAX_WAITING) body.resume();
        yield piece;
      } else if (end?.error) {
        throw new Interrupted(`the connection to ${host} broke off (${reasonOf(end.error)})`, {
          cause: end.error,
        });
      } else if (end) {
        return;
      } else {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  }
  return pieces();
}

function redirected(from: URL, location: string | string[] | undefined, first: URL): URL {
  if (typeof location !== 'string' || !URL.canParse(location, from.href))
    refuse(first, 'is redirected to nowhere');
  const to = new URL(location, from.href);
  const isSafe = to.protocol === 'https:' || (to.protocol === 'http:' && from.protocol === 'http:');
  if (!isSafe) refuse(first, `is redirected to ${to.protocol}//${to.host}, which is not followed`);
  return to;
}

function refuse(address: URL, reason: string): never {
  throw new KaomonError('SETUP', `${address.href} ${reason}.`);
}

/** The most telling word: a system error's code, else the message. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message;
}
