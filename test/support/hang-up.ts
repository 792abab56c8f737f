import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { App } from '../../src/http/app-type.js';

/** Whole requests whose senders are gone, by a reset, before anybody answers. */
export interface HangUp {
  /** Awaited in the server, where a test wants the sender to go: resolves when the server has seen it go. */
  here: () => Promise<void>;
  /** Sends a request and resets the connection when the server has come {@link here}. */
  send: (head: readonly string[], body?: Uint8Array) => Promise<void>;
}

/** @param tls the app speaks HTTPS, by whatever certificate */
export function hangUp(app: App, { tls = false } = {}): HangUp {
  let arrived: () => void = () => undefined;
  let closed: Promise<unknown> | undefined;
  app.server.on('connection', (socket) => {
    closed = new Promise((resolve) => socket.once('close', resolve));
  });
  return {
    async here() {
      arrived();
      await closed;
      // What the request and its answer make of it comes in the turns after it.
      for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    },
    async send(head, body = new Uint8Array()) {
      const { port } = app.server.address() as AddressInfo;
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      await once(socket, 'connect');
      const isThere = new Promise<void>((resolve) => (arrived = resolve));
      let writer: { write: (data: string | Uint8Array) => boolean } = socket;
      if (tls) {
        const over = connectTls({ socket, rejectUnauthorized: false });
        over.on('error', () => undefined);
        await once(over, 'secureConnect');
        writer = over;
      }
      const length = body.length > 0 ? [`content-length: ${body.length}`] : [];
      writer.write(`${[...head, 'host: localhost', ...length].join('\r\n')}\r\n\r\n`);
      writer.write(body);
      await isThere;
      socket.resetAndDestroy();
      arrived = () => undefined;
    },
  };
}
