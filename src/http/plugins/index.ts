import type { RouteOptions } from 'fastify';
import { hostNames } from '../../platform/addresses.js';
import type { App } from '../app-type.js';
import type { Services } from '../services.js';
import { registerAddresses } from './addresses.js';
import { registerAudit } from './audit.js';
import { registerAuthentication } from './authentication.js';
import { registerChanges } from './changes.js';
import { registerClosing } from './closing.js';
import { registerHosts } from './hosts.js';
import { limitConnections, registerInFlight } from './in-flight.js';
import { registerInForce } from './in-force.js';
import { registerKnownAddresses } from './known-addresses.js';
import { registerCors, registerRateLimit } from './limits.js';
import { registerMetrics } from './metrics.js';
import { registerMultipart } from './multipart.js';
import { registerOpenApi } from './openapi.js';
import { registerOverload } from './overload.js';
import { registerRequestLog } from './request-log.js';
import { registerRouteAccess } from './route-access.js';
import { registerSecurityHeaders } from './security-headers.js';
import { registerSlices } from './slices.js';
import { registerStaticFiles } from './static-files.js';
import { registerWebsocket } from './websocket.js';

export interface PluginOptions {
  /** Over so long a body's rate is taken, milliseconds: for tests. */
  bodyWindow?: number;
  /** How often it is asked whether keys and sessions are still in force, milliseconds: for tests. */
  heartbeat?: number;
  /** Told of each route as it is registered: for tests that walk them all. */
  onRoute?: (route: RouteOptions) => void;
}

/** What holds for every request, before any route is registered. The order is the order in which a request meets them. */
export async function registerPlugins(app: App, services: Services, options: PluginOptions): Promise<void> {
  const { config, audit, bytes, metrics, share } = services;
  const origins = listOf(config.CORS_ORIGINS);
  limitConnections(app, { most: config.MAX_CONNECTIONS, share: config.TRUST_PROXY ? 1 : share });
  registerAddresses(app);
  registerKnownAddresses(app);
  // First: an upgrade that another plugin refuses must be known as one, or its connection stays. The limit is
  // twice a frame: one that is a little too large gets an answer, one that is far too large is not read at all.
  await registerWebsocket(app, config.MAX_UPLOAD_BYTES * 2);
  await registerSecurityHeaders(app);
  registerInFlight(app, {
    bytes,
    minRate: config.MIN_BODY_RATE,
    maxDrained: config.MAX_UPLOAD_BYTES,
    window: options.bodyWindow,
  });
  registerRequestLog(app);
  registerHosts(app, {
    own: hostNames(config.HOST),
    allowed: listOf(config.ALLOWED_HOSTS.toLowerCase()),
    open: config.AUTH === 'none',
  });
  registerMetrics(app, metrics);
  registerAudit(app, audit);
  registerRouteAccess(app, options.onRoute);
  await registerCors(app, origins);
  registerOverload(app, {
    maxEventLoopDelay: config.MAX_EVENT_LOOP_DELAY,
    maxHeapBytes: config.MAX_HEAP_BYTES,
  });
  await registerRateLimit(app, config.RATE_LIMIT);
  await registerAuthentication(app, services, { calls: origins, streams: listOf(config.STREAM_ORIGINS) });
  registerInForce(app, options.heartbeat);
  await registerMultipart(app, config.MAX_UPLOAD_BYTES);
  await registerOpenApi(app);
  await registerStaticFiles(app);
  registerChanges(app, services.enrolments);
  registerSlices(app);
  registerClosing(app);
}

/** What a setting lists, separated by commas. */
function listOf(setting: string): string[] {
  return setting.split(',').filter(Boolean);
}
