import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyBaseLogger, type FastifyServerOptions, LogController } from 'fastify';
import type { App } from './http/app-type.js';
import { compreFaceSurface } from './http/compreface/index.js';
import { documentRoutes } from './http/document.js';
import { answerError, answerErrors } from './http/error-handler.js';
import { registerJson, validatorCompiler } from './http/intake/json.js';
import { maifaceSurface } from './http/maiface/index.js';
import { answerUnknown, pageRoutes } from './http/pages.js';
import { type PluginOptions, registerPlugins } from './http/plugins/index.js';
import { nameRequest } from './http/plugins/request-log.js';
import { serializerCompiler } from './http/serializer.js';
import { createServices, type ServicesDeps } from './http/services.js';
import { v1 } from './http/v1/format.js';
import { v1Surface } from './http/v1/index.js';

/** Largest JSON body, bytes; routes that take pictures have a limit of their own. */
const MAX_JSON_BYTES = 1_000_000;
/** A request's headers must arrive within this time, milliseconds; its body has a minimum rate instead. */
const HEADERS_TIMEOUT = 15_000;
/** How often Node looks for requests whose headers have not, milliseconds. */
const HEADERS_CHECK = 5000;
/** The TLS handshake must be over within this time, milliseconds. */
const HANDSHAKE_TIMEOUT = 15_000;

export interface AppDeps extends Omit<ServicesDeps, 'log'>, PluginOptions {
  /** Left out: nothing is logged. */
  logger?: FastifyBaseLogger;
  /** Key and certificate (PEM); without them the server speaks HTTP. */
  https?: { key: string; cert: string } | undefined;
}

/**
 * Puts the server together, ready to listen or to be injected into. It closes nothing that it is given: whoever opened
 * that closes it, after `app.close()`.
 */
export async function buildApp(deps: AppDeps): Promise<App> {
  const { config, logger, https } = deps;
  const options: FastifyServerOptions = {
    loggerInstance: logger,
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: nameRequest,
    trustProxy: config.TRUST_PROXY || false,
    // Bodies have a minimum rate (in-flight.ts): an archive may take an hour, a sign-in must not take a minute.
    requestTimeout: 0,
    bodyLimit: MAX_JSON_BYTES,
    // A CompreFace subject of up to 255 characters is part of the address, percent-encoded in up to nine bytes each.
    routerOptions: { maxParamLength: 2300 },
    // A request that came in before the last connection was closed is answered, not refused.
    return503OnClosing: false,
    frameworkErrors: answerError,
  };
  const waits = { headersTimeout: HEADERS_TIMEOUT, connectionsCheckingInterval: HEADERS_CHECK };
  const server = https
    ? { https: { ...https, ...waits, handshakeTimeout: HANDSHAKE_TIMEOUT } }
    : { http: waits };
  const app: App = fastify({ ...options, ...server } as FastifyServerOptions)
    .withTypeProvider<TypeBoxTypeProvider>()
    .setValidatorCompiler(validatorCompiler)
    .setSerializerCompiler(serializerCompiler);
  registerJson(app);
  answerErrors(app, v1);
  app.setNotFoundHandler(answerUnknown);

  const services = createServices({ ...deps, log: app.log });
  await registerPlugins(app, services, deps);
  app.addHook('onClose', () => services.close());
  pageRoutes(app);
  documentRoutes(app);
  v1Surface(app, services);
  maifaceSurface(app, services);
  compreFaceSurface(app, services);
  return app;
}
