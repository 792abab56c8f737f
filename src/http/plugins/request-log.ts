import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { App } from '../app-type.js';

const REQUEST_ID = /^[0-9A-Za-z_-]{1,64}$/;

/** The request's ID: the proxy's when it is fit for a log line, else a new one. */
export function nameRequest({ headers }: Pick<IncomingMessage, 'headers'>): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/**
 * One line a request, at `debug` when all is well (a camera page sends several frames a second), at `info` when the
 * caller was refused. Faults are logged whole by the error handler.
 */
export function registerRequestLog(app: App): void {
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const line = {
      method: request.method,
      path: request.url.split('?', 1)[0],
      status: reply.statusCode,
      ms: Math.round(reply.elapsedTime),
    };
    if (reply.statusCode >= 400) request.log.info(line, 'Refused');
    else request.log.debug(line, 'Answered');
    done();
  });
}
