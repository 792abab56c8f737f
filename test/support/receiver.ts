import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import type { Notice } from '../../src/notices/types.js';

/** What every test's receiver knows: 24 bytes. */
export const SECRET = `whsec_${Buffer.from('only for the tests, only').toString('base64')}`;

/** One request that came to a receiver. */
export interface Received {
  headers: Record<string, string>;
  body: string;
  notice: Notice;
}

/** Somebody on the loopback who is told. */
export interface TestReceiver {
  url: string;
  /** All requests that were answered 2xx, in order. */
  received: Received[];
  /** As `received`, each notice once, as a receiver sees them that drops doubles. */
  once(): Notice[];
  /** So far. */
  connections(): number;
  requests(): number;
  /** Answers the next requests; undefined: 204. */
  answer: ((response: ServerResponse, request: IncomingMessage) => void) | undefined;
  /** Nobody listens on its port any more. */
  stop(): Promise<void>;
  /** On the same port. */
  start(): Promise<void>;
}

export async function startReceiver(t: Pick<TestContext, 'after'>): Promise<TestReceiver> {
  let port = 0;
  let server = createServer();
  let connections = 0;
  let requests = 0;
  const receiver: TestReceiver = {
    url: '',
    received: [],
    once() {
      const seen = new Set<string>();
      return receiver.received.map(({ notice }) => notice).filter(({ id }) => !seen.has(id) && seen.add(id));
    },
    connections: () => connections,
    requests: () => requests,
    answer: undefined,
    async stop() {
      if (!server.listening) return;
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
    async start() {
      server = createServer((request, response) => void take(request, response));
      server.on('connection', () => (connections += 1));
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      ({ port } = server.address() as AddressInfo);
      receiver.url = `http://127.0.0.1:${port}/hook?token=hush`;
    },
  };

  async function take(request: IncomingMessage, response: ServerResponse): Promise<void> {
    requests += 1;
    try {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks).toString();
      if (receiver.answer) receiver.answer(response, request);
      else response.writeHead(204).end();
      if (response.statusCode >= 300 || !response.headersSent) return;
      const headers = request.headers as Record<string, string>;
      receiver.received.push({ headers, body, notice: JSON.parse(body) as Notice });
    } catch {
      // Whoever sent it is gone.
    }
  }

  t.after(() => receiver.stop());
  await receiver.start();
  return receiver;
}
