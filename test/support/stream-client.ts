import { once } from 'node:events';
import WebSocket from 'ws';
import type { ServerMessage } from '../../src/stream/protocol.js';

export type Message<T extends ServerMessage['type']> = Extract<ServerMessage, { type: T }>;

/** A client of the stream that keeps what it was told. */
export interface StreamClient {
  socket: WebSocket;
  /** Everything received so far, `hello` first. */
  received: ServerMessage[];
  /** Resolves with the first message of that type, past or to come, that `fits`. */
  told<T extends ServerMessage['type']>(
    type: T,
    fits?: (message: Message<T>) => boolean,
  ): Promise<Message<T>>;
  /** Sends a frame and waits for its answer, whatever that is. */
  ask(frame: Uint8Array): Promise<ServerMessage>;
  options(options: object): void;
  /** Resolves with the close code. */
  closed: Promise<number>;
}

/** Connects; rejects with the server's status when it refuses. */
export async function openStream(url: string, options: WebSocket.ClientOptions = {}): Promise<StreamClient> {
  const socket = new WebSocket(url, options);
  const received: ServerMessage[] = [];
  const watchers = new Set<() => void>();
  let sent = 0;
  let isClosed = false;
  const wake = () => {
    for (const watch of [...watchers]) watch();
  };
  socket.on('message', (data: Buffer) => {
    received.push(JSON.parse(data.toString()) as ServerMessage);
    wake();
  });
  const closed = new Promise<number>((resolve) =>
    socket.once('close', (code) => {
      isClosed = true;
      resolve(code);
      wake();
    }),
  );
  socket.on('error', () => undefined);
  const refused = new Promise<never>((_, reject) =>
    socket.once('unexpected-response', (_request, response) => {
      response.resume();
      reject(Object.assign(new Error('refused'), { status: response.statusCode }));
      socket.terminate();
    }),
  );
  await Promise.race([once(socket, 'open'), refused]);

  const client: StreamClient = {
    socket,
    received,
    closed,
    told(type, fits = () => true) {
      return new Promise((resolve, reject) => {
        const watch = () => {
          const found = received.find((message) => message.type === type && fits(message as never));
          if (found) resolve(found as never);
          else if (isClosed) reject(new Error(`The stream closed without "${type}".`));
          if (found || isClosed) watchers.delete(watch);
        };
        watchers.add(watch);
        watch();
      });
    },
    async ask(frame) {
      const number = sent;
      client.socket.send(frame);
      return await new Promise((resolve, reject) => {
        const watch = () => {
          const found = received.find((message) => 'frame' in message && message.frame === number);
          if (found) resolve(found);
          else if (isClosed) reject(new Error(`The stream closed without an answer to frame ${number}.`));
          if (found || isClosed) watchers.delete(watch);
        };
        watchers.add(watch);
        watch();
      });
    },
    options: (more) => socket.send(JSON.stringify({ type: 'options', ...more })),
  };
  const send = socket.send.bind(socket) as (data: string | Uint8Array) => void;
  socket.send = (data: string | Uint8Array) => {
    if (typeof data !== 'string') sent += 1;
    send(data);
  };
  return client;
}
