import type { Socket } from 'node:net';
import type { App } from '../app-type.js';

/** A connection that has just been opened has this long to ask for something, milliseconds. */
const GRACE = 2000;

/**
 * Lets a server that is shutting down end. A connection whose request was in flight would otherwise stay open, idle,
 * until its keep-alive time is over; and so would one that was opened and never used, as browsers open them in advance.
 */
export function registerClosing(app: App): void {
  let closing = false;
  /** Connections on which nothing has been asked, by their clients' ends: a TLS socket is not the connection's own. */
  const unused = new Map<string, Socket>();
  const endOf = ({ remoteAddress, remotePort }: Socket) => `${remoteAddress} ${remotePort}`;
  const markUsed = ({ socket }: { socket: Socket }) => void unused.delete(endOf(socket));

  app.server.on('connection', (socket: Socket) => {
    const end = endOf(socket);
    unused.set(end, socket);
    socket.once('close', () => unused.delete(end));
  });
  app.server.on('request', markUsed);
  app.server.on('upgrade', markUsed);
  app.addHook('preClose', (done) => {
    closing = true;
    const cutUnused = () => {
      for (const socket of unused.values()) socket.destroy();
    };
    setTimeout(cutUnused, GRACE).unref();
    done();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing) reply.header('connection', 'close');
    done(null, payload);
  });
}
