import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { on, once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { type IncomingMessage, request as plainRequest } from 'node:http';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { WebSocket } from 'ws';
import { createKeys } from '../../src/access/keys.js';
import type { Config } from '../../src/settings/config.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { loadCredentials } from '../../src/platform/tls.js';
import { face, testApp } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { freePort } from '../support/port.js';
import { until } from '../support/until.js';
import { temporaryFolder } from '../support/temporary.js';

const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((file) => existsSync(file)) ?? '';
const PATIENCE = 30_000;
/** The server's name in the place of the site file's. */
const NAME = 'localhost';

/** The site file as it is, but for addresses and paths, inside a whole configuration of the test's own. */
async function writeConfiguration(
  folder: string,
  https: number,
  http: number,
  upstream: number,
  cert: string,
) {
  const site = (await readFile(path.join(PROJECT_ROOT, 'nginx', 'kaomon.conf'), 'utf8'))
    .replace('127.0.0.1:8080', `127.0.0.1:${upstream}`)
    .replace(/listen \[::\].*\n/g, '\n')
    .replace(/listen 80\b/g, `listen 127.0.0.1:${http}`)
    .replace(/listen 443 /g, `listen 127.0.0.1:${https} `)
    .replaceAll('kaomon.example', NAME)
    .replace('/etc/ssl/kaomon/fullchain.pem', cert)
    .replace('/etc/ssl/kaomon/privkey.pem', cert)
    .replace('/opt/kaomon', PROJECT_ROOT);
  assert.doesNotMatch(
    site,
    /listen (80|443|\[)|\/opt\/|\/etc\/ssl/,
    'every address and path is the test’s own',
  );
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${folder}/${name};`)
    .join('\n');
  const file = path.join(folder, 'nginx.conf');
  await writeFile(
    file,
    `daemon off;\n${process.getuid?.() === 0 ? 'user root;' : ''}\npid ${folder}/nginx.pid;\nerror_log stderr;\n` +
      `events {}\nhttp {\naccess_log off;\n${temporary}\n${site}\n}\n`,
  );
  return file;
}

async function standUp(t: TestContext, settings: Partial<Config> = {}) {
  const folder = await temporaryFolder(t);
  const { key, cert } = await loadCredentials({
    HOST: '127.0.0.1',
    TLS_CERT: '',
    TLS_KEY: '',
    CACHE_DIR: folder,
  });
  const pem = path.join(folder, 'both.pem');
  await writeFile(pem, `${cert}\n${key}`);
  const test = await testApp(t, { AUTH: 'key', TRUST_PROXY: '127.0.0.1', ...settings });
  await test.app.listen({ host: '127.0.0.1', port: 0 });
  const upstream = (test.app.server.address() as AddressInfo).port;
  const [https, http] = [await freePort(), await freePort()];
  const file = await writeConfiguration(folder, https, http, upstream, pem);
  await promisify(execFile)(NGINX, ['-t', '-p', folder, '-c', file]);
  const child = spawn(NGINX, ['-p', folder, '-c', file], { stdio: ['ignore', 'ignore', 'pipe'] });
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => (errors += chunk.toString()));
  const ended = once(child, 'exit');
  t.after(async () => {
    child.kill('SIGTERM');
    await ended;
  });
  const { key: secret } = await createKeys({ file: test.config.KEYS_FILE }).add({
    name: 'door',
    role: 'admin',
  });

  /** Asks through nginx as another machine would: not from the address that is trusted. */
  async function ask(method: string, url: string, headers: Record<string, string> = {}, body?: Buffer) {
    const outgoing = request({
      ...{ host: '127.0.0.1', port: https, localAddress: '127.0.0.2', servername: NAME },
      ...{ ca: cert, method, path: url, agent: false as const },
      headers: { host: `${NAME}:${https}`, ...headers },
    });
    outgoing.end(body);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() };
  }
  const isUp = () =>
    ask('GET', '/api/v1/live').then(
      ({ status }) => status === 200,
      () => false,
    );
  const until = Date.now() + PATIENCE;
  while (!(await isUp())) {
    assert.ok(Date.now() < until && child.exitCode === null, `nginx does not answer: ${errors}`);
    await wait(50);
  }
  return { ...test, ask, https, http, cert, secret };
}

describe('nginx with our site file', { skip: NGINX ? false : 'needs nginx' }, () => {
  it('passes HTTPS, HTTP/2, uploads, WebSocket and the client’s own address', async (t) => {
    const { ask, app, vision, config, https, cert, secret } = await standUp(t);
    const own = { 'x-api-key': secret };

    // The limit on uploads is the server's: its answer, which names the limit, comes through.
    vision.faces = [face()];
    const upload = await form(['image', await greyJpeg(1600, 1200)]);
    const posted = await ask(
      'POST',
      '/api/face_recognizer',
      { ...upload.headers, ...own, 'content-length': String(upload.payload.length) },
      upload.payload,
    );
    // 1600 x 1200 is over the MAX_PIXELS of tests.
    assert.equal(posted.status, 413);
    assert.match(posted.text, /1000000/);
    const small = await form(['image', await greyJpeg()]);
    const found = await ask('POST', '/api/face_recognizer', { ...small.headers, ...own }, small.payload);
    assert.equal(found.status, 200, found.text);

    // A page signs in: nginx says that it is HTTPS.
    const session = Buffer.from(JSON.stringify({ key: secret }));
    const signedIn = await ask('POST', '/api/v1/session', { 'content-type': 'application/json' }, session);
    assert.match(String(signedIn.headers['set-cookie']), /^__Host-kaomon=.*; Secure/);

    // Who knocks is written down by the address nginx saw, not by the one that a caller invents.
    assert.equal((await ask('GET', '/api/v1/groups', { 'x-forwarded-for': '203.0.113.9' })).status, 401);

    const socket = tlsAlpn(https, cert);
    assert.equal(await socket, 'h2');

    const ws = new WebSocket(`wss://127.0.0.1:${https}/api/v1/stream`, {
      ...{ ca: cert, servername: NAME, headers: { ...own, host: `${NAME}:${https}` } },
    });
    const [hello] = (await once(ws, 'message')) as [Buffer];
    assert.equal((JSON.parse(hello.toString()) as { type: string }).type, 'hello');
    ws.terminate();
    await once(ws, 'close');

    await app.close();
    const lines = (await readFile(config.AUDIT_FILE, 'utf8')).trimEnd().split('\n');
    const refused = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    assert.equal(refused.find(({ status }) => status === 401)?.address, '127.0.0.2');
  });
});

describe(
  'nginx with our site file, before what it does not want',
  { skip: NGINX ? false : 'needs nginx' },
  () => {
    it('answers under its own name alone, by HTTPS alone, for a year', async (t) => {
      const { ask, http, https, cert } = await standUp(t);
      for (const url of ['/', '/api/v1/live', '/no/such/address', '/assets/no-such-file']) {
        const { headers } = await ask('GET', url);
        assert.equal(headers['strict-transport-security'], 'max-age=31536000', url);
      }
      // A foreign Host under our own certificate, and none that is shown for a foreign name or for none.
      await assert.rejects(ask('GET', '/api/v1/live', { host: 'evil.example' }));
      await assert.rejects(ask('GET', '/api/v1/live', { host: '127.0.0.1' }));
      for (const servername of ['evil.example', '']) {
        const socket = connectTls({ host: '127.0.0.1', port: https, ca: cert, servername });
        const [error] = (await once(socket, 'error')) as [NodeJS.ErrnoException];
        assert.match(String(error.code), /UNRECOGNIZED_NAME|ECONNRESET/);
      }
      const plain = async (host: string) => {
        const outgoing = plainRequest({ host: '127.0.0.1', port: http, path: '/people', headers: { host } });
        outgoing.end();
        const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
        response.resume();
        return [response.statusCode, response.headers.location];
      };
      assert.deepEqual(await plain(NAME), [301, `https://${NAME}/people`]);
      // It sends nobody on to a host that the caller names.
      await assert.rejects(plain('evil.example'));
    });

    it('lets a camera page, a feed of events and a batch of pictures through as fast as they come', async (t) => {
      const { ask, vision, https, cert, secret } = await standUp(t);
      const own = { 'x-api-key': secret };
      vision.faces = [face()];
      const headers = { ...own, host: `${NAME}:${https}` };

      // Each frame of a stream is answered before the next one is sent: nothing waits in between.
      const ws = new WebSocket(`wss://127.0.0.1:${https}/api/v1/stream`, {
        ...{ ca: cert, servername: NAME, headers },
      });
      const answers = on(ws, 'message');
      const next = async (...types: string[]): Promise<string> => {
        for (;;) {
          const { value } = (await answers.next()) as { value: [Buffer] };
          const { type } = JSON.parse(value[0].toString()) as { type: string };
          if (types.includes(type)) return type;
        }
      };
      await next('hello');
      for (let i = 0; i < 20; i++) {
        ws.send(await greyJpeg());
        assert.equal(await next('frame', 'error', 'skipped'), 'frame');
      }
      ws.terminate();
      await once(ws, 'close');

      const feed = request({
        ...{ host: '127.0.0.1', port: https, servername: NAME, ca: cert, agent: false as const },
        ...{ path: '/api/v1/events', headers },
      });
      feed.end();
      const [events] = (await once(feed, 'response')) as [IncomingMessage];
      let told = '';
      events.on('data', (chunk: Buffer) => (told += chunk.toString()));
      await until(() => told.includes(': connected'));
      const payload = Buffer.from(JSON.stringify({ groupid: 'staff' }));
      const json = { ...own, 'content-type': 'application/json' };
      assert.equal((await ask('POST', '/api/v1/groups', json, payload)).status, 201);
      await until(() => told.includes('event: group-created'));
      feed.destroy();

      // Far more at once than a batch or a page that sends single frames: none is refused by nginx.
      const frame = await form(['image', await greyJpeg()]);
      const sent = Array.from({ length: 150 }, () =>
        ask('POST', '/api/face_recognizer', { ...frame.headers, ...own }, frame.payload),
      );
      const statuses = new Set((await Promise.all(sent)).map(({ status }) => status));
      assert.deepEqual([...statuses], [200]);

      // Several pictures in one request are more than one picture may be.
      const picture = Buffer.concat([await greyJpeg(), Buffer.alloc(9_000_000)]);
      const many = await form(['image', picture], ['image', picture]);
      const taken = await ask('POST', '/api/v1/detect', { ...many.headers, ...own }, many.payload);
      assert.notEqual(taken.status, 413, taken.text.slice(0, 200));
    });

    it('sends files as the build compressed them, for ever, and what the API answers as it is', async (t) => {
      const { ask, secret } = await standUp(t);
      const both = { 'accept-encoding': 'gzip, br', 'x-api-key': secret };
      const page = await ask('GET', '/people', both);
      assert.equal(page.headers['content-encoding'], 'br');
      const { text } = await ask('GET', '/people');
      const [, style] = /href="([^"]*\.css)"/.exec(text) ?? [];
      const file = await ask('GET', style, both);
      assert.deepEqual(
        [file.status, file.headers['content-encoding'], file.headers['cache-control']],
        [200, 'gzip', 'public, max-age=31536000, immutable'],
      );
      assert.match(String(file.headers.vary), /accept-encoding/i);
      const answer = await ask('GET', '/api/v1/people', both);
      assert.deepEqual([answer.status, answer.headers['content-encoding']], [200, undefined]);
    });

    it('passes an archive of any size on as it comes', async (t) => {
      const { ask, secret } = await standUp(t);
      const headers = { 'x-api-key': secret, 'content-type': 'application/zip' };
      const answer = await ask('POST', '/api/v1/import', headers, Buffer.alloc(60_000_000));
      // No zip, says the server: the size was no matter to nginx.
      assert.deepEqual([answer.status, answer.text.includes('ARCHIVE_INVALID')], [400, true], answer.text);
    });

    it('tells who asks too often or too much at once to come again, in the words of the API', async (t) => {
      const { ask, https, cert, secret } = await standUp(t);
      const key = Buffer.from(JSON.stringify({ key: secret }));
      const signIns = Array.from({ length: 40 }, () =>
        ask('POST', '/api/v1/session', { 'content-type': 'application/json' }, key),
      );
      const refused = (await Promise.all(signIns)).filter(({ text }) => text.includes('from this address'));
      assert.ok(refused.length >= 10, `${refused.length} of 40 were refused`);
      for (const { status, headers, text } of refused) {
        assert.deepEqual([status, headers['retry-after']], [429, '2']);
        assert.equal((JSON.parse(text) as { code: string }).code, 'TOO_MANY_REQUESTS');
        assert.ok(headers['strict-transport-security']);
      }
      // Reading who is signed in, as every page does, is no sign-in.
      assert.equal((await ask('GET', '/api/v1/session')).status, 200);
      const large = await ask(
        'POST',
        '/api/v1/session',
        { 'content-type': 'application/json' },
        Buffer.alloc(9000),
      );
      assert.equal(large.status, 413);

      // Uploads that do not come wait at nginx, not in a worker, and only so many of one address.
      const head = `POST /api/face_recognizer HTTP/1.1\r\nHost: ${NAME}:${https}\r\nx-api-key: ${secret}\r\n`;
      const slow = Array.from({ length: 230 }, () => {
        const socket = connectTls({ host: '127.0.0.1', port: https, ca: cert, servername: NAME });
        t.after(() => socket.destroy());
        const answered = once(socket, 'data').then(([data]) => String(data).split('\r\n')[0]);
        socket.write(
          `${head}content-type: multipart/form-data; boundary=b\r\ncontent-length: 100000\r\n\r\nx`,
        );
        return answered;
      });
      const first = await Promise.race(slow);
      assert.match(first, / 429 /);
    });
  },
);

function tlsAlpn(port: number, ca: string): Promise<string | false | null> {
  return new Promise((resolve, reject) => {
    const socket = connectTls(
      { host: '127.0.0.1', port, ca, servername: 'localhost', ALPNProtocols: ['h2', 'http/1.1'] },
      () => {
        resolve(socket.alpnProtocol);
        socket.destroy();
      },
    );
    socket.once('error', reject);
  });
}
