import cookie from '@fastify/cookie';
import type { FastifyRequest } from 'fastify';
import type { Attempts } from '../../access/attempts.js';
import type { Keys, KeyRecord } from '../../access/keys.js';
import type { Links } from '../../access/links.js';
import { covers } from '../../access/roles.js';
import { sameText, type Session, type Sessions } from '../../access/sessions.js';
import { KaomonError } from '../../platform/errors.js';
import type { Caller } from '../access.js';
import type { App } from '../app-type.js';
import { addressOf } from '../on-behalf.js';

/** The caller where no key is asked for. */
const NOBODY: Caller = { name: 'nobody', keyId: '', role: 'admin', groups: undefined, via: 'none' };
/** A caller without a key, on routes for everybody. */
const STRANGER: Caller = { name: 'nobody', keyId: '', role: 'recognise', groups: new Set(), via: 'nothing' };
const METRICS: Caller = { name: 'metrics', keyId: '', role: 'admin', groups: new Set(), via: 'token' };

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route may be called with `METRICS_TOKEN` as well. */
    metricsToken?: true;
  }
}

export interface AuthenticationDeps {
  /** `none`: nobody is asked for a key. */
  auth: 'key' | 'none';
  keys: Pick<Keys, 'verify' | 'byId'>;
  links: Pick<Links, 'redeem'>;
  sessions: Pick<Sessions, 'check'>;
  attempts: Attempts;
  /** '' for none. */
  metricsToken: string;
  /** Origins besides the server's own whose pages may call. */
  origins: readonly string[];
  /** Origins whose pages may open a WebSocket as well. */
  streamOrigins: readonly string[];
}

/** Finds out who calls; see {@link registerAuthentication}. */
export type Authentication = Awaited<ReturnType<typeof registerAuthentication>>;

/**
 * Finds out who calls, before a body is read, and refuses whom the route's `access` does not let in. WebSocket
 * upgrades are requests like any other here.
 */
export async function registerAuthentication(app: App, deps: AuthenticationDeps) {
  const { auth, keys, links, sessions, attempts, metricsToken, origins, streamOrigins } = deps;
  const callers = new WeakMap<FastifyRequest, Caller>();
  const signedIn = new WeakMap<FastifyRequest, Session>();
  /** What let a request in. */
  const shown = new WeakMap<FastifyRequest, { record: KeyRecord } | { token: string }>();
  const foreign = (request: FastifyRequest) =>
    isForeign(request, isUpgrade(request) ? [...origins, ...streamOrigins] : origins);

  await app.register(cookie);
  app.decorateRequest('caller', {
    getter() {
      return callers.get(this) ?? STRANGER;
    },
  });

  /**
   * The record of a key that somebody shows; undefined: it is wrong.
   * @throws KaomonError TOO_MANY_REQUESTS
   */
  async function checkKey(request: FastifyRequest, key: string): Promise<KeyRecord | undefined> {
    const address = addressOf(request);
    const record = await keys.verify(key, (work) => attempts.costly(address, work));
    // Not yet verified is not wrong: only what is known to be wrong counts.
    if (!record) attempts.wrong(address);
    return record;
  }

  /**
   * As {@link checkKey}, for the token of a sign-in link, which is used up.
   * @throws KaomonError TOO_MANY_REQUESTS
   */
  async function checkLink(request: FastifyRequest, token: string): Promise<KeyRecord | undefined> {
    const record = await links.redeem(token);
    if (!record) attempts.wrong(addressOf(request));
    return record;
  }

  async function identify(request: FastifyRequest): Promise<Caller> {
    if (auth === 'none') return NOBODY;
    const { access, metricsToken: byToken } = request.routeOptions.config;
    const key = keyOf(request);
    if (byToken && metricsToken && key && sameText(key, metricsToken)) return METRICS;
    if (key !== undefined) {
      try {
        const record = await checkKey(request, key);
        if (record) {
          shown.set(request, { record });
          return callerOf(record, 'key');
        }
      } catch (error) {
        if (access !== 'public') throw error;
      }
      if (access === 'public') return STRANGER;
      throw new KaomonError('UNAUTHORISED', 'This key is not valid, or not any more.');
    }
    const token = request.cookies[cookieName(request)];
    const session = token === undefined ? undefined : await sessions.check(token);
    if (!session || token === undefined) return STRANGER;
    shown.set(request, { token });
    signedIn.set(request, session);
    return callerOf(session.record, 'session');
  }

  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) return;
    const caller = await identify(request).catch((error: unknown) => {
      if (error instanceof KaomonError && error.code === 'UNAUTHORISED') askForKey(reply);
      throw error;
    });
    callers.set(request, caller);
    const { access = 'admin' } = request.routeOptions.config;
    const changes = !SAFE_METHODS.has(request.method);
    // What a browser adds by itself must not be usable by another site's page, nor by it through a server without keys.
    const ambient = caller.via !== 'key' && caller.via !== 'token';
    if (ambient && (changes || isUpgrade(request)) && foreign(request)) {
      throw new KaomonError('FORBIDDEN', "Another site's page may not do this (see CORS_ORIGINS).");
    }
    if (access === 'public') return;
    if (caller.via === 'nothing') {
      askForKey(reply);
      throw new KaomonError('UNAUTHORISED', 'Sign in, or send a key as x-api-key.');
    }
    if (!covers(caller.role, access)) {
      throw new KaomonError('FORBIDDEN', `This needs the role "${access}"; the key's is "${caller.role}".`);
    }
    const session = signedIn.get(request);
    if (session && changes && !sameText(csrfOf(request), session.csrf)) {
      throw new KaomonError('FORBIDDEN', 'The header x-csrf-token is missing or not that of this session.');
    }
  });

  return {
    checkKey,
    checkLink,
    /**
     * Whether a request that was let in still would be: for what lasts.
     * @throws KaomonError STORE_UNAVAILABLE
     */
    async isInForce(request: FastifyRequest): Promise<boolean> {
      const what = shown.get(request);
      if (!what) return true;
      if ('token' in what) return (await sessions.check(what.token)) !== undefined;
      const { id, hash } = what.record;
      return (await keys.byId(id))?.hash === hash;
    },
    /** The page's session, when the request came with one. */
    sessionOf: (request: FastifyRequest) => signedIn.get(request),
  };
}

export function callerOf({ id, name, role, groups }: KeyRecord, via: 'key' | 'session'): Caller {
  return { name, keyId: id, role, groups: groups ? new Set(groups) : undefined, via };
}

/** Over HTTPS a name that only this very host can set. */
export function cookieName(request: FastifyRequest): string {
  return request.protocol === 'https' ? '__Host-kaomon' : 'kaomon';
}

function askForKey(reply: { header: (name: string, value: string) => unknown }): void {
  reply.header('www-authenticate', 'Bearer realm="kaomon"');
}

function keyOf({ headers }: FastifyRequest): string | undefined {
  const given = headers['x-api-key'];
  if (typeof given === 'string') return given;
  return /^Bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1];
}

function csrfOf({ headers }: FastifyRequest): string {
  const given = headers['x-csrf-token'];
  return typeof given === 'string' ? given : '';
}

function isUpgrade({ headers }: FastifyRequest): boolean {
  return headers.upgrade !== undefined;
}

/** Whether a browser says that the request comes from another site's page. Programs send no Origin. */
function isForeign(request: FastifyRequest, origins: readonly string[]): boolean {
  const { origin } = request.headers;
  if (origin === undefined || origins.includes(origin)) return false;
  const host = URL.canParse(origin) ? new URL(origin).host : '';
  const own = URL.canParse(`${request.protocol}://${request.host}`)
    ? new URL(`${request.protocol}://${request.host}`).host
    : '';
  return host === '' || host !== own;
}
