import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, Server as HttpServer, type IncomingMessage, type ServerResponse } from 'node:http';
import {
  type AddressInfo,
  connect,
  createServer as createTcpServer,
  type Server,
  type Socket,
} from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { KaomonError } from '../../../src/platform/errors.js';
import type { Progress } from '../../../src/models/packs/component-store.js';
import { createFetcher, type DownloadSettings } from '../../../src/models/weights/download.js';
import { seededPicture } from '../../support/seeded-weights.js';

const FILE = Buffer.from(seededPicture('download', 1000, 100, 1).data);
const SHA256 = createHash('sha256').update(FILE).digest('hex');

type Behaviour = (request: IncomingMessage, response: ServerResponse) => void;

/** Sends the file, from the byte that was asked for. */
const whole: Behaviour = (request, response) => {
  const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
  if (from === 0) {
    response.writeHead(200, { 'content-length': FILE.length }).end(FILE);
    return;
  }
  const range = `bytes ${from}-${FILE.length - 1}/${FILE.length}`;
  response
    .writeHead(206, { 'content-range': range, 'content-length': FILE.length - from })
    .end(FILE.subarray(from));
};

/** Announces everything from the byte that was asked for, sends `count` bytes of it and breaks off. */
const breaksOff =
  (count: number): Behaviour =>
  (request, response) => {
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0);
    const range = { 'content-range': `bytes ${from}-${FILE.length - 1}/${FILE.length}` };
    response.writeHead(from > 0 ? 206 : 200, {
      'content-length': FILE.length - from,
      ...(from > 0 && range),
    });
    response.write(FILE.subarray(from, from + count), () => setImmediate(() => response.destroy()));
  };

const answers =
  (
    status: number,
    headers: Record<string, string | number> = {},
    body: Uint8Array | string = '',
  ): Behaviour =>
  (_, response) =>
    void response.writeHead(status, headers).end(body);

async function listen(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    if (server instanceof HttpServer) server.closeAllConnections();
    return new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

/** Answers one request after the other as the list says, the last one for ever. */
async function serve(t: TestContext, ...behaviours: Behaviour[]) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    behaviours[Math.min(requests.length, behaviours.length) - 1](request, response);
  });
  const port = await listen(t, server);
  return { url: `http://127.0.0.1:${port}`, port, requests };
}

/** Fetches into a folder of the test's own; `left` answers what is in it afterwards. */
async function prepare(t: TestContext, url: string, settings: DownloadSettings = {}) {
  const folder = await mkdtemp(path.join(tmpdir(), 'kaomon-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const target = path.join(folder, 'net.pt');
  const source = {
    kind: 'published' as const,
    file: 'net.pt',
    url: `${url}/org/net.pt`,
    bytes: FILE.length,
    sha256: SHA256,
  };
  const progress: Progress[] = [];
  const fetcher = createFetcher({ backOffMs: 1, ...settings });
  return {
    target,
    part: `${target}.part`,
    progress,
    fetch: () => fetcher(source, target, (step) => progress.push(step)),
    left: () => readdir(folder),
  };
}

const refusal = (words: RegExp) => (error: unknown) =>
  error instanceof KaomonError && error.code === 'SETUP' && words.test(error.message);

describe('download', () => {
  it('fetches a file, tells how far it is and leaves nothing else', async (t) => {
    const { url, requests } = await serve(t, whole);
    const { target, fetch, left, progress } = await prepare(t, url);
    await fetch();
    assert.deepEqual(await readFile(target), FILE);
    assert.deepEqual(await left(), ['net.pt']);
    assert.equal(requests[0].url, '/org/net.pt');
    const fractions = progress.map(({ fraction }) => fraction ?? NaN);
    assert.ok(fractions.length <= 101 && fractions.every((value, i) => i === 0 || value > fractions[i - 1]));
    assert.equal(fractions.at(-1), 1);
    assert.match(progress[0].message, /net\.pt/);
  });

  it('goes on where the connection broke off, as often as something comes', async (t) => {
    const { url, requests } = await serve(t, ...new Array<Behaviour>(7).fill(breaksOff(30_000)), whole);
    const { target, fetch, left } = await prepare(t, url, { attempts: 2 });
    await fetch();
    assert.deepEqual(await readFile(target), FILE);
    assert.deepEqual(await left(), ['net.pt']);
    assert.equal(requests.length, 8);
    assert.equal(requests[0].headers.range, undefined);
    const starts = requests.slice(1).map(({ headers }) => Number(/\d+/.exec(headers.range ?? '')));
    assert.ok(
      starts.every((start, i) => start > 0 && (i === 0 || start >= starts[i - 1])),
      starts.join(),
    );
  });

  it('goes on with what an earlier process left', async (t) => {
    const { url, requests } = await serve(t, whole);
    const { target, part, fetch } = await prepare(t, url);
    await writeFile(part, FILE.subarray(0, 100_000));
    await fetch();
    assert.deepEqual(await readFile(target), FILE);
    assert.equal(requests[0].headers.range, 'bytes=100000-');
  });

  it('begins again when what was left is not the beginning of the file', async (t) => {
    const { url, requests } = await serve(t, whole);
    const { target, part, fetch } = await prepare(t, url);
    await writeFile(part, Buffer.alloc(100_000));
    await fetch();
    assert.deepEqual(await readFile(target), FILE);
    assert.equal(requests.length, 2);
    for (const length of [FILE.length, FILE.length + 1]) {
      await writeFile(part, Buffer.alloc(length));
      await fetch();
      assert.deepEqual(await readFile(target), FILE);
    }
  });

  it('begins again when the server cannot go on', async (t) => {
    for (const cannot of [
      answers(416),
      answers(206, { 'content-range': `bytes 0-${FILE.length - 1}/${FILE.length}` }, FILE),
      answers(200, { 'content-length': FILE.length }, FILE),
    ]) {
      const { url } = await serve(t, cannot, whole);
      const { target, part, fetch } = await prepare(t, url);
      await writeFile(part, FILE.subarray(0, 5_000));
      await fetch();
      assert.deepEqual(await readFile(target), FILE);
    }
  });

  it('tries again after 5xx and 429, but not for ever', async (t) => {
    const { url } = await serve(t, answers(503), answers(429), answers(500), whole);
    const patient = await prepare(t, url, { attempts: 4 });
    await patient.fetch();
    assert.deepEqual(await readFile(patient.target), FILE);

    const broken = await serve(t, answers(502));
    const { fetch, left } = await prepare(t, broken.url, { attempts: 3 });
    await assert.rejects(fetch(), refusal(/net\.pt cannot be fetched: .* answered 502/));
    assert.equal(broken.requests.length, 3);
    assert.deepEqual(await left(), []);
  });

  it('does not ask again for what is not there', async (t) => {
    for (const status of [404, 403, 204]) {
      const { url, requests } = await serve(t, answers(status));
      const { fetch } = await prepare(t, url);
      await assert.rejects(fetch(), refusal(new RegExp(`answered ${status}`)));
      assert.equal(requests.length, 1);
    }
  });

  it('refuses another file by its length before it is read, and leaves nothing', async (t) => {
    for (const length of [10, FILE.length - 1, FILE.length + 1]) {
      const { url, requests } = await serve(
        t,
        answers(200, { 'content-length': length }, Buffer.alloc(length)),
      );
      const { fetch, left } = await prepare(t, url);
      await assert.rejects(fetch(), refusal(/not the published net\.pt: \d+ bytes are announced/));
      assert.equal(requests.length, 1);
      assert.deepEqual(await left(), []);
    }
  });

  it('refuses a body that does not end where the file does', async (t) => {
    const endless = await serve(t, (_, response) => {
      response.writeHead(200);
      response.write(FILE);
      response.end('and more');
    });
    const { fetch, left } = await prepare(t, endless.url);
    await assert.rejects(fetch(), refusal(/goes on after 300000 bytes/));
    assert.deepEqual(await left(), []);

    const short = await serve(t, answers(200, {}, FILE.subarray(0, 99)));
    const other = await prepare(t, short.url, { attempts: 2 });
    await assert.rejects(other.fetch(), refusal(/cannot be fetched/));
  });

  it('refuses wrong bytes of the right length, and leaves nothing', async (t) => {
    const wrong = Buffer.from(FILE);
    wrong[123_456] ^= 1;
    const { url } = await serve(t, answers(200, { 'content-length': wrong.length }, wrong));
    const { fetch, left } = await prepare(t, url);
    await assert.rejects(
      fetch(),
      refusal(/net\.pt is not the published file: its SHA-256 is [0-9a-f]{64} instead/),
    );
    assert.deepEqual(await left(), []);
  });

  it('follows redirects, not for ever and not to other protocols', async (t) => {
    const to = (location: string) => answers(302, { location });
    const there = await serve(t, to('/elsewhere'), whole);
    const { url } = await serve(t, to(`${there.url}/there`));
    const { target, fetch: follow } = await prepare(t, url);
    await follow();
    assert.deepEqual(await readFile(target), FILE);
    assert.deepEqual(
      there.requests.map((request) => request.url),
      ['/there', '/elsewhere'],
    );

    for (const [location, words] of [
      ['/again', /redirected more than 5 times/],
      ['ftp://127.0.0.1/net.pt', /redirected to ftp:/],
      ['http://', /redirected to nowhere/],
    ] as const) {
      const server = await serve(t, to(location));
      const { fetch } = await prepare(t, server.url);
      await assert.rejects(fetch(), refusal(words));
    }
  });

  it('gives up in time on a host that takes the connection and says nothing', async (t) => {
    const { url, requests } = await serve(t, () => undefined);
    const { fetch } = await prepare(t, url, { reachWithinMs: 50, hurry: true });
    await assert.rejects(fetch(), refusal(/did not answer within 0\.05 s/));
    assert.equal(requests.length, 1, 'in a hurry a host that does not answer is not asked twice');
  });

  it('goes on after a stall in mid-transfer, even in a hurry', async (t) => {
    const stalls: Behaviour = (_, response) => {
      response.writeHead(200, { 'content-length': FILE.length });
      response.write(FILE.subarray(0, 50_000));
    };
    const { url, requests } = await serve(t, stalls, whole);
    const { target, fetch } = await prepare(t, url, { stallMs: 50, hurry: true });
    await fetch();
    assert.deepEqual(await readFile(target), FILE);
    assert.equal(requests[1].headers.range, 'bytes=50000-');
  });

  it('asks a refused connection again with patience, once in a hurry', async (t) => {
    const closed = createTcpServer();
    const port = await listen(t, closed);
    await new Promise((resolve) => closed.close(resolve));
    const hurried = await prepare(t, `http://127.0.0.1:${port}`, { hurry: true });
    await assert.rejects(hurried.fetch(), refusal(/cannot be reached \(ECONNREFUSED\)/));
  });

  it('asks a mirror for the same path below its address', async (t) => {
    const { url, requests } = await serve(t, whole);
    const { fetch, target } = await prepare(t, 'https://weights.invalid', { mirror: `${url}/mirror/` });
    await fetch();
    assert.equal(requests[0].url, '/mirror/org/net.pt');
    assert.deepEqual(await readFile(target), FILE);
    const wrong = await prepare(t, url, { mirror: 'weights.lan' });
    await assert.rejects(
      wrong.fetch(),
      refusal(/MODEL_MIRROR=weights\.lan is not the address of a web server/),
    );
  });

  it('goes through a proxy when one is set, and past it where it is told to', async (t) => {
    const origin = await serve(t, whole);
    let tunnels = 0;
    const proxy = createServer();
    proxy.on('connect', (request: IncomingMessage, client: Socket) => {
      tunnels += 1;
      const [host, port] = (request.url ?? '').split(':');
      assert.equal(host, 'weights.invalid', 'the proxy is given the name: it need not be known here');
      assert.equal(port, '80');
      const upstream = connect(origin.port, '127.0.0.1', () => client.write('HTTP/1.1 200 OK\r\n\r\n'));
      client.pipe(upstream).pipe(client);
      client.on('error', () => upstream.destroy());
      upstream.on('error', () => client.destroy());
    });
    const port = await listen(t, proxy);
    const { fetch, target } = await prepare(t, 'http://weights.invalid', {
      proxy: { http: `http://127.0.0.1:${port}` },
    });
    await fetch();
    assert.deepEqual(await readFile(target), FILE);
    assert.equal(tunnels, 1);
    const direct = await prepare(t, origin.url, {
      proxy: { http: `http://127.0.0.1:${port}`, except: '127.0.0.1' },
    });
    await direct.fetch();
    assert.equal(tunnels, 1);
    const wrong = await prepare(t, origin.url, { proxy: { https: 'not an address' } });
    await assert.rejects(wrong.fetch(), refusal(/not an address/));
  });

  it('says where it cannot write', async (t) => {
    const { url } = await serve(t, whole);
    const { fetch, part } = await prepare(t, url);
    await mkdir(part);
    await assert.rejects(fetch(), refusal(/net\.pt cannot be written to .*: E[A-Z]+/));
  });
});
