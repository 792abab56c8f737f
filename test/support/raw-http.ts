import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** A connection on which a test says what no client library would. */
export interface RawConnection {
  socket: Socket;
  /** Writes a request's head, and perhaps some of its body. */
  send: (head: readonly string[], body?: string | Uint8Array) => void;
  /** The next answer's head, as soon as it is there. */
  answer: () => Promise<{ status: number; headers: Record<string, string>; text: () => string }>;
  /** Forgets what has been received: the next answer is that of the next request. */
  skip: () => void;
  /** Resolves when the server has ended the connection. */
  closed: Promise<void>;
}

export async function connectRaw(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  let isClosed = false;
  const watchers = new Set<() => void>();
  const wake = () => {
    for (const watch of [...watchers]) watch();
  };
  socket.setEncoding('latin1');
  socket.on('data', (chunk: string) => {
    text += chunk;
    wake();
  });
  socket.on('error', () => undefined);
  const closed = new Promise<void>((resolve) =>
    socket.once('close', () => {
      isClosed = true;
      resolve();
      wake();
    }),
  );
  await once(socket, 'connect');
  return {
    socket,
    closed,
    send(head, body = '') {
      socket.write(`${[...head, 'host: localhost'].join('\r\n')}\r\n\r\n`);
      if (body.length > 0) socket.write(body);
    },
    skip() {
      text = '';
    },
    answer() {
      return new Promise((resolve, reject) => {
        const watch = () => {
          const end = text.indexOf('\r\n\r\n');
          if (end < 0 && !isClosed) return;
          watchers.delete(watch);
          if (end < 0) {
            reject(new Error('The server ended the connection without an answer.'));
            return;
          }
          const [line, ...lines] = text.slice(0, end).split('\r\n');
          text = text.slice(end + 4);
          const headers = lines.map((one): [string, string] => {
            const colon = one.indexOf(':');
            return [one.slice(0, colon).toLowerCase(), one.slice(colon + 1).trim()];
          });
          resolve({
            status: Number(line.split(' ')[1]),
            headers: Object.fromEntries(headers),
            text: () => text,
          });
        };
        watchers.add(watch);
        watch();
      });
    },
  };
}
