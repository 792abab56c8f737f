import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { KeyRecord, Keys } from './keys.js';

const TOKEN = /^([0-9a-f]{10})\.([0-9a-z]{1,10})\.([0-9A-Za-z_-]{22})\.([0-9A-Za-z_-]{43})$/;

/**
 * How far in the future a token may have been issued, seconds. One from further ahead was issued while the clock was wrong
 * and would last that much longer; below that, the clock may merely have been set back since.
 */
const MAX_AHEAD = 2 * 86_400;

/** A page's sign-in that is in force. */
export interface Session {
  record: KeyRecord;
  /** Every request that changes something must carry it as `x-csrf-token`. */
  csrf: string;
  nonce: string;
  /** Seconds since 1970. */
  until: number;
}

/** Sign-ins of pages; see {@link createSessions}. */
export type Sessions = ReturnType<typeof createSessions>;

interface SessionsDeps {
  keys: Pick<Keys, 'byId' | 'sessionSecret' | 'sessionIsEnded' | 'endSession'>;
  /** Days until a page must sign in again. */
  days: number;
  now?: () => number;
}

/**
 * Sessions are signed tokens, so that each worker accepts those of the others. A token names its key, and the key's hash is
 * part of what is signed: it ends with the key, and a new key with the same ID does not revive it.
 */
export function createSessions({ keys, days, now = Date.now }: SessionsDeps) {
  const seconds = () => Math.floor(now() / 1000);

  async function sign(record: KeyRecord, issued: string, nonce: string): Promise<string> {
    const secret = await keys.sessionSecret();
    const message = `session:${record.id}.${issued}.${nonce}.${record.hash}`;
    return createHmac('sha256', secret).update(message).digest('base64url');
  }

  async function csrfOf(token: string): Promise<string> {
    return createHmac('sha256', await keys.sessionSecret())
      .update(`csrf:${token}`)
      .digest('base64url');
  }

  return {
    /** How long a session lasts, seconds. */
    lifetime: days * 86_400,

    /** @returns the token for the cookie, and the CSRF token that goes with it */
    async begin(record: KeyRecord): Promise<{ token: string; csrf: string }> {
      const issued = seconds().toString(36);
      const nonce = randomBytes(16).toString('base64url');
      const token = [record.id, issued, nonce, await sign(record, issued, nonce)].join('.');
      return { token, csrf: await csrfOf(token) };
    },

    /** The session of a token; undefined when the token is not valid, or no longer. */
    async check(token: string): Promise<Session | undefined> {
      const [, id, issued, nonce, mac] = TOKEN.exec(token) ?? [];
      if (!id) return undefined;
      const record = await keys.byId(id);
      if (!record || !sameText(mac, await sign(record, issued, nonce))) return undefined;
      const issuedAt = Number.parseInt(issued, 36);
      const until = issuedAt + days * 86_400;
      if (issuedAt - seconds() > MAX_AHEAD) return undefined;
      if (until <= seconds() || (await keys.sessionIsEnded(nonce))) return undefined;
      return { record, csrf: await csrfOf(token), nonce, until };
    },

    /** Ends one session in all workers. */
    async end({ nonce, until }: Session): Promise<void> {
      await keys.endSession(nonce, until);
    },
  };
}

/** Compares two texts in constant time, so that the time does not tell where they differ. */
export function sameText(given: string, expected: string): boolean {
  const [a, b] = [given, expected].map((text) => Buffer.from(text));
  return a.length === b.length && timingSafeEqual(a, b);
}
