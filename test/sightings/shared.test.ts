import assert from 'node:assert/strict';
import { access, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { serialize } from 'node:v8';
import { UNFINISHED } from '../../src/platform/files/durable.js';
import { loadConfig } from '../../src/settings/config.js';
import { openRedis } from '../../src/platform/redis.js';
import { openLeftSightings } from '../../src/sightings/left.js';
import { openSightingStore, type SightingStore } from '../../src/sightings/store/client.js';
import { compareClocks } from '../../src/sightings/store/shared/clock.js';
import { createSharedLayout } from '../../src/sightings/store/shared/layout.js';
import { openSharedLog } from '../../src/sightings/store/shared/log.js';
import { REDIS_MISSING, startRedis, type TestRedis } from '../support/redis.js';
import { startRedisCluster } from '../support/redis-kinds.js';
import { bestFace, NOON, part, STRANGER as stranger, vote } from '../support/sightings.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

const PACK = 'tiny';
const keys = createSharedLayout({ prefix: 'test' }, PACK);

interface Machine {
  store: SightingStore;
  file: string;
  /** Another worker of the machine. */
  worker(): SightingStore;
}

/** A machine with a disk of its own. */
async function machine(t: TestContext, redis: Pick<TestRedis, 'settings'>, own?: string): Promise<Machine> {
  const file = path.join(await temporaryFolder(t), 'sightings', 'tiny.shared.db');
  const worker = () => {
    const shared = { redis: redis.settings, pack: PACK, ...(own !== undefined && { own }) };
    const store = openSightingStore({ file, gap: 10_000, pair: 0.5, shared });
    t.after(() => store.close());
    return store;
  };
  return { file, worker, store: worker() };
}

const listed = (store: SightingStore) => store.ask('sightings', {}, undefined, 1000);
const write = (store: SightingStore, ...parts: Parameters<typeof part>[]) =>
  store.ask(
    'writeParts',
    parts.map((one) => part(...one)),
    NOON,
  );

function commands(t: TestContext, { settings }: Pick<TestRedis, 'settings'>) {
  const redis = openRedis(settings, 'commands', () => undefined);
  t.after(() => redis.disconnect());
  return new Promise<typeof redis>((resolve) => redis.once('ready', () => resolve(redis)));
}

/** What Redis takes meanwhile is lost: as a replica that lags behind, and then takes over. */
async function losing(t: TestContext, redis: TestRedis, work: () => Promise<unknown>): Promise<void> {
  const direct = await commands(t, redis);
  const [last, bytes] = await direct.mget(keys.last, keys.bytes);
  const entries = await direct.xrangeBuffer(keys.log, '-', '+');
  await work();
  // XADD takes no number twice: the stream of the other server has not had it.
  await direct.del(keys.log);
  for (const [id, fields] of entries) await direct.xadd(keys.log, id, ...fields);
  await direct.mset(keys.last, last ?? '', keys.bytes, bytes ?? '0');
}

/** Whether any key of Redis holds these bytes. */
async function holds(redis: Awaited<ReturnType<typeof commands>>, bytes: Buffer): Promise<boolean> {
  for (const key of await redis.keys('*')) {
    const kind = await redis.type(key);
    const parts =
      kind === 'stream'
        ? (await redis.xrangeBuffer(key, '-', '+')).flatMap(([, fields]) => fields)
        : kind === 'list'
          ? [Buffer.concat(await redis.lrangeBuffer(key, 0, -1))]
          : kind === 'hash'
            ? Object.values(await redis.hgetallBuffer(key))
            : [(await redis.getBuffer(key)) ?? Buffer.alloc(0)];
    if (parts.some((one) => one.includes(bytes))) return true;
  }
  return false;
}

describe('sightings that machines share in Redis', { skip: REDIS_MISSING }, () => {
  it('are the same on every machine: visits, names, pictures, corrections, and what is told of them', async (t) => {
    const redis = await startRedis(t);
    const [here, there] = [await machine(t, redis), await machine(t, redis)];
    await write(here.store, ['w.1'], ['w.2', { deviceid: 'hall', ...stranger }, 2]);
    // The same visit in the other machine.
    await write(there.store, ['v.1', { votes: [vote('g-ann', 900, 0.1)] }]);
    const [mine, theirs] = [await listed(here.store), await listed(there.store)];
    assert.deepEqual(mine, theirs);
    assert.deepEqual(
      mine.map(({ deviceid, faceid }) => [deviceid, faceid]),
      [
        ['hall', null],
        ['door', 'g-ann'],
      ],
    );
    assert.equal(mine[1].frames, 20);
    const { id } = mine[1];
    assert.deepEqual((await there.store.ask('face', id))?.crop, Uint8Array.of(1, 2, 3));
    assert.equal(await there.store.ask('correctSighting', id, 'g-ann', 'c1'), true);
    assert.equal((await listed(here.store))[1].faceid, null);
    assert.deepEqual(await here.store.ask('happenings', 0, 100), await there.store.ask('happenings', 0, 100));
    assert.equal(await here.store.ask('uncorrectSightings', 'c1', 'g-ann', 'g'), 1);
    assert.equal((await listed(there.store))[1].faceid, 'g-ann');
  });

  it('lose nothing and count nothing twice when workers of several machines write at once', async (t) => {
    const redis = await startRedis(t);
    const [here, there] = [await machine(t, redis), await machine(t, redis)];
    const stores = [here.store, here.worker(), there.store, there.worker()];
    const EACH = 30;
    await Promise.all(
      stores.map(async (store, worker) => {
        for (let i = 0; i < EACH; i++) {
          const more = { deviceid: `door-${worker}-${i}`, votes: [vote(`g-p${i}`)] };
          for (const frames of [1, 7]) await write(store, [`w${worker}.${i}`, { ...more, frames }]);
        }
      }),
    );
    const all = await Promise.all(stores.map(listed));
    assert.equal(all[0].length, stores.length * EACH);
    assert.ok(all[0].every(({ frames }) => frames === 7));
    for (const other of all) assert.deepEqual(other, all[0]);
    const told = await Promise.all(stores.map((store) => store.ask('happenings', 0, 1000)));
    for (const other of told) assert.deepEqual(other, told[0]);
    assert.equal(told[0].length, stores.length * EACH);
  });

  it('come to a machine that was away, and to a new one, also when what they missed has been put together', async (t) => {
    const redis = await startRedis(t);
    const [here, away] = [await machine(t, redis), await machine(t, redis)];
    await write(here.store, ['w.1']);
    assert.equal((await listed(away.store)).length, 1);
    await away.store.close();
    for (let i = 2; i < 6; i++) await write(here.store, [`w.${i}`, { deviceid: `hall-${i}` }]);
    const gone = (await listed(here.store)).at(0);
    assert.ok(gone);
    await here.store.ask('eraseSighting', gone.id);
    const direct = await commands(t, redis);
    await until(async () => (await direct.xlen(keys.log)) === 0);
    await write(here.store, ['w.9', { deviceid: 'late' }]);
    const expected = await listed(here.store);
    assert.equal(expected.length, 5);
    assert.deepEqual(await listed(away.worker()), expected);
    const fresh = await machine(t, redis);
    assert.deepEqual(await listed(fresh.store), expected);
    // And it takes part: the number of the one that was erased is not given again.
    await write(fresh.store, ['f.1', { deviceid: 'new' }]);
    assert.deepEqual(await listed(here.store), await listed(fresh.store));
  });

  it('leave nothing of whoever is erased in Redis: no name, no vector, no picture', async (t) => {
    const redis = await startRedis(t);
    const [here, there] = [await machine(t, redis), await machine(t, redis)];
    const crop = Buffer.from('a picture that is found again');
    const best = { ...bestFace(1.25), crop: Uint8Array.from(crop) };
    const vector = Buffer.from(best.vector.buffer, best.vector.byteOffset, best.vector.byteLength);
    await write(here.store, ['w.1', { votes: [vote('g-erika')], best }], ['w.2', { deviceid: 'hall' }]);
    const direct = await commands(t, redis);
    const secrets = [crop, vector, Buffer.from('g-erika')];
    for (const secret of secrets) assert.equal(await holds(direct, secret), true);
    const erased = await there.store.ask('erasePeople', [{ faceid: 'g-erika' }]);
    assert.deepEqual([erased.sightings, erased.pictures, erased.isClean], [1, 1, true]);
    for (const secret of secrets) await until(async () => !(await holds(direct, secret)));
    for (const { store } of [here, there])
      assert.deepEqual(
        (await listed(store)).map(({ faceid }) => faceid),
        ['g-ann'],
      );
  });

  it('are read while Redis is away, refuse changes as "away", and go on with all of them afterwards', async (t) => {
    const redis = await startRedis(t);
    const { store } = await machine(t, redis);
    await write(store, ['w.1']);
    await redis.stop();
    await assert.rejects(write(store, ['w.2', { deviceid: 'hall' }]), { code: 'STORE_UNAVAILABLE' });
    assert.equal((await listed(store)).length, 1);
    await redis.start();
    await until(() =>
      write(store, ['w.2', { deviceid: 'hall' }]).then(
        () => true,
        () => false,
      ),
    );
    assert.equal((await listed(store)).length, 2);
  });

  it('come back to a Redis that has lost everything, from whoever knows most', async (t) => {
    const redis = await startRedis(t);
    const [here, there] = [await machine(t, redis), await machine(t, redis)];
    await write(here.store, ['w.1']);
    await listed(there.store);
    await write(here.store, ['w.2', { deviceid: 'hall' }]);
    await (await commands(t, redis)).flushall();
    assert.equal((await listed(here.store)).length, 2);
    assert.deepEqual(await listed(there.store), await listed(here.store));
    await write(there.store, ['v.1', { deviceid: 'yard' }]);
    assert.equal((await listed(here.store)).length, 3);
  });

  it('are what Redis has, where another server of it took over that had not heard of the last change', async (t) => {
    for (const withBase of [false, true]) {
      const redis = await startRedis(t);
      const [here, there] = [await machine(t, redis), await machine(t, redis)];
      await write(here.store, ['w.1'], ['w.0', { deviceid: 'shed' }]);
      if (withBase) {
        await here.store.ask('eraseSighting', 2);
        const direct = await commands(t, redis);
        await until(async () => (await direct.exists(keys.base)) === 1);
        await write(here.store, ['w.3', { deviceid: 'roof' }]);
      }
      await listed(there.store);
      await losing(t, redis, () => write(here.store, ['w.2', { deviceid: 'hall' }]));
      await write(there.store, ['v.1', { deviceid: 'yard' }]);
      const seen = await listed(here.store);
      assert.deepEqual(seen, await listed(there.store));
      assert.ok(seen.some(({ deviceid }) => deviceid === 'yard'));
      await write(here.store, ['w.4', { deviceid: 'gate' }]);
      assert.deepEqual(await listed(here.store), await listed(there.store));
    }
  });

  it('stay erased, where somebody erased them after Redis had lost what another machine knows', async (t) => {
    const redis = await startRedis(t);
    const [here, there] = [await machine(t, redis), await machine(t, redis)];
    await write(here.store, ['w.1', { deviceid: 'shed' }], ['w.2']);
    const erased = (await listed(there.store)).find(({ deviceid }) => deviceid === 'shed');
    assert.ok(erased);
    await losing(t, redis, async () => {
      for (const deviceid of ['hall', 'roof']) await write(here.store, [`w.${deviceid}`, { deviceid }]);
    });
    await there.store.ask('eraseSighting', erased.id);
    for (const { store } of [here, there, here]) {
      assert.deepEqual(
        (await listed(store)).map(({ deviceid }) => deviceid),
        ['door'],
      );
      assert.equal((await store.ask('face', erased.id)) ?? null, null);
    }
    await write(here.store, ['w.3', { deviceid: 'gate' }]);
    assert.deepEqual(await listed(there.store), await listed(here.store));
  });

  it('come back to a Redis that has lost the last of them, where nobody has changed any since', async (t) => {
    const redis = await startRedis(t);
    const [here, there] = [await machine(t, redis), await machine(t, redis)];
    await write(here.store, ['w.1']);
    await listed(there.store);
    await losing(t, redis, async () => {
      for (const deviceid of ['hall', 'roof']) await write(here.store, [`w.${deviceid}`, { deviceid }]);
    });
    assert.equal((await listed(here.store)).length, 3);
    assert.deepEqual(await listed(there.store), await listed(here.store));
  });

  it('say that the clock is wrong where it is not that of Redis', async (t) => {
    const log = openSharedLog((await startRedis(t)).settings, PACK);
    t.after(() => log.close());
    const said: string[] = [];
    const warn = (message: string) => void said.push(message);
    await compareClocks(log, warn);
    assert.deepEqual(said, []);
    await compareClocks(log, warn, () => Date.now() - 100_000);
    assert.match(said.join(), /differs from that of Redis by -\d+ s/);
  });

  it('leave nothing in a Redis that had no room for all of them', async (t) => {
    const redis = await startRedis(t, ['--maxmemory', '24mb', '--maxmemory-policy', 'noeviction']);
    const log = openSharedLog(redis.settings, PACK);
    t.after(() => log.close());
    await log.isEmpty();
    let sent = 0;
    async function* chunks() {
      for (; sent < 20; sent++) yield await Promise.resolve(Buffer.alloc(4_194_304));
    }
    await assert.rejects(log.rebase({ position: 5, mark: 'm' }, chunks()), { code: 'REDIS_FULL' });
    assert.ok(sent > 0);
    const direct = await commands(t, redis);
    assert.deepEqual(await direct.keys('*'), []);
  });

  it('come back to Redis from one machine at a time', async (t) => {
    const redis = await startRedis(t);
    const { store } = await machine(t, redis);
    await write(store, ['w.1']);
    const direct = await commands(t, redis);
    await direct.flushall();
    await direct.set(keys.turn, '1');
    await assert.rejects(write(store, ['w.2', { deviceid: 'hall' }]), { code: 'STORE_UNAVAILABLE' });
    assert.equal((await listed(store)).length, 1);
    assert.deepEqual(await direct.keys('*'), [keys.turn]);
    await direct.del(keys.turn);
    await write(store, ['w.2', { deviceid: 'hall' }]);
    assert.equal((await listed(store)).length, 2);
    assert.equal(await direct.exists(keys.turn), 0);
  });

  it('begin with what one machine kept alone, once', async (t) => {
    const redis = await startRedis(t);
    const own = path.join(await temporaryFolder(t), 'tiny.db');
    const alone = openSightingStore({ file: own, gap: 10_000, pair: 0.5 });
    await write(alone, ['o.1'], ['o.2', { deviceid: 'hall' }]);
    const kept = await listed(alone);
    await alone.close();
    const here = await machine(t, redis, own);
    const other = here.worker();
    assert.deepEqual(await Promise.all([listed(here.store), listed(other)]), [kept, kept]);
    const there = await machine(t, redis);
    assert.deepEqual(await listed(there.store), kept);
    // A second machine with sightings of its own finds that something is shared already.
    const third = await machine(t, redis, own);
    assert.deepEqual(await listed(third.store), kept);
    await access(own);
  });

  it('take nothing from Redis that does more than change rows', async (t) => {
    const redis = await startRedis(t);
    const { store, file } = await machine(t, redis);
    await write(store, ['w.1']);
    const direct = await commands(t, redis);
    const victim = path.join(path.dirname(file), 'written');
    const content = { schema: 1, statements: [['VACUUM INTO ?', [victim]]] };
    const before = (await direct.get(keys.last))?.split(' ')[1] ?? '';
    await direct.xadd(keys.log, '2-0', 'change', serialize(content), 'mark', 'm', 'before', before);
    await direct.set(keys.last, '2 m');
    await assert.rejects(write(store, ['w.2', { deviceid: 'hall' }]));
    await assert.rejects(access(victim));
    assert.equal((await listed(store)).length, 1);
  });

  it('are erased everywhere by a machine that keeps none any more', async (t) => {
    const redis = await startRedis(t);
    const [here, there] = [await machine(t, redis), await machine(t, redis)];
    await write(here.store, ['w.1']);
    assert.equal((await listed(there.store)).length, 1);
    await here.store.close();
    // What a process that was killed while it made a base has left.
    const copy = path.join(path.dirname(here.file), `${UNFINISHED}tiny.shared.db.zz.base`);
    await writeFile(copy, 'everything');
    await utimes(copy, 0, 0);
    const left = await openLeftSightings({
      config: loadConfig({ EMBEDDINGS_DIR: path.dirname(path.dirname(here.file)) }),
      ...{ pack: undefined, redis: redis.settings, log: { warn: console.error, info: () => undefined } },
      gallery: { person: () => Promise.resolve(undefined), subscribe: () => () => undefined },
      date: () => NOON + 31 * 86_400_000,
    });
    t.after(() => Promise.all(left.map((one) => one.close())));
    await until(async () => (await listed(there.store)).length === 0);
    await assert.rejects(access(copy));
  });

  it('are shared through a cluster, too', async (t) => {
    const settings = await startRedisCluster(t);
    const [here, there] = [await machine(t, { settings }), await machine(t, { settings })];
    await write(here.store, ['w.1']);
    await there.store.ask('erasePeople', [{ faceid: 'g-ann' }]);
    await write(there.store, ['v.2', { deviceid: 'hall' }]);
    assert.deepEqual(await listed(here.store), await listed(there.store));
  });
});
