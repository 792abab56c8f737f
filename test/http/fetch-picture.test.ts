import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type NetworkInterfaceInfo, networkInterfaces } from 'node:os';
import { describe, it, type TestContext } from 'node:test';
import { createPictureFetcher } from '../../src/http/intake/fetch-picture.js';
import { isPublic } from '../../src/platform/public-address.js';

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
    const fetcher = createPictureFetcher({
      ...{ maxBytes: 100, isAllowed: () => true, timeout: 2000, ports: [port, 80] },
    });
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
    const closed = createPictureFetcher({ maxBytes: 100, ports: [port] });
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
    const half = createPictureFetcher({
      ...{ maxBytes: 100, ports: [port, door], isAllowed: (address: string) => address === '127.0.0.1' },
    });
    t.after(() => half.close());
    await assert.rejects(half.fetch(`http://127.0.0.1:${door}/`), code('URL_REFUSED'));
    assert.equal(asked, 0);
  });

  it('is connected to on the ports of the web alone, unless the setting names others', async (t) => {
    let asked = 0;
    const port = await serve(t, (_request, response) => {
      asked += 1;
      response.end('a picture');
    });
    const everywhere = { maxBytes: 100, isAllowed: () => true };
    const usual = createPictureFetcher(everywhere);
    t.after(() => usual.close());
    for (const address of [
      `http://127.0.0.1:${port}/`,
      `http://localhost:${port}/`,
      ...['http://127.0.0.1:22/', 'https://127.0.0.1:6379/', 'http://127.0.0.1:8080/'],
    ]) {
      await assert.rejects(usual.fetch(address), code('URL_REFUSED'), address);
    }
    const door = await serve(t, (_request, response) => {
      response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end();
    });
    const one = createPictureFetcher({ ...everywhere, ports: [door] });
    t.after(() => one.close());
    await assert.rejects(one.fetch(`http://127.0.0.1:${door}/`), code('URL_REFUSED'));
    assert.equal(asked, 0);
  });

  it('is not fetched from what is not of the open internet, however it is written', () => {
    for (const address of [
      ...['8.8.8.8', '1.1.1.1', '172.32.0.1', '192.0.1.1', '168.63.129.17', '2606:4700::1111'],
      ...['2606:4700:20::ac43:4a6b', '2a00:1450:4001:80e::200e', '2620:0:862:ed1a::1'],
    ])
      assert.ok(isPublic(address, {}), address);
    for (const address of [
      ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '172.16.0.1', '192.168.1.1', '198.18.0.1'],
      ...[
        '224.0.0.1',
        '255.255.255.255',
        '::',
        '::1',
        'fe80::1',
        'fe80::1%eth0',
        'fec0::1',
        'fd00::1',
        'x',
        '',
      ],
      // Metadata of the clouds.
      ...['169.254.169.254', '169.254.170.2', '100.100.100.200', '192.0.0.192', '168.63.129.16'],
      ...['fd00:ec2::254', 'fd20:ce::254', 'fe80::a9fe:a9fe', 'fd00:a9fe:a9fe::1', 'fd00:42::42'],
      // IPv4 in IPv6: mapped, compatible, translated, 6to4, Teredo, NAT64 under a prefix of one's own, ISATAP.
      ...[
        '::ffff:8.8.8.8',
        '::ffff:a9fe:a9fe',
        '::10.0.0.1',
        '::ffff:0:10.0.0.1',
        '2002:7f00:1::',
        '2001::1',
      ],
      ...['64:ff9b::7f00:1', '64:ff9b::169.254.169.254', '64:ff9b:1::a00:1', '2a01:4f8:1:2::a9fe:a9fe'],
      ...['2a01:4f8:1:2::10.0.0.1', '2a01:4f8:1:2::a83f:8110', '2a01:4f8:1:2:0:5efe:a00:1'],
    ]) {
      assert.ok(!isPublic(address, {}), address);
    }
  });

  it('is not fetched from this machine’s own addresses, nor from beside them', () => {
    const of = (address: string, cidr: string | null, family: 'IPv4' | 'IPv6') =>
      ({ address, cidr, family, internal: false }) as NetworkInterfaceInfo;
    const interfaces = {
      eth0: [of('9.9.9.5', '9.9.9.5/28', 'IPv4'), of('2a01:4f8:1:2::3', '2a01:4f8:1:2::3/64', 'IPv6')],
      // A provider that gives single addresses, and a tunnel that says "everywhere".
      eth1: [of('5.5.5.5', '5.5.5.5/32', 'IPv4'), of('2a02:1:2:3::4', '2a02:1:2:3::4/128', 'IPv6')],
      tun0: [of('7.7.7.7', '7.7.7.7/0', 'IPv4'), of('6.6.6.6', null, 'IPv4')],
    };
    for (const address of [
      ...['9.9.9.5', '9.9.9.14', '5.5.5.5', '7.7.7.7', '6.6.6.6', '2a01:4f8:1:2::3', '2a01:4f8:1:2:a::1'],
      ...['2a02:1:2:3::4', '2a02:1:2:3::5', '2a03:4:5:6::909:905'],
    ])
      assert.ok(!isPublic(address, interfaces), address);
    for (const address of ['9.9.9.99', '5.5.5.6', '8.8.8.8', '2a01:4f8:1:3::3'])
      assert.ok(isPublic(address, interfaces), address);
    for (const list of Object.values(networkInterfaces()))
      for (const { address } of list ?? []) assert.ok(!isPublic(address), address);
  });
});
