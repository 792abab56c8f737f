import { isIP } from 'node:net';
import { Agent, request } from 'undici';
import { onAbort } from '../platform/abort.js';
import { guardedLookup } from '../platform/guarded-lookup.js';
import { isPublic } from '../platform/public-address.js';
import { quietMessage } from '../platform/quiet-error.js';
import { VERSION } from '../platform/version.js';
import { signatureOf } from './signature.js';
import { DeliveryError, type Receiver } from './types.js';

/** For a delivery from the lookup of the name to the status, milliseconds. */
const TIMEOUT = 10_000;
/** How long the rest of an answer is read, so that its connection can be used again, milliseconds. */
const REST = 1000;
/** How much of it, bytes. */
const MOST_READ = 4096;

export interface WebHookOptions {
  id: string;
  url: string;
  /** Signs with each. */
  keys: readonly Buffer[];
  /** Whether it may be in a network of this machine's, and without TLS there. */
  mayBePrivate: boolean;
  /** PEM of the authority that signed its certificate; undefined: the public ones. */
  ca: string | undefined;
  timeout?: number;
  /** Whether an IP address is on the open internet; for tests. */
  isOpen?: (address: string) => boolean;
}

/** A receiver over HTTP. Redirects are not followed: they could lead anywhere. */
export function createWebHook({
  id,
  url: address,
  keys,
  mayBePrivate,
  ca,
  timeout = TIMEOUT,
  isOpen = (ip) => isPublic(ip),
}: WebHookOptions): Receiver {
  const url = new URL(address);
  const isSecure = url.protocol === 'https:';
  // Names of people do not cross the open internet in the clear.
  const isAllowed = (ip: string) => (isOpen(ip) ? isSecure : mayBePrivate);
  const refusal = () =>
    new DeliveryError(
      mayBePrivate
        ? 'is on the open internet, where notices are sent by https alone'
        : 'is in a network of the server’s own, which WEBHOOK_PRIVATE=true would allow, or it is not https',
    );
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const agent = new Agent({
    connect: { lookup: guardedLookup(isAllowed, refusal), timeout, ...(ca && { ca }) },
    headersTimeout: timeout,
    bodyTimeout: timeout,
    // Both sources of notices may be at work.
    connections: 2,
  });

  return {
    id,
    name: url.origin,

    async deliver(notice, signal) {
      // No resolver is asked about an IP address.
      if (isIP(host) && !isAllowed(host)) throw refusal();
      const body = JSON.stringify(notice);
      const time = Math.floor(Date.now() / 1000);
      const attempt = new AbortController();
      const end = () => attempt.abort();
      const timer = setTimeout(end, timeout);
      const stopListening = onAbort(signal, end);
      try {
        const answer = await request(url, {
          method: 'POST',
          dispatcher: agent,
          signal: attempt.signal,
          headers: {
            'content-type': 'application/json',
            'user-agent': `kaomon/${VERSION}`,
            'webhook-id': notice.id,
            'webhook-timestamp': String(time),
            'webhook-signature': signatureOf(keys, notice.id, time, body),
          },
          body,
        }).catch((error: unknown) => {
          throw attempt.signal.aborted ? new DeliveryError(`does not answer within ${timeout} ms`) : error;
        });
        clearTimeout(timer);
        const rest = setTimeout(end, REST);
        await answer.body.dump({ limit: MOST_READ }).catch(() => undefined);
        clearTimeout(rest);
        judge(answer.statusCode, answer.headers['retry-after']);
      } catch (error) {
        throw deliveryErrorOf(error);
      } finally {
        clearTimeout(timer);
        stopListening();
      }
    },

    close: () => agent.destroy(),
  };
}

/** @throws DeliveryError unless the receiver has it */
function judge(status: number, retryAfter: string | string[] | undefined): void {
  if (status >= 200 && status < 300) return;
  if (status === 410) throw new DeliveryError('answers 410: it wants no more notices', { isGone: true });
  if (status >= 300 && status < 400)
    throw new DeliveryError(`answers ${status}, but redirects are not followed: set where it leads to`);
  const seconds = Number(retryAfter);
  throw new DeliveryError(`answers ${status}`, { retryAfter: seconds > 0 ? seconds : undefined });
}

function deliveryErrorOf(error: unknown): DeliveryError {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (cause instanceof DeliveryError) return cause;
  }
  const { code } = error as { code?: unknown };
  const reason = typeof code === 'string' ? code : quietMessage(error);
  return new DeliveryError(`cannot be reached (${reason})`);
}
