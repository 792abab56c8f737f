import assert from 'node:assert/strict';
import dns from 'node:dns';
import { once } from 'node:events';
import { createServer } from 'node:https';
import { syncBuiltinESMExports } from 'node:module';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { generate } from 'selfsigned';
import { Webhook } from 'standardwebhooks';
import { readSecrets } from '../../src/notices/signature.js';
import { DeliveryError, type Notice } from '../../src/notices/types.js';
import { createWebHook, type WebHookOptions } from '../../src/notices/web-hook.js';
import { SECRET, startReceiver } from '../support/receiver.js';

const NOTICE: Notice = {
  ...{ id: 'n1', type: 'enrolled', at: '2026-01-31T09:00:00.000Z' },
  person: { faceid: 'staff-hanako', groupid: 'staff', userid: 'hanako', username: '山田 花子' },
};

function open(t: TestContext, url: string, more: Partial<WebHookOptions> = {}) {
  const hook = createWebHook({
    id: 'hook',
    url,
    keys: readSecrets(SECRET),
    mayBePrivate: true,
    ca: undefined,
    ...more,
  });
  t.after(() => hook.close());
  const deliver = () => hook.deliver(NOTICE, new AbortController().signal);
  return { ...hook, deliver };
}

const refusedAs = (pattern: RegExp) => (error: unknown) =>
  error instanceof DeliveryError && pattern.test(error.message);

describe('a web hook', () => {
  it('gets a notice that the libraries of Standard Webhooks verify, by either of two secrets', async (t) => {
    const receiver = await startReceiver(t);
    const other = `whsec_${Buffer.from('the secret of tomorrow, now').toString('base64')}`;
    await open(t, receiver.url, { keys: readSecrets(`${SECRET},${other}`) }).deliver();
    const [{ headers, body }] = receiver.received;
    for (const secret of [SECRET, other]) assert.deepEqual(new Webhook(secret).verify(body, headers), NOTICE);
    const forged = body.replace('hanako', 'mallory');
    assert.throws(() => new Webhook(SECRET).verify(forged, headers));
    const late = { ...headers, 'webhook-timestamp': String(Number(headers['webhook-timestamp']) - 3600) };
    assert.throws(() => new Webhook(SECRET).verify(body, late));
    assert.equal(headers['webhook-id'], 'n1');
  });

  it('is not reached in networks of the server’s own, by number or by name, unless that is allowed', async (t) => {
    const receiver = await startReceiver(t);
    const { port } = new URL(receiver.url);
    for (const host of ['127.0.0.1', 'localhost', '2130706433', '[::ffff:127.0.0.1]', '0'])
      for (const scheme of ['http', 'https'])
        await assert.rejects(
          open(t, `${scheme}://${host}:${port}/`, { mayBePrivate: false }).deliver(),
          refusedAs(/WEBHOOK_PRIVATE/),
          `${scheme}://${host}`,
        );
    assert.equal(receiver.connections(), 0);
    await open(t, `http://localhost:${port}/`).deliver();
    assert.equal(receiver.received.length, 1);
  });

  it('is not reached in the clear on the open internet', async (t) => {
    const receiver = await startReceiver(t);
    await assert.rejects(open(t, receiver.url, { isOpen: () => true }).deliver(), refusedAs(/https alone/));
    assert.equal(receiver.connections(), 0);
  });

  it('is not reached where its name has come to point to since', async (t) => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'hooks.example' }], {
      extensions: [{ name: 'subjectAltName', altNames: [{ type: 2, value: 'hooks.example' }] }],
    });
    const peers: (string | undefined)[] = [];
    const server = createServer({ key, cert }, (request, response) => {
      peers.push(request.socket.localAddress);
      // So that the next notice needs a connection of its own, and the name is looked up again.
      response.writeHead(204, { connection: 'close' }).end();
    });
    server.listen(0, '0.0.0.0');
    await once(server, 'listening');
    t.after(() => server.close());
    let addresses = ['127.0.0.2'];
    t.mock.method(dns, 'lookup', (_name: string, _options: object, done: (...answer: unknown[]) => void) =>
      done(
        null,
        addresses.map((address) => ({ address, family: 4 })),
      ),
    );
    syncBuiltinESMExports();
    t.after(() => {
      t.mock.reset();
      syncBuiltinESMExports();
    });
    const { port } = server.address() as AddressInfo;
    const hook = open(t, `https://hooks.example:${port}/`, {
      ...{ mayBePrivate: false, ca: cert },
      isOpen: (address) => address === '127.0.0.2',
    });
    await hook.deliver();
    assert.deepEqual(peers, ['127.0.0.2']);
    addresses = ['127.0.0.1'];
    await assert.rejects(hook.deliver(), refusedAs(/WEBHOOK_PRIVATE/));
    addresses = ['127.0.0.2', '127.0.0.1'];
    await assert.rejects(hook.deliver(), refusedAs(/WEBHOOK_PRIVATE/));
    assert.equal(peers.length, 1);
  });

  it('whose certificate nobody signed gets nothing', async (t) => {
    const { private: key, cert } = await generate([{ name: 'commonName', value: 'localhost' }]);
    let asked = 0;
    const server = createServer({ key, cert }, (_request, response) => {
      asked += 1;
      response.end();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    t.after(() => server.close());
    const { port } = server.address() as AddressInfo;
    await assert.rejects(
      open(t, `https://localhost:${port}/`).deliver(),
      refusedAs(/SELF_SIGNED|self.signed/),
    );
    assert.equal(asked, 0);
  });

  it('leads nowhere else, and is told what is wrong with it', async (t) => {
    const receiver = await startReceiver(t);
    const elsewhere = await startReceiver(t);
    const hook = open(t, receiver.url, { timeout: 300 });
    receiver.answer = (response) => response.writeHead(307, { location: elsewhere.url }).end();
    await assert.rejects(hook.deliver(), refusedAs(/answers 307/));
    assert.equal(elsewhere.connections(), 0);
    receiver.answer = (response) => response.writeHead(410).end();
    await assert.rejects(hook.deliver(), (error) => error instanceof DeliveryError && error.isGone);
    receiver.answer = (response) => response.writeHead(503, { 'retry-after': '7' }).end();
    await assert.rejects(hook.deliver(), (error) => error instanceof DeliveryError && error.retryAfter === 7);
    receiver.answer = () => undefined;
    await assert.rejects(hook.deliver(), refusedAs(/within 300 ms/));
    await receiver.stop();
    await assert.rejects(hook.deliver(), refusedAs(/ECONNREFUSED/));
  });

  it('may say what it likes: of a long or endless answer a little is read', async (t) => {
    const receiver = await startReceiver(t);
    const hook = open(t, receiver.url);
    let written = 0;
    receiver.answer = (response) => {
      response.writeHead(200);
      const more = () => {
        while (!response.destroyed && written < 1e9) {
          written += 65_536;
          if (response.write(Buffer.alloc(65_536))) continue;
          response.once('drain', more);
          return;
        }
      };
      more();
    };
    await hook.deliver();
    // What the buffers of two sockets hold, and no more.
    assert.ok(written < 50_000_000, `${written} bytes`);
    receiver.answer = (response) => response.writeHead(200).write('x');
    await hook.deliver();
  });
});
