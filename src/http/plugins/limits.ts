import cors from '@fastify/cors';
import rateLimit from '@fastify/rate-limit';
import underPressure from '@fastify/under-pressure';
import { KaomonError } from '../../platform/errors.js';
import type { App } from '../app-type.js';
import { addressOf } from '../on-behalf.js';
import { rateStore } from './rate-store.js';

export interface LimitsOptions {
  /** Requests a minute of one key from one address; 0: no limit. */
  rateLimit: number;
  /** Milliseconds; 0: no limit. */
  maxEventLoopDelay: number;
  /** Bytes; 0: no limit. */
  maxHeapBytes: number;
}

/** The delay is measured over this many times the largest one allowed. */
const SAMPLES = 2.5;
/** Seconds a caller is asked to wait while the process is overloaded. */
const RETRY_AFTER = 5;
/** After this time a browser asks again whether it may call from another origin, seconds. */
const PREFLIGHT_LASTS = 600;

/**
 * Limits how often one caller may ask and how much this process takes on. Registered before the routes, so that it holds
 * for each; a route with a limit of its own sets `config.rateLimit`.
 */
export async function registerLimits(app: App, options: LimitsOptions): Promise<void> {
  const sampleInterval = Math.max(1000, options.maxEventLoopDelay * SAMPLES);
  let startedBy = Infinity;
  app.addHook('onReady', (done) => {
    startedBy = performance.now() + 2 * sampleInterval;
    done();
  });
  await app.register(underPressure, {
    maxEventLoopDelay: options.maxEventLoopDelay,
    // A sample in which the loop turned only once counts as an endless delay: one short stall must not be enough.
    sampleInterval,
    maxHeapUsedBytes: options.maxHeapBytes,
    pressureHandler: (request, _reply, type) => {
      // The first samples include the start itself, which keeps the loop busy: a new worker is not overloaded.
      if (type === underPressure.TYPE_EVENT_LOOP_DELAY && performance.now() < startedBy) return;
      // Health and the pages' files cost next to nothing, and whoever looks after an overloaded server needs them.
      if (request.routeOptions.config.access === 'public') return;
      throw new KaomonError('BUSY', 'The server is overloaded: try again in a moment.', {
        retryAfter: RETRY_AFTER,
      });
    },
  });
  await app.register(rateLimit, {
    global: options.rateLimit > 0,
    max: options.rateLimit,
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
