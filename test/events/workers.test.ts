import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { chaos } from '../support/chaos.js';
import { TINY } from '../support/galleries.js';
import { REDIS_MISSING, startRedis, type TestRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';
import { startWorker } from '../support/workers.js';

/** `CHAOS=5000 npm test -- events/workers` runs as long as it is meant to; CI has less time. */
const OPERATIONS = Number(process.env.CHAOS ?? 200);
const KILL_EVERY = Number(process.env.CHAOS_KILL_EVERY ?? 40);
const SEED = Number(process.env.CHAOS_SEED ?? 1);

interface Stage {
  env: Record<string, string>;
  redis: TestRedis | undefined;
}

async function fileStage(t: TestContext): Promise<Stage> {
  const folder = await temporaryFolder(t);
  return { env: { EMBEDDINGS_DIR: path.join(folder, 'embeddings'), EVENT_LOG: 'file' }, redis: undefined };
}

async function redisStage(t: TestContext): Promise<Stage> {
  const folder = await temporaryFolder(t);
  const redis = await startRedis(t);
  const env = {
    // Redis is all that they share.
    EMBEDDINGS_DIR: path.join(folder, 'embeddings'),
    EVENT_LOG: 'redis',
    EMBEDDING_STORE: 'redis',
    REDIS_URL: redis.settings.url,
    REDIS_PASSWORD: redis.settings.password,
    REDIS_PREFIX: redis.settings.prefix,
  };
  return { env, redis };
}

async function startThree(t: TestContext, env: Record<string, string>) {
  const workers = await Promise.all([startWorker(env), startWorker(env), startWorker(env)]);
  t.after(() => Promise.all(workers.map((worker) => worker.close())));
  return workers;
}

for (const [name, skip, prepare] of [
  ['files', false, fileStage],
  ['Redis', REDIS_MISSING, redisStage],
] as const) {
  describe(`three workers over ${name}`, { skip }, () => {
    it('know and forget whom one of them enrols and deletes, in its order', async (t) => {
      const { env } = await prepare(t);
      const [first, ...others] = await startThree(t, env);
      const random = seededRandom(SEED);
      const delays: Record<string, number[]> = { enrolment: [], deletion: [] };
      const expected: unknown[] = [];
      for (let i = 0; i < 200; i++) {
        const vector = [...randomUnitVector(random, TINY)];
        const { id, faceid } = await first.ask('enrol', 'default', `u${i}`, vector);
        await measure('enrolment', `enrolled ${id}`);
        for (const other of others) assert.equal((await other.ask('nearest', vector))?.face, id);
        await first.ask('remove', 'default', `u${i}`);
        await measure('deletion', `removed ${faceid}`);
        for (const other of others) assert.equal(await other.ask('nearest', vector), null);
        expected.push({ kind: 'enrolled', faceid, face: id }, { kind: 'removed', faceid });
      }
      for (const other of others) assert.deepEqual(await other.ask('changes'), expected);
      for (const [what, times] of Object.entries(delays)) {
        times.sort((a, b) => a - b);
        const at = (part: number) => (times[Math.ceil(times.length * part) - 1] ?? NaN).toFixed(1);
        t.diagnostic(
          `${what} through one, known to the others: median ${at(0.5)} ms, p99 ${at(0.99)} ms of ${times.length}`,
        );
      }

      /** From the moment that the enrolling worker knows it, which is when it answers, to the last of the others. */
      async function measure(what: string, key: string): Promise<void> {
        let shown: (number | null)[] = [];
        await until(async () => {
          shown = await Promise.all(others.map((other) => other.ask('seen', key)));
          return shown.every((time) => time !== null);
        });
        const own = (await first.ask('seen', key)) ?? NaN;
        delays[what].push(Math.max(...shown.map(Number)) - own);
      }
    });

    it('name by a threshold that is chosen through one of them, after a restart, too, until it is undone', async (t) => {
      const { env } = await prepare(t);
      const [first, second, third] = await startThree(t, env);
      const before = await first.ask('threshold');
      const chosen = before / 2;
      await first.ask('setThreshold', chosen);
      for (const other of [second, third]) await until(async () => (await other.ask('threshold')) === chosen);
      await third.kill();
      const again = await startWorker(env);
      t.after(() => again.close());
      assert.equal(await again.ask('threshold'), chosen);
      await second.ask('setThreshold');
      for (const other of [first, second, again])
        await until(async () => (await other.ask('threshold')) === before);
      await again.kill();
      const last = await startWorker(env);
      t.after(() => last.close());
      assert.equal(await last.ask('threshold'), before);
    });

    it(`agree with the store after ${OPERATIONS} random operations while processes are killed`, async (t) => {
      const { env, redis } = await prepare(t);
      const summary = await chaos({
        ...{ env, operations: OPERATIONS, killEvery: KILL_EVERY, random: seededRandom(SEED) },
        ...(redis && { killRedis: () => redis.start() }),
      });
      t.diagnostic(summary);
    });
  });
}

describe('workers over snapshots', () => {
  it(`agree with the store after ${OPERATIONS} random operations while processes are killed and snapshots damaged`, async (t) => {
    const { env } = await fileStage(t);
    const summary = await chaos({
      ...{ env: { ...env, SNAPSHOTS_OFTEN: 'true' }, operations: OPERATIONS, killEvery: KILL_EVERY },
      ...{ random: seededRandom(SEED), snapshots: path.join(env.EMBEDDINGS_DIR, 'snapshots') },
    });
    t.diagnostic(summary);
  });
});

describe('without Redis for a while', { skip: REDIS_MISSING }, () => {
  it('recognition goes on, enrolment is refused by 503, and all catch up when it is back', async (t) => {
    const { env, redis } = await redisStage(t);
    const [first, ...others] = await startThree(t, env);
    const random = seededRandom(SEED);
    const known = [...randomUnitVector(random, TINY)];
    const { id } = await first.ask('enrol', 'default', 'a', known);
    for (const other of others) await until(async () => (await other.ask('nearest', known)) !== null);

    await redis?.stop();
    const refused = [...randomUnitVector(random, TINY)];
    for (const worker of [first, ...others]) {
      await assert.rejects(worker.ask('enrol', 'default', 'b', refused), {
        code: 'STORE_UNAVAILABLE',
        statusCode: 503,
        retryAfter: 5,
      });
      assert.equal((await worker.ask('nearest', known))?.face, id);
      await until(async () => (await worker.ask('state'))?.trouble !== null);
    }

    await redis?.start();
    const later = [...randomUnitVector(random, TINY)];
    await until(() =>
      first.ask('enrol', 'default', 'c', later).then(
        () => true,
        () => false,
      ),
    );
    await first.ask('remove', 'default', 'a');
    for (const worker of [first, ...others]) {
      await until(async () => (await worker.ask('nearest', later))?.faceid === 'default-c');
      await until(async () => (await worker.ask('nearest', known))?.faceid === 'default-c');
      const { people } = await worker.ask('snapshot');
      assert.deepEqual(
        people.map(([faceid]) => faceid),
        ['default-c'],
      );
      await until(async () => (await worker.ask('state'))?.trouble === null);
    }
  });

  it('a worker that starts meanwhile recognises from its files and follows once Redis is there', async (t) => {
    const { env, redis } = await redisStage(t);
    const shared = { ...env, EMBEDDING_STORE: 'file' };
    const first = await startWorker(shared);
    t.after(() => first.close());
    const known = [...randomUnitVector(seededRandom(SEED), TINY)];
    await first.ask('enrol', 'default', 'a', known);
    await redis?.stop();
    const second = await startWorker(shared);
    t.after(() => second.close());
    assert.equal((await second.ask('nearest', known))?.faceid, 'default-a');
    await assert.rejects(second.ask('remove', 'default', 'a'), { code: 'STORE_UNAVAILABLE' });
    assert.equal((await second.ask('nearest', known))?.faceid, 'default-a');
    await redis?.start();
    await until(() =>
      first.ask('remove', 'default', 'a').then(
        () => true,
        () => false,
      ),
    );
    await until(async () => (await second.ask('nearest', known)) === null);
  });
});
