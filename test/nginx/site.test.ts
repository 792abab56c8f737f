import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { request } from 'node:https';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import { WebSocket } from 'ws';
import { createKeys } from '../../src/access/keys.js';
import { PROJECT_ROOT } from '../../src/root.js';
import { loadCredentials } from '../../src/tls.js';
import { face, testApp } from '../support/app.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { freePort } from '../support/port.js';
import { temporaryFolder } from '../support/temporary.js';

const NGINX = ['/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((file) => existsSync(file)) ?? '';
const PATIENCE = 30_000;

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
    .replace('listen 80;', `listen 127.0.0.1:${http};`)
    .replace('listen 443 ', `listen 127.0.0.1:${https} `)
    .replace('/etc/ssl/kaomon/fullchain.pem', cert)
    .replace('/etc/ssl/kaomon/privkey.pem', cert)
    .replace('/opt/kaomon', PROJECT_ROOT);
  assert.doesNotMatch(site, /listen (80|443)|\/opt\/|\/etc\/ssl/, 'every address and path is the test’s own');
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

async function standUp(t: TestContext) {
  const folder = await temporaryFolder(t);
  const { key, cert } = await loadCredentials({
    HOST: '127.0.0.1',
    TLS_CERT: '',
    TLS_KEY: '',
    CACHE_DIR: folder,
  });
  const pem = path.join(folder, 'both.pem');
  await writeFile(pem, `${cert}\n${key}`);
  const test = await testApp(t, { AUTH: 'key', TRUST_PROXY: '127.0.0.1' });
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
      ...{ host: '127.0.0.1', port: https, localAddress: '127.0.0.2', servername: 'localhost' },
      ...{ ca: cert, method, path: url, headers, agent: false as const },
    });
    outgoing.end(body);
    const [response] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
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
  return { ...test, ask, https, cert, secret };
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
      ...{ ca: cert, servername: 'localhost', headers: own },
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
