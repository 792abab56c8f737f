import websocket from '@fastify/websocket';
import type { WebSocket } from 'ws';
import type { App } from '../app-type.js';

/** How long a client has to answer the server's close before it is cut off, milliseconds. */
const GOODBYE = 2000;
/** "Going away": the client may come back. */
export const GOING_AWAY = 1001;

/**
 * WebSocket connections. When the server shuts down, each gets a `bye` and a close, and one that does not answer is cut
 * off: a server that closes waits for them.
 * @param maxBytes largest message; a larger one ends its connection (1009) before it is in memory
 */
export async function registerWebsocket(app: App, maxBytes: number): Promise<void> {
  await app.register(websocket, {
    // Frames are JPEG: there is nothing left to compress.
    options: { maxPayload: maxBytes, perMessageDeflate: false },
    errorHandler(error, socket, request) {
      request.log.debug({ err: error }, 'A stream broke');
      socket.terminate();
    },
    preClose(done) {
      sayGoodbye([...app.websocketServer.clients]).then(() => {
        app.websocketServer.close();
        done();
      }, done);
    },
  });
}

async function sayGoodbye(sockets: WebSocket[]): Promise<void> {
  const gone = sockets.map(
    (socket) =>
      new Promise<void>((resolve) => {
        if (socket.readyState === socket.CLOSED) resolve();
        else socket.once('close', () => resolve());
      }),
  );
  for (const socket of sockets) {
    // A slow reader's socket may be paused: the client's answer would not be seen.
    socket.resume();
    socket.send(
      JSON.stringify({ type: 'bye', reason: 'The server is shutting down: connect again in a moment.' }),
      () => undefined,
    );
    socket.close(GOING_AWAY, 'The server is shutting down');
  }
  const timer = setTimeout(() => {
    for (const socket of sockets) socket.terminate();
  }, GOODBYE);
  await Promise.all(gone);
  clearTimeout(timer);
}
