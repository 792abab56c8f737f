import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TINY } from '../support/galleries.js';
import { startSentinel } from '../support/redis-kinds.js';
import { REDIS_MISSING } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';
import { startWorker } from '../support/workers.js';

describe('workers whose Redis is kept by Sentinel', { skip: REDIS_MISSING }, () => {
  it('lose nothing when the master dies, and go on with the next one', async (t) => {
    const { settings, killMaster } = await startSentinel(t);
    const env = {
      EMBEDDINGS_DIR: await temporaryFolder(t),
      ...{ EVENT_LOG: 'redis', EMBEDDING_STORE: 'redis' },
      REDIS_URL: settings.url,
      REDIS_PASSWORD: settings.password,
      REDIS_SENTINEL_PASSWORD: settings.sentinelPassword,
      REDIS_PREFIX: settings.prefix,
    };
    const [first, second] = await Promise.all([startWorker(env), startWorker(env)]);
    t.after(() => Promise.all([first.close(), second.close()]));
    const random = seededRandom(7);
    const [before, later] = [[...randomUnitVector(random, TINY)], [...randomUnitVector(random, TINY)]];
    const nearest = async (worker: typeof first, vector: number[]) =>
      (await worker.ask('nearest', vector))?.faceid;
    await first.ask('enrol', 'default', 'before', before);
    await until(async () => (await nearest(second, before)) === 'default-before');

    await killMaster();
    assert.equal(await nearest(first, before), 'default-before', 'recognition needs no Redis');
    // Refused until Sentinel has made the other one the master.
    await until(() =>
      first.ask('enrol', 'default', 'later', later).then(
        () => true,
        (error: unknown) => {
          assert.equal((error as { code: string }).code, 'STORE_UNAVAILABLE');
          return false;
        },
      ),
    );
    await until(async () => (await nearest(second, later)) === 'default-later');
    await until(async () => (await second.ask('state'))?.trouble === null);

    // One that starts now has nothing but the new master to go by.
    const third = await startWorker(env);
    t.after(() => third.close());
    assert.deepEqual((await third.ask('snapshot')).people.map(([faceid]) => faceid).sort(), [
      'default-before',
      'default-later',
    ]);
  });
});
