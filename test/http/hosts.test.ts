import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { describe, it } from 'node:test';
import { WebSocket } from 'ws';
import { hostNames } from '../../src/platform/addresses.js';
import { loadConfig } from '../../src/settings/config.js';
import { isAllowed } from '../../src/http/plugins/hosts.js';
import { testApp, unitVector } from '../support/app.js';

const EVIL = 'evil.example:8443';

describe('a site whose name points to this server (DNS rebinding)', () => {
  it('reads and changes nothing where no key is asked for, by any address', async (t) => {
    const { app, gallery } = await testApp(t);
    await gallery.enrol({ groupid: 'default', userid: 'ken' }, unitVector(0));
    // As Chromium sends it: the page and the server are of one origin.
    const headers = { host: EVIL, origin: `http://${EVIL}`, 'sec-fetch-site': 'same-origin' };
    const calls = [
      ['DELETE', '/api/default/ken', undefined],
      ['DELETE', '/api/v1/people/default-ken', undefined],
      ['GET', '/api/v1/export', undefined],
      ['GET', '/api/faceid_infos', undefined],
      ['GET', '/api/v1/recognition/subjects', undefined],
      ['POST', '/api/v1/keys', { name: 'mine', role: 'admin' }],
      ['GET', '/api/v1/health', undefined],
      ['GET', '/', undefined],
      ['GET', '/assets/recognition.js', undefined],
      ['GET', '/no/such/address', undefined],
      ['OPTIONS', '/api/v1/people', undefined],
    ] as const;
    for (const [method, url, payload] of calls) {
      const answer = await app.inject({ method, url, headers, ...(payload && { payload }) });
      assert.equal(answer.statusCode, 403, `${method} ${url}`);
      assert.match(answer.body, /ALLOWED_HOSTS/);
    }
    assert.ok(await gallery.person('default-ken'));
    assert.equal((await app.inject({ url: '/api/faceid_infos' })).statusCode, 200);
  });

  it('opens no stream', async (t) => {
    const { app } = await testApp(t);
    const address = await app.listen({ host: '127.0.0.1', port: 0 });
    const open = (host: string) =>
      new Promise<number>((resolve) => {
        const url = `${address.replace('http', 'ws')}/api/v1/stream`;
        const socket = new WebSocket(url, { headers: { host, origin: `http://${host}` } });
        socket.on('open', () => {
          socket.close();
          resolve(101);
        });
        socket.on('unexpected-response', (_request, { statusCode = 0 }) => resolve(statusCode));
        socket.on('error', () => undefined);
      });
    assert.equal(await open(EVIL), 403);
    assert.equal(await open('localhost:8443'), 101);
  });

  it('is not let in by a header that its page adds, where a proxy on this machine is trusted', async (t) => {
    const { app } = await testApp(t, { TRUST_PROXY: '127.0.0.1', ALLOWED_HOSTS: 'kaomon.example' });
    const status = async (host: string, forwarded: string) =>
      (await app.inject({ url: '/api/groups', headers: { host, 'x-forwarded-host': forwarded } })).statusCode;
    assert.equal(await status(EVIL, 'localhost'), 403);
    assert.equal(await status(EVIL, 'kaomon.example'), 403);
    // Nor through a proxy that puts its own name for the server into Host.
    assert.equal(await status('127.0.0.1:8080', EVIL), 403);
    assert.equal(await status('kaomon.example', 'kaomon.example'), 200);
    assert.equal(await status('127.0.0.1:8080', 'kaomon.example:8443'), 200);
  });

  it('is a name like any other where a key is asked for, unless hosts were listed', async (t) => {
    const status = async (settings: Parameters<typeof testApp>[1], host: string) => {
      const { app } = await testApp(t, { AUTH: 'key', ...settings });
      return (await app.inject({ url: '/api/v1/health', headers: { host } })).statusCode;
    };
    assert.equal(await status({}, EVIL), 200);
    assert.equal(await status({ ALLOWED_HOSTS: 'kaomon.example' }, EVIL), 403);
    assert.equal(await status({ ALLOWED_HOSTS: 'Kaomon.example' }, 'KAOMON.example:443'), 200);
    assert.equal(await status({ ALLOWED_HOSTS: 'kaomon.example' }, 'localhost'), 200);
  });
});

it('a name is this server’s own, an address, or listed', () => {
  const own = hostNames('0.0.0.0');
  for (const host of [
    ...[
      'localhost',
      'LOCALHOST:8443',
      'localhost.',
      '127.0.0.1',
      '127.0.0.1:8443',
      '192.0.2.7',
      '[::1]:8443',
    ],
    ...['[2001:db8::1]', hostname(), `${hostname()}:80`],
  ]) {
    assert.ok(isAllowed(host, own, []), host);
  }
  for (const host of [
    ...['', ':80', 'evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', '127.0.0.1.nip.io'],
    ...[
      'evil.example#localhost',
      'localhost@evil.example',
      'localhost/evil',
      '[::1',
      '[evil]',
      'localhost:x',
    ],
    ...['localhost,evil.example', 'localhost evil.example', 'a'.repeat(300), '127.1', '0x7f000001'],
  ]) {
    assert.ok(!isAllowed(host, own, []), host);
  }
  assert.ok(isAllowed('a.cam.example', own, ['*.cam.example']));
  assert.ok(!isAllowed('cam.example', own, ['*.cam.example']));
  assert.ok(!isAllowed('evilcam.example', own, ['*.cam.example']));
  assert.ok(isAllowed(EVIL, own, ['*']));
});

it('AUTH=none behind a proxy is refused with what can be done there', () => {
  const refusal = (env: Record<string, string>) => {
    try {
      loadConfig({ AUTH: 'none', ...env });
    } catch (error) {
      return String(error);
    }
    return '';
  };
  const behind = refusal({ HOST: '127.0.0.1', TRUST_PROXY: '127.0.0.1' });
  assert.match(behind, /proxy .*AUTH_NONE_IS_FINE/);
  assert.doesNotMatch(behind, /set HOST=/);
  assert.match(refusal({ HOST: '0.0.0.0' }), /set HOST=127\.0\.0\.1/);
  assert.equal(refusal({ HOST: '127.0.0.1' }), '');
});
