import assert from 'node:assert/strict';
import path from 'node:path';
import { it } from 'node:test';
import { SECRET, startReceiver } from '../support/receiver.js';
import { startServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

it('a server tells whom its settings name, and says how that goes', async (t) => {
  const receiver = await startReceiver(t);
  const folder = await temporaryFolder(t);
  const server = await startServer({
    ...{ MODEL_PACK: 'faceapi', EMBEDDINGS_DIR: path.join(folder, 'embeddings') },
    CACHE_DIR: path.join(folder, 'cache'),
    ...{ WEBHOOKS: receiver.url, WEBHOOK_SECRET: SECRET, WEBHOOK_PRIVATE: 'true' },
  });
  t.after(() => server.end('SIGKILL'));
  const send = (url: string, body: object) =>
    server.post(url, {
      headers: { 'content-type': 'application/json' },
      payload: Buffer.from(JSON.stringify(body)),
    });
  interface Health {
    status: string;
    notices: { receivers: number; delivered: number };
  }
  const health = async () => (await server.get('/api/v1/health')).body as Health;
  await until(async () => (await health()).notices.receivers === 1);
  const tried = await send('/api/v1/notices/test', {});
  assert.deepEqual(tried.body, {
    receivers: [{ receiver: new URL(receiver.url).origin, isDelivered: true, reason: null }],
  });
  assert.equal((await send('/api/v1/people', { groupid: 'default', userid: 'ada' })).status, 201);
  await until(() => receiver.received.length === 2);
  assert.deepEqual(
    receiver.once().map(({ type, person }) => [type, person?.faceid]),
    [
      ['test', undefined],
      ['created', 'default-ada'],
    ],
  );
  await until(async () => (await health()).notices.delivered === 1);
  assert.equal((await health()).status, 'ok');
  assert.equal(await server.end(), 0);
});
