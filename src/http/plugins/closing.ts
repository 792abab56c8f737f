import type { App } from '../app-type.js';

/**
 * Lets a server that is shutting down end: a connection whose request was in flight would otherwise stay open, idle,
 * until its keep-alive time is over.
 */
export function registerClosing(app: App): void {
  let closing = false;
  app.addHook('preClose', (done) => {
    closing = true;
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}
