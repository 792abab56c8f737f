import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { it } from 'node:test';
import type { RouteOptions } from 'fastify';
import { door } from '../support/door.js';
import { hangUp } from '../support/hang-up.js';

const timeout = 60_000;

it(
  'a stream whose client goes while it is found out who that is keeps nobody’s place',
  { timeout },
  async (t) => {
    let here = (): Promise<void> => Promise.resolve();
    const onRoute = (route: RouteOptions) => {
      if (route.url === '/api/v1/stream') route.onRequest = [...[route.onRequest ?? []].flat(), () => here()];
    };
    const most = 2;
    const test = await door(t, { MAX_STREAMS: most, CALLER_SHARE: 100 }, { onRoute });
    const upgrade = async () => [
      'GET /api/v1/stream HTTP/1.1',
      `x-api-key: ${await test.key('admin')}`,
      ...['connection: Upgrade', 'upgrade: websocket', 'sec-websocket-version: 13'],
      `sec-websocket-key: ${randomBytes(16).toString('base64')}`,
    ];
    const client = hangUp(test.app);
    ({ here } = client);
    for (let i = 0; i <= most; i++) await client.send(await upgrade());
    here = () => Promise.resolve();
    const stayed = await test.begin(await upgrade());
    assert.equal((await stayed.answer()).status, 101);
  },
);
