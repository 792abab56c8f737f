import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import { KaomonError } from '../../platform/errors.js';
import type { App } from '../app-type.js';
import { addressOf } from '../on-behalf.js';
import { rateStore } from './rate-store.js';

/** After this time a browser asks again whether it may call from another origin, seconds. */
const PREFLIGHT_LASTS = 600;

/**
 * Limits how often one caller may ask. Registered before the routes, so that it holds for each; a route with a limit of its
 * own sets `config.rateLimit`.
 * @param perMinute requests of one key from one address; 0: no limit
 */
export async function registerRateLimit(app: App, perMinute: number): Promise<void> {
  await app.register(rateLimit, {
    global: perMinute > 0,
    max: perMinute,
    timeWindow: 60_000,
    store: rateStore(),
    // A hook of each route, so that it runs after the one that finds out who is calling.
    hook: 'onRequest',
    keyGenerator: (request) => `${request.caller.keyId} ${addressOf(request)}`,
    errorResponseBuilder: (_request, { max, ttl }) => {
      const seconds = Math.ceil(ttl / 1000);
      return new KaomonError(
        'TOO_MANY_REQUESTS',
        `More than ${max} requests a minute: try again in ${seconds} s.`,
        { retryAfter: seconds },
      );
    },
  });
}

/** Lets pages of the listed origins call. They send a key: cookies are not for them. */
export async function registerCors(app: App, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return;
  await app.register(cors, {
    origin: [...origins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    allowedHeaders: ['authorization', 'content-type', 'x-api-key', 'x-request-id'],
    exposedHeaders: ['retry-after', 'server-timing', 'x-faces-left-out', 'x-request-id'],
    maxAge: PREFLIGHT_LASTS,
  });
}
