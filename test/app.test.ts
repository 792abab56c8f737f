import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { testApp } from './support/app.js';

describe('the app', () => {
  it('answers an unknown address by 404 and a broken one by 400, both as JSON', async (t) => {
    const { app } = await testApp(t);
    const unknown = await app.inject('/api/v1/nothing?q=1');
    assert.equal(unknown.statusCode, 404);
    assert.deepEqual(unknown.json(), {
      statusCode: 404,
      code: 'NOT_FOUND',
      error: 'Not Found',
      message: 'There is nothing at GET /api/v1/nothing.',
    });
    const broken = await app.inject('/api/%E0%A4%A');
    assert.equal(broken.statusCode, 400);
    assert.equal(broken.json<{ code: string }>().code, 'FIELD_INVALID');
  });

  it('tells browsers to load nothing from elsewhere and to keep the camera to itself', async (t) => {
    const { app } = await testApp(t);
    const { headers } = await app.inject('/api/v1/health');
    const policy = String(headers['content-security-policy']);
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'self'(;|$)/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe|\*|https?:/);
    assert.equal(headers['x-content-type-options'], 'nosniff');
    assert.match(String(headers['permissions-policy']), /camera=\(self\)/);
    assert.equal(headers['strict-transport-security'], undefined);
  });

  it('names each request: by the proxy’s ID when it is fit for a log, else by its own', async (t) => {
    const { app, log } = await testApp(t);
    const ask = async (id: string) => {
      const { headers } = await app.inject({ url: '/api/groups', headers: { 'x-request-id': id } });
      return String(headers['x-request-id']);
    };
    assert.equal(await ask('proxy-1'), 'proxy-1');
    assert.match(await ask('bad id "}'), /^[0-9a-f-]{36}$/);
    assert.ok(log.some(({ reqId }) => reqId === 'proxy-1'));
  });

  it('leaves no file outside public/ in reach', async (t) => {
    const { app } = await testApp(t);
    for (const url of ['/../package.json', '/..%2Fpackage.json', '/%2e%2e/package.json', '/package.json']) {
      const { statusCode, body } = await app.inject(url);
      assert.ok(statusCode >= 400 && statusCode < 500, url);
      assert.doesNotMatch(body, /"dependencies"/);
    }
  });
});
