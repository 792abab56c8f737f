import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createRedisCursors } from '../../src/notices/redis-cursors.js';
import { openRedis, untilReady } from '../../src/platform/redis.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { until } from '../support/until.js';

it('who is told to end while it takes its turn ends its work', { skip: REDIS_MISSING }, async (t) => {
  const { settings } = await startRedis(t);
  const cursors = createRedisCursors(settings);
  t.after(() => cursors.close());
  await until(() =>
    cursors.all().then(
      () => true,
      () => false,
    ),
  );
  const ending = new AbortController();
  let worked = 0;
  const leading = cursors.lead(
    async (over) => {
      worked += 1;
      while (!over.aborted) await new Promise((resolve) => setImmediate(resolve));
    },
    { signal: ending.signal, pause: 10 },
  );
  // The answer to its question for the turn comes from another process: it cannot be here before the next turn.
  await Promise.resolve();
  ending.abort();
  await leading;
  assert.ok(worked <= 1);
  const other = openRedis(settings, 'commands', () => undefined);
  await untilReady(other, 20_000);
  assert.equal(await other.get(`{${settings.prefix}}:notices:turn`), null, 'others need not wait for it');
  other.disconnect();
});
