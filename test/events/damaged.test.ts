import assert from 'node:assert/strict';
import { appendFile, mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createDamage } from '../../src/platform/files/damage.js';
import type { GalleryEvent } from '../../src/events/event.js';
import { createFileLog } from '../../src/events/file-log.js';
import type { EventLog } from '../../src/events/log.js';
import { createRedisLog } from '../../src/events/redis-log.js';
import { openRedis, untilReady } from '../../src/platform/redis.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

const event = (uid: string): GalleryEvent => ({
  ...{ kind: 'enrolled', uid, worker: 'w', pack: 'tiny', groupid: 'g', faceid: 'g-a', face: 'f' },
  at: new Date().toISOString(),
});

/** Follows and remembers; ends with the test. */
function follow(t: TestContext, log: EventLog, position: string) {
  const seen: string[] = [];
  const troubles: string[] = [];
  const state = { seen, troubles, lost: 0 };
  const following = log.follow(position, {
    events: (batch) => Promise.resolve(void seen.push(...batch.map(({ event: { uid } }) => uid))),
    lost: () => Promise.resolve(void (state.lost += 1)),
    reached: () => undefined,
    trouble: (reason) => {
      if (reason) troubles.push(reason);
    },
  });
  t.after(() => following.close());
  return state;
}

const named = () => {
  const damage = createDamage(() => undefined);
  return { damage, names: () => damage.list().map(({ what }) => what) };
};

describe('a log of events in files', () => {
  it('is trimmed whatever lies among the positions of its workers, and says what does', async (t) => {
    const folder = path.join(await temporaryFolder(t), 'events');
    const { damage, names } = named();
    const log = createFileLog({ folder, segmentBytes: 500, damage });
    t.after(() => log.close());
    for (let i = 0; i < 20; i++) await log.append(event(`e${i}`));
    const segments = async () => (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).length;
    const workers = path.join(folder, 'workers');
    await log.register('living', await log.start(), 60_000);
    const torn = path.join(workers, 'dead.json.unfinished');
    await writeFile(torn, '{"positi');
    await utimes(torn, new Date(0), new Date(0));
    await writeFile(path.join(workers, 'torn.json'), '{"position": "1-0", "exp');
    await writeFile(
      path.join(workers, 'strange.json'),
      JSON.stringify({ position: 'here', expires: Date.now() + 1000 }),
    );
    // Written before the clock was set back by a year.
    await writeFile(
      path.join(workers, 'late.json'),
      JSON.stringify({ position: '1-0', expires: Date.now() + 4e10 }),
    );
    await mkdir(path.join(workers, 'folder.json'));
    assert.ok((await segments()) > 3);
    await log.trim({ maxAge: 0, maxLength: 0 });
    assert.ok((await segments()) <= 2, 'the last one, and the one that is read');
    assert.deepEqual(
      names().sort(),
      ['folder', 'late', 'strange', 'torn'].map((name) => path.join('events', 'workers', `${name}.json`)),
    );
    assert.deepEqual(await readdir(workers), ['living.json']);
    const aside = await readdir(path.join(path.dirname(folder), 'set-aside', 'events', 'workers'));
    assert.equal(aside.length, 4);
  });

  it('is followed past bytes that are no events, however many, and the store is looked at then', async (t) => {
    const folder = path.join(await temporaryFolder(t), 'events');
    const { damage, names } = named();
    const log = createFileLog({ folder, damage });
    t.after(() => log.close());
    const state = follow(t, log, await log.start());
    await log.append(event('a'));
    await until(() => state.seen.length === 1);
    const [segment] = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
    await appendFile(path.join(folder, segment), Buffer.alloc(700_000, 0xa5));
    await log.append(event('b'));
    await until(() => state.seen.length === 2);
    await appendFile(path.join(folder, segment), '\nnot JSON}\n');
    await log.append(event('c'));
    await until(() => state.seen.length === 3);
    assert.deepEqual(state.seen, ['a', 'b', 'c']);
    assert.ok(state.lost >= 2);
    assert.deepEqual(names(), [path.join('events', segment)]);
  });

  it('goes on where a folder has the name of its next part', async (t) => {
    const folder = path.join(await temporaryFolder(t), 'events');
    const { damage, names } = named();
    await mkdir(path.join(folder, '0000000001.jsonl', 'below'), { recursive: true });
    const log = createFileLog({ folder, damage });
    t.after(() => log.close());
    const state = follow(t, log, await log.start());
    await log.append(event('a'));
    await until(() => state.seen.length === 1);
    assert.deepEqual(names(), [path.join('events', '0000000001.jsonl')]);
  });
});

describe('a log of events in Redis', { skip: REDIS_MISSING }, () => {
  it('is trimmed and followed whatever stands in its keys, and says what does', async (t) => {
    const { settings } = await startRedis(t);
    const redis = openRedis(settings, 'commands', () => undefined);
    t.after(() => redis.disconnect());
    await untilReady(redis, 20_000);
    const { damage, names } = named();
    const log = createRedisLog(settings, () => undefined, damage);
    t.after(() => log.close());
    const state = follow(t, log, await log.start());
    await log.append(event('a'));
    await until(() => state.seen.length === 1);

    await redis.hset(
      '{test}:events:workers',
      'torn',
      '{"position": "0-1@',
      'late',
      JSON.stringify({ position: '0-1@x', expires: 9e15 }),
    );
    await log.trim({ maxAge: 60_000, maxLength: 1000 });
    assert.deepEqual(await redis.hkeys('{test}:events:workers'), []);
    await redis.hset('{test}:events:state', 'trimmed', 'nonsense');
    await redis.xadd('{test}:events', '*', 'event', 'not JSON}');
    await log.append(event('b'));
    await until(() => state.seen.length === 2);
    assert.ok(state.lost >= 1, 'what the entry said can be seen in the store');
    assert.ok(
      names().some((what) => what.startsWith('{test}:events ')),
      names().join(),
    );

    for (const key of ['{test}:events', '{test}:events:state', '{test}:events:workers']) {
      const { lost } = state;
      await redis.del(key);
      await redis.set(key, 'something else');
      await until(
        async () => state.lost > lost || (await redis.type(key)) !== 'string' || key.endsWith('workers'),
      );
      if (key.endsWith('workers')) await log.start();
      const { length } = state.seen;
      await until(() =>
        log.append(event('c')).then(
          () => true,
          () => false,
        ),
      );
      await until(() => state.seen.length > length || state.lost > lost);
      await log.register('w', await log.start(), 60_000);
      assert.ok(names().includes(key), `${key}: ${names().join()}`);
    }
  });
});
