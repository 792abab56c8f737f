import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:https';
import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { form } from '../support/form.js';
import { greyJpeg, hugePng, truncatedJpeg } from '../support/pictures.js';
import { freePort } from '../support/port.js';
import { readAnswer, runToEnd, startServer, type TestServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

type Settings = Record<string, string> & { CACHE_DIR: string };

async function settings(t: TestContext, more: Record<string, string> = {}): Promise<Settings> {
  const folder = await temporaryFolder(t);
  return {
    // The networks are built once and shared with other runs: MODELS_DIR stays the project's.
    MODEL_PACK: 'faceapi',
    EMBEDDINGS_DIR: path.join(folder, 'embeddings'),
    CACHE_DIR: path.join(folder, 'cache'),
    ...more,
  };
}

async function open(t: TestContext, env: Settings): Promise<TestServer> {
  const server = await startServer(env);
  t.after(() => server.end());
  return server;
}

async function recognise(server: TestServer, picture: Uint8Array): Promise<unknown> {
  const answer = await server.post('/api/face_recognizer', await form(['image', picture]));
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return answer.body;
}

describe('the built server over HTTPS', () => {
  it('serves health, refuses bad input by status and message, and goes on', async (t) => {
    const server = await open(t, await settings(t));
    if (process.getuid?.() === 0) await server.logged('The server runs as root');
    const health = await server.get('/api/v1/health');
    assert.equal(health.status, 200);
    assert.equal((health.body as { pack: { id: string } }).pack.id, 'faceapi');

    const cases: [title: string, image: Uint8Array, status: number, says: RegExp][] = [
      ['empty', Buffer.alloc(0), 400, /missing/],
      ['no picture', Buffer.from('%PDF-1.7'), 415, /JPEG/],
      ['truncated', await truncatedJpeg(), 400, /damaged/],
      ['100 megapixels', hugePng(10_000), 413, /25000000/],
      ['11 MB', Buffer.alloc(11_000_000), 413, /10000000/],
      ['no face', await greyJpeg(640, 480), 422, /No face/],
    ];
    const messages = new Set<string>();
    for (const [title, image, status, says] of cases) {
      const parts = await form(['userid', 'ken'], ['groupid', 'default'], ['image', image]);
      const answer = await server.post('/api/face_register', parts);
      assert.equal(answer.status, status, title);
      const { msg } = answer.body as { msg: string };
      assert.match(msg, says, title);
      messages.add(msg);
    }
    assert.equal(messages.size, cases.length, 'each fault has a message of its own');
    assert.deepEqual(await recognise(server, await greyJpeg(640, 480)), []);
    assert.deepEqual((await server.get('/api/faceid_infos')).body, []);
  });

  it('answers a request that SIGTERM finds in its middle, then ends with 0', async (t) => {
    const server = await open(t, await settings(t, { VISION_THREADS: '1' }));
    const { headers, payload } = await form(['image', await greyJpeg(640, 480)]);
    const outgoing = request({
      ...{ host: 'localhost', port: server.port, agent: server.agent },
      ...{ method: 'POST', path: '/api/face_recognizer' },
      headers: { ...headers, 'content-length': payload.length, expect: '100-continue' },
    });
    outgoing.flushHeaders();
    // From here on the request is the server's.
    await once(outgoing, 'continue');
    server.child.kill('SIGTERM');
    await server.logged('finishing what is in flight');
    outgoing.end(payload);
    const answer = await readAnswer(outgoing);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.body, []);
    assert.equal(answer.headers.connection, 'close');
    assert.equal(await server.end(), 0);
  });

  it('says in one line what to do when it cannot start, and ends, whatever channel to its parent is open', async (t) => {
    const env = await settings(t);
    const other = createServer().listen(0, '127.0.0.1');
    t.after(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    const enrolled = path.join(await temporaryFolder(t), 'embeddings');
    const person = path.join(enrolled, 'lost-pack', 'default-ken');
    await mkdir(person, { recursive: true });
    await writeFile(path.join(person, 'default-ken_20260102_030405_m0.npy'), '');
    const damaged = path.join(await temporaryFolder(t), 'damaged');
    await writeFile(damaged, '-----BEGIN CERTIFICATE-----\n');
    const noRedis = `redis://127.0.0.1:${await freePort()}`;
    const cases: [env: Record<string, string>, says: RegExp][] = [
      [{ HOST: '127.0.0.1', PORT: String(port) }, /^kaomon: Port \d+ is in use: .* PORT=\d+ npm start\.\n$/],
      [
        { HOST: '203.0.113.1', PORT: '0' },
        /^kaomon: HOST=203\.0\.113\.1 is not an address of this machine.*\n$/,
      ],
      [{ PORT: 'eighty' }, /^kaomon: The setting PORT=eighty is not usable.*\n$/],
      [
        { MODEL_PACK: 'auto', EMBEDDINGS_DIR: enrolled },
        /^kaomon: People are enrolled with the pack lost-pack, which cannot be had: .*\n$/,
      ],
      [{ TLS_CERT: '/nowhere.pem', TLS_KEY: '/nowhere.pem' }, /^kaomon: The file of TLS_CERT .*\n$/],
      [
        { TLS_CERT: damaged, TLS_KEY: damaged },
        /^kaomon: TLS_CERT=.* are not a certificate and its own key.*\n$/,
      ],
      [
        { PORT: '0', AUTH: 'key', KEYS_FILE: damaged },
        /^kaomon: The keys in .* cannot be used: it is not JSON\.\n$/,
      ],
      [
        { EMBEDDING_STORE: 'redis', EVENT_LOG: 'redis', REDIS_URL: noRedis },
        /^kaomon: (EMBEDDING_STORE=redis, but Redis does not answer|The event log cannot be reached).*\n$/,
      ],
    ];
    for (const [more, says] of cases) {
      const { code, stderr } = await runToEnd({ ...env, ...more });
      assert.match(stderr, says);
      assert.equal(code, 1);
    }
  });
});
