import type { Socket } from 'node:net';
import type { App } from '../app-type.js';

/**
 * Lets a server that is shutting down end. A connection whose request was in flight would otherwise stay open, idle,
 * until its keep-alive time is over; and so would one that was opened and never used, as browsers open them in advance.
 */
export function registerClosing(app: App): void {
  let closing = false;
  /** Connections on which nothing has been asked. */
  const unused = new Set<Socket>();
  const markUsed = ({ socket }: { socket: Socket }) => void unused.delete(socket);

  app.server.on(app.initialConfig.https ? 'secureConnection' : 'connection', (socket: Socket) => {
    if (closing) socket.destroy();
    unused.add(socket);
    socket.once('close', () => unused.delete(socket));
  });
  app.server.on('request', markUsed);
  app.server.on('upgrade', markUsed);
  app.addHook('preClose', (done) => {
    closing = true;
    for (const socket of unused) socket.destroy();
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}
