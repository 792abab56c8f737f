import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { App } from '../app-type.js';
import { addressOf } from '../on-behalf.js';
import { shortPath } from '../paths.js';
import { createRepeats, type Repeats } from '../repeats.js';
import { surfaceOf } from '../surface.js';

const REQUEST_ID = /^[0-9A-Za-z_-]{1,64}$/;

declare module 'fastify' {
  interface FastifyInstance {
    /** For log lines that callers can cause. */
    repeats: Repeats;
  }
}

/** The request's ID: the one that a proxy gave it, if it may stand in a log line, else a new one. */
export function nameRequest({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/**
 * A line for each request, at `debug` when all is well (a camera page sends several frames a second). A refusal is logged
 * at `info` the first time; once a minute a line says how often it happened again. The error handler logs faults.
 */
export function registerRequestLog(app: App): void {
  const repeats = createRepeats();
  app.decorate('repeats', repeats);
  app.addHook('onClose', (_app, done) => {
    repeats.close();
    done();
  });
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { method } = request;
    const status = reply.statusCode;
    const { url } = request.routeOptions;
    const path = surfaceOf(request).namesInPath ? url : shortPath(request);
    const line = { method, path, status, ms: Math.round(reply.elapsedTime) };
    if (status < 400) request.log.debug(line, 'Answered');
    else {
      const route = request.is404 ? 'none' : (url ?? 'none');
      const address = addressOf(request);
      repeats.tell(
        `${status} ${method} ${route} ${address}`,
        () => request.log.info({ ...line, address }, 'Refused'),
        (times) => app.log.info({ method, route, status, address, times }, 'Refused again'),
      );
    }
    done();
  });
}
