import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { createPictureFetcher, isPublic } from '../../src/http/fetch-picture.js';

async function serve(t: TestContext, listener: RequestListener): Promise<number> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const code = (expected: string) => (error: unknown) => (error as { code?: string }).code === expected;

describe('a picture by its address', () => {
  it('is fetched, over redirects, up to a size and a time', async (t) => {
    const port = await serve(t, ({ url = '' }, response) => {
      if (url === '/picture') response.end('a picture');
      else if (url === '/near') response.writeHead(302, { location: '/picture' }).end();
      else if (url === '/round') response.writeHead(302, { location: '/round' }).end();
      else if (url === '/file') response.writeHead(302, { location: 'file:///etc/passwd' }).end();
      else if (url === '/large') response.end(Buffer.alloc(101));
      else if (url === '/endless') response.write('x');
      else response.writeHead(404).end();
    });
    const fetcher = createPictureFetcher({ maxBytes: 100, isAllowed: () => true, timeout: 2000 });
    t.after(() => fetcher.close());
    const get = (path: string) => fetcher.fetch(`http://localhost:${port}${path}`);
    assert.equal(Buffer.from(await get('/picture')).toString(), 'a picture');
    assert.equal(Buffer.from(await get('/near')).toString(), 'a picture');
    await assert.rejects(get('/round'), code('URL_UNREACHABLE'));
    await assert.rejects(get('/file'), code('URL_REFUSED'));
    await assert.rejects(get('/large'), code('UPLOAD_TOO_LARGE'));
    await assert.rejects(get('/nothing'), code('URL_UNREACHABLE'));
    await assert.rejects(get('/endless'), code('URL_UNREACHABLE'));
    for (const address of ['', 'picture.jpg', 'ftp://example.org/a', 'http://user:pass@localhost/']) {
      await assert.rejects(fetcher.fetch(address), code('URL_REFUSED'), address);
    }
  });

  it('is refused in networks of the server’s own, by name, by number and by redirect', async (t) => {
    let asked = 0;
    const port = await serve(t, (_request, response) => {
      asked += 1;
      response.end('secret');
    });
    const closed = createPictureFetcher({ maxBytes: 100 });
    t.after(() => closed.close());
    for (const host of [
      'localhost',
      '127.0.0.1',
      '[::1]',
      '2130706433',
      '0x7f.1',
      '[::ffff:127.0.0.1]',
      '0',
    ]) {
      await assert.rejects(closed.fetch(`http://${host}:${port}/`), code('URL_REFUSED'), host);
    }
    assert.equal(asked, 0);
    // Only the first address is allowed, so that the redirect is what is refused.
    const door = await serve(t, (_request, response) => {
      response.writeHead(302, { location: `http://127.0.0.2:${port}/` }).end();
    });
    const half = createPictureFetcher({ maxBytes: 100, isAllowed: (address) => address === '127.0.0.1' });
    t.after(() => half.close());
    await assert.rejects(half.fetch(`http://127.0.0.1:${door}/`), code('URL_REFUSED'));
    assert.equal(asked, 0);
  });

  it('knows what is public', () => {
    for (const address of ['8.8.8.8', '1.1.1.1', '172.32.0.1', '2606:4700::1111'])
      assert.ok(isPublic(address));
    for (const address of [
      ...[
        '10.1.2.3',
        '100.64.0.1',
        '169.254.169.254',
        '172.16.0.1',
        '192.168.1.1',
        '224.0.0.1',
        '255.255.255.255',
      ],
      ...[
        '::',
        '::1',
        'fe80::1',
        'fd00::1',
        '::ffff:8.8.8.8',
        '64:ff9b::7f00:1',
        '2002:7f00:1::',
        '2001::1',
        'x',
      ],
    ]) {
      assert.ok(!isPublic(address), address);
    }
  });
});
