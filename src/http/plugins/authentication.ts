import cookie from '@fastify/cookie';
import type { FastifyRequest } from 'fastify';
import { createAttempts } from '../../access/attempts.js';
import type { KeyRecord } from '../../access/keys.js';
import { createLinks } from '../../access/links.js';
import { covers } from '../../access/roles.js';
import { sameText, type Session } from '../../access/sessions.js';
import { KaomonError } from '../../platform/errors.js';
import type { Caller } from '../access.js';
import type { App } from '../app-type.js';
import { addressOf } from '../on-behalf.js';
import type { Services } from '../services.js';

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
  interface FastifyInstance {
    authentication: Authentication;
  }
}

/** Origins besides the server's own whose pages may call. */
export interface Origins {
  /** Calls that change something. */
  calls: readonly string[];
  /** WebSockets. */
  streams: readonly string[];
}

/** Answers questions about keys, links and sessions; see {@link registerAuthentication}. */
export interface Authentication {
  /**
   * The record of a key; undefined: there is no such key.
   * @throws KaomonError TOO_MANY_REQUESTS
   */
  checkKey(request: FastifyRequest, key: string): Promise<KeyRecord | undefined>;
  /**
   * The same for the token of a sign-in link, which is used up.
   * @throws KaomonError TOO_MANY_REQUESTS
   */
  checkLink(request: FastifyRequest, token: string): Promise<KeyRecord | undefined>;
  /**
   * Whether a request that was let in still would be: for requests that go on for long.
   * @throws KaomonError STORE_UNAVAILABLE
   */
  isInForce(request: FastifyRequest): Promise<boolean>;
  /** The page's session, when the request came with one. */
  sessionOf(request: FastifyRequest): Session | undefined;
}

/**
 * Finds out who is calling before the body is read, and refuses those whom the route's `access` does not let in.
 * WebSocket upgrades are requests like any other here.
 */
export async function registerAuthentication(
  app: App,
  { config, keys, sessions, lastUse }: Pick<Services, 'config' | 'keys' | 'sessions' | 'lastUse'>,
  origins: Origins,
): Promise<void> {
  const { AUTH: auth, METRICS_TOKEN: metricsToken } = config;
  const attempts = createAttempts(config.AUTH_FAILURES);
  const links = createLinks({ file: keys.file });
  const callers = new WeakMap<FastifyRequest, Caller>();
  const signedIn = new WeakMap<FastifyRequest, Session>();
  /** What let a request in. */
  const shown = new WeakMap<FastifyRequest, { record: KeyRecord } | { token: string }>();

  await app.register(cookie);
  app.decorateRequest('caller', {
    getter() {
      return callers.get(this) ?? STRANGER;
    },
  });

  async function checkKey(request: FastifyRequest, key: string): Promise<KeyRecord | undefined> {
    const address = addressOf(request);
    const record = await keys.verify(key, (work) => attempts.costly(address, work));
    // Only a key that is known to be wrong counts.
    if (!record) attempts.countWrong(address);
    return record;
  }

  async function checkLink(request: FastifyRequest, token: string): Promise<KeyRecord | undefined> {
    const record = await links.redeem(token);
    if (!record) attempts.countWrong(addressOf(request));
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
          lastUse.touch(record.id);
          return callerOf(record, 'key');
        }
      } catch (error) {
        if (access !== 'public') throw error;
      }
      if (access === 'public') return STRANGER;
      throw new KaomonError('UNAUTHORISED', 'This key is not valid, or no longer.');
    }
    const token = request.cookies[cookieName(request)];
    const session = token === undefined ? undefined : await sessions.check(token);
    if (!session || token === undefined) return STRANGER;
    shown.set(request, { token });
    signedIn.set(request, session);
    lastUse.touch(session.record.id);
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
    // Another site's page must not use what a browser adds by itself, nor a server that asks for no key.
    const ambient = caller.via !== 'key' && caller.via !== 'token';
    if (ambient && (changes || isUpgrade(request))) refuseForeign(request, origins);
    if (access === 'public') return;
    if (caller.via === 'nothing') {
      askForKey(reply);
      throw new KaomonError('UNAUTHORISED', 'Sign in, or send a key as x-api-key.');
    }
    if (!covers(caller.role, access)) {
      throw new KaomonError('FORBIDDEN', `This needs the role "${access}"; the key's is "${caller.role}".`, {
        details: { role: caller.role, needs: access },
      });
    }
    const session = signedIn.get(request);
    if (session && changes && !sameText(csrfOf(request), session.csrf)) {
      throw new KaomonError('FORBIDDEN', 'The header x-csrf-token is missing or not that of this session.');
    }
  });

  app.addHook('onClose', () => lastUse.close());
  app.decorate('authentication', {
    checkKey,
    checkLink,
    async isInForce(request) {
      const what = shown.get(request);
      if (!what) return true;
      // What goes on for long keeps the groups that it began with: a key that was tied to others has to begin anew.
      const { groups } = request.caller;
      const hasGroups = (record: KeyRecord) => String(record.groups) === String(groups ? [...groups] : null);
      if ('token' in what) {
        const session = await sessions.check(what.token);
        return session !== undefined && hasGroups(session.record);
      }
      const { id, hash } = what.record;
      const record = await keys.byId(id);
      return record?.hash === hash && hasGroups(record);
    },
    sessionOf: (request) => signedIn.get(request),
  });
}

export function callerOf({ id, name, role, groups }: KeyRecord, via: 'key' | 'session'): Caller {
  return { name, keyId: id, role, groups: groups ? new Set(groups) : undefined, via };
}

/** Over HTTPS with a prefix that lets only this very host set it. */
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

/**
 * A browser says in `Origin` which page asks, and lets any page open a WebSocket anywhere. Own pages are those of the
 * host that the request is for, as the proxy that is trusted names it, whatever port is the usual one.
 * @throws KaomonError FORBIDDEN when it is another site's page
 */
function refuseForeign(request: FastifyRequest, { calls, streams }: Origins): void {
  const { origin } = request.headers;
  const upgrade = isUpgrade(request);
  if (origin === undefined || (upgrade ? streams : calls).includes(origin)) return;
  const host = hostOf(origin);
  if (host !== '' && host === hostOf(`${request.protocol}://${request.host}`)) return;
  throw new KaomonError(
    'FORBIDDEN',
    upgrade
      ? "Another site's page may not connect: the setting STREAM_ORIGINS lists those that may."
      : "Another site's page may not do this: the setting CORS_ORIGINS lists those that may.",
  );
}

/** Without the port where it is the scheme's own; '' where it is no address. */
function hostOf(address: string): string {
  return URL.canParse(address) ? new URL(address).host : '';
}
