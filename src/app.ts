import path from 'node:path';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, {
  type FastifyBaseLogger,
  type FastifyServerOptions,
  LogController,
  type RouteOptions,
} from 'fastify';
import { createAttempts } from './access/attempts.js';
import { AUTOMATIC, createAudit } from './access/audit.js';
import { createKeys, type Keys } from './access/keys.js';
import { createLinks } from './access/links.js';
import { createSessions } from './access/sessions.js';
import { hostNames } from './platform/addresses.js';
import { type Config, enrolLimits } from './settings/config.js';
import type { EventState } from './gallery/open.js';
import { splitFaceId } from './gallery/ids.js';
import type { Gallery } from './gallery/types.js';
import type { App } from './http/app-type.js';
import { answerError, answerNotFound } from './http/error-handler.js';
import { registerJson, validatorCompiler } from './http/intake/json.js';
import { registerInForce } from './http/plugins/in-force.js';
import { registerKnownAddresses } from './http/plugins/known-addresses.js';
import { registerAddresses } from './http/plugins/addresses.js';
import { registerAudit } from './http/plugins/audit.js';
import { registerAuthentication } from './http/plugins/authentication.js';
import { registerClosing } from './http/plugins/closing.js';
import { registerCors, registerLimits } from './http/plugins/limits.js';
import { JSON_WEIGHT, limitConnections, registerInFlight } from './http/plugins/in-flight.js';
import { registerHosts } from './http/plugins/hosts.js';
import { registerMultipart } from './http/plugins/multipart.js';
import { registerOpenApi } from './http/plugins/openapi.js';
import { nameRequest, registerRequestLog } from './http/plugins/request-log.js';
import { pictureBodyLimit } from './http/intake/pictures.js';
import { registerRouteAccess } from './http/plugins/route-access.js';
import { registerSecurityHeaders } from './http/plugins/security-headers.js';
import { registerStaticFiles } from './http/plugins/static-files.js';
import { registerWebsocket } from './http/plugins/websocket.js';
import { compreFaceRoutes } from './http/compreface/index.js';
import { maifaceRoutes } from './http/maiface/index.js';
import { pageRoutes } from './http/pages.js';
import { healthRoutes } from './http/v1/health.js';
import { v1Routes } from './http/v1/index.js';
import { metricsRoutes } from './http/v1/metrics.js';
import { statusRoutes } from './http/v1/status.js';
import { createMetrics } from './metrics/metrics.js';
import { registerMetrics } from './http/plugins/metrics.js';
import { keyRoutes } from './http/v1/keys.js';
import { sessionRoutes } from './http/v1/session.js';
import { streamRoutes } from './http/v1/stream.js';
import type { ReadyPack } from './models/types.js';
import { createAutoEnroller } from './identity/auto-enrol.js';
import { createDecision } from './identity/decision.js';
import type { DetectLog } from './identity/detect-log.js';
import { createEnroller } from './identity/enrol.js';
import { createIdentifier } from './identity/identify.js';
import { createSightings } from './identity/sightings.js';
import { createVerifier } from './identity/verify.js';
import { createShares } from './platform/shares.js';
import type { VisionPool } from './vision/types.js';

/** A JSON body's limit, bytes; pictures come as forms, with a limit of their own. */
const MAX_JSON_BYTES = 1_000_000;
/** A request's headers must have come in within this time, milliseconds; its body has a least rate instead. */
const HEADERS_TIMEOUT = 15_000;
/** How often Node looks for those that have not. */
const HEADERS_CHECK = 5000;
/** And the handshake before them. */
const HANDSHAKE_TIMEOUT = 15_000;

export interface AppDeps {
  config: Config;
  vision: VisionPool;
  gallery: Gallery;
  pack: ReadyPack;
  /** How the gallery follows other workers. */
  events?: EventState;
  logger?: FastifyBaseLogger;
  /** Told of who was recognised; the caller closes it. */
  detectLog?: DetectLog;
  /** Key and certificate (PEM); without them the server speaks HTTP. */
  https?: { key: string; cert: string };
  /** Who may call; left out: the keys in `KEYS_FILE`. */
  keys?: Keys;
  /** Over so long a body's rate is taken, milliseconds: for tests. */
  bodyWindow?: number;
  /** How often it is asked whether keys and sessions are still in force, milliseconds: for tests. */
  heartbeat?: number;
  /** Told of each route as it is registered: for tests that walk them all. */
  onRoute?: (route: RouteOptions) => void;
}

/**
 * Puts the server together, ready to listen or to be injected into. It closes none of what it is given: who opened it
 * does, after `app.close()`.
 */
export async function buildApp(deps: AppDeps): Promise<App> {
  const { config, gallery, pack, events, logger, detectLog, https } = deps;
  const metrics = createMetrics({
    ...deps,
    ...(config.WORKERS > 1 && {
      sharing: {
        folder: path.join(config.CACHE_DIR, 'metrics'),
        warn: (message) => logger?.warn(message),
      },
    }),
  });
  // From here on all that is asked of them is measured.
  const { vision, nearest } = metrics;
  const { keys = createKeys({ file: config.KEYS_FILE }) } = deps;
  const options: FastifyServerOptions = {
    ...(logger && { loggerInstance: logger }),
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: nameRequest,
    trustProxy: config.TRUST_PROXY || false,
    // Bodies have a least rate (in-flight.ts): an archive may take an hour, a sign-in must not take a minute.
    requestTimeout: 0,
    bodyLimit: MAX_JSON_BYTES,
    // A CompreFace subject of 255 characters stands in the address, nine coded bytes each at most.
    routerOptions: { maxParamLength: 2300 },
    // A request that came in before the last connection closed is answered, not refused.
    return503OnClosing: false,
    frameworkErrors: answerError,
  };
  const waits = { headersTimeout: HEADERS_TIMEOUT, connectionsCheckingInterval: HEADERS_CHECK };
  const server = https
    ? { https: { ...https, ...waits, handshakeTimeout: HANDSHAKE_TIMEOUT } }
    : { http: waits };
  const app: App = fastify({ ...options, ...server } as FastifyServerOptions)
    .withTypeProvider<TypeBoxTypeProvider>()
    .setValidatorCompiler(validatorCompiler);
  registerJson(app);

  const auth = config.AUTH;
  const origins = config.CORS_ORIGINS.split(',').filter(Boolean);
  const streamOrigins = config.STREAM_ORIGINS.split(',').filter(Boolean);
  const sessions = createSessions({ keys, days: config.SESSION_DAYS });
  const share = config.CALLER_SHARE / 100;
  const bytes = createShares({
    total: Math.max(config.MAX_BYTES_IN_FLIGHT, JSON_WEIGHT * pictureBodyLimit(config.MAX_UPLOAD_BYTES)),
    ...{ share, retryAfter: 2 },
    full: 'Too much is being sent to this server at the moment',
    mine: 'This caller is sending too much at once',
  });
  limitConnections(app, { most: config.MAX_CONNECTIONS, share: config.TRUST_PROXY ? 1 : share });

  registerAddresses(app);
  registerKnownAddresses(app);
  // First: an upgrade that another plugin refuses must be known as one, or its connection stays. The limit is
  // twice a frame: one that is a little too large gets an answer, one that is far too large is not read at all.
  await registerWebsocket(app, config.MAX_UPLOAD_BYTES * 2);
  await registerSecurityHeaders(app);
  registerInFlight(app, {
    ...{ bytes, minRate: config.MIN_BODY_RATE, maxDrained: config.MAX_UPLOAD_BYTES },
    ...(deps.bodyWindow !== undefined && { window: deps.bodyWindow }),
  });
  registerRequestLog(app);
  registerHosts(app, {
    own: hostNames(config.HOST),
    allowed: config.ALLOWED_HOSTS.toLowerCase().split(',').filter(Boolean),
    open: auth === 'none',
  });
  registerMetrics(app, metrics);
  const audit = createAudit({ file: config.AUDIT_FILE, ...(logger && { log: logger }) });
  registerAudit(app, audit);
  registerRouteAccess(app, deps.onRoute);
  await registerCors(app, origins);
  await registerLimits(app, {
    rateLimit: config.RATE_LIMIT,
    maxEventLoopDelay: config.MAX_EVENT_LOOP_DELAY,
    maxHeapBytes: config.MAX_HEAP_BYTES,
  });
  const authentication = await registerAuthentication(app, {
    auth,
    keys,
    links: createLinks({ file: keys.file }),
    sessions,
    attempts: createAttempts(config.AUTH_FAILURES),
    metricsToken: config.METRICS_TOKEN,
    origins,
    streamOrigins,
  });
  const inForce = registerInForce(app, {
    isInForce: (request) => authentication.isInForce(request),
    ...(deps.heartbeat !== undefined && { every: deps.heartbeat }),
  });
  await registerMultipart(app, config.MAX_UPLOAD_BYTES);
  await registerOpenApi(app);
  await registerStaticFiles(app);

  registerClosing(app);

  app.setErrorHandler(answerError);
  app.setNotFoundHandler(answerNotFound);

  const decision = createDecision({ pack, config, gallery });
  const enroller = createEnroller({
    vision,
    gallery,
    nearest,
    limits: enrolLimits(config),
    decision,
    doubleSeconds: config.DOUBLE_REGISTRATION_SECONDS,
    keepFaces: config.KEEP_FACES,
  });
  const autoEnroller = config.AUTO_ENROL
    ? createAutoEnroller({
        gallery,
        enroller,
        // Nobody is saved who is not named, in the whole gallery, wherever was searched.
        distance: () => Math.min(config.SAVE_DISTANCE ?? decision.sure(), decision.threshold()),
        interval: config.SAVE_INTERVAL,
        minimum: config.SAVE_MINIMUM,
        maximum: config.SAVE_MAXIMUM,
        log: app.log,
        onSaved: ({ faceid, id }) => {
          const whom = { ...splitFaceId(faceid), faces: [id] };
          void audit.record({ ...AUTOMATIC, action: 'enrol', whom, outcome: 'done' });
        },
      })
    : undefined;
  const sightings = createSightings();
  const identifier = createIdentifier({
    ...{ vision, gallery, nearest, decision, sightings, autoEnroller, detectLog },
  });
  const verifier = createVerifier({
    vision,
    nearest,
    decision,
    pack: { id: pack.id, length: pack.embedder.length },
  });

  pageRoutes(app);
  maifaceRoutes(app, {
    ...{ gallery, identifier, enroller },
    maxUploadBytes: config.MAX_UPLOAD_BYTES,
  });
  healthRoutes(app, { vision, gallery, pack, decision, audit, ...(events && { events }) });
  v1Routes(app, {
    ...{ vision, gallery, pack, identifier, verifier, enroller, sightings },
    ...{ cacheDir: config.CACHE_DIR, maxImportBytes: config.MAX_IMPORT_BYTES },
    ...(config.FETCH_URLS && { fetchUrls: { ports: config.FETCH_PORTS.split(',').map(Number) } }),
    ...{ maxListeners: config.MAX_EVENT_LISTENERS, share },
    maxUploadBytes: config.MAX_UPLOAD_BYTES,
  });
  streamRoutes(app, {
    ...{ vision, identifier, gallery, pack, decision },
    maxUploadBytes: config.MAX_UPLOAD_BYTES,
    minFaceSize: config.STREAM_MIN_FACE_SIZE,
    ...{ maxStreams: config.MAX_STREAMS, share, bytes, minRate: config.MIN_BODY_RATE },
    origins: streamOrigins,
    inForce,
  });
  compreFaceRoutes(app, {
    ...{ vision, gallery, identifier, enroller, pack },
    group: config.COMPREFACE_GROUP,
    maxUploadBytes: config.MAX_UPLOAD_BYTES,
  });
  sessionRoutes(app, { auth, authentication, sessions });
  keyRoutes(app, { keys });
  statusRoutes(app, {
    ...{ vision, gallery, pack, decision, metrics, audit, workers: config.WORKERS },
    ...(deps.events && { events: deps.events }),
  });
  metricsRoutes(app, { metrics });
  return app;
}
