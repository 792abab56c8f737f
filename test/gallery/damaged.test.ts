import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { GalleryEvent } from '../../src/events/event.js';
import { createGallery, type LiveGallery } from '../../src/gallery/gallery.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { createRedisStore } from '../../src/gallery/store/redis-store.js';
import { openRedis, type RedisConnection, type RedisSettings, untilReady } from '../../src/platform/redis.js';
import { everybody, openTiny, TINY } from '../support/galleries.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const random = seededRandom(23);
const vector = () => randomUnitVector(random, TINY);
/** A pipe in the place of a file would hold its reader for ever. */
const PATIENCE = { timeout: 120_000 };

const BEGUN: GalleryEvent = {
  ...{ kind: 'begun', uid: 'x', worker: 'w', pack: 'tiny', groupid: 'staff' },
  at: new Date(0).toISOString(),
};

/** What becomes of a file. */
const DAMAGES: Record<string, (file: string) => Promise<void>> = {
  'torn in the middle': async (file) => truncate(file, Math.floor((await readFile(file)).length / 2)),
  empty: (file) => truncate(file, 0),
  garbage: (file) => writeFile(file, Buffer.alloc(300, 0xa5)),
  'JSON of another kind': (file) => writeFile(file, '[1, {"username": 7}]'),
  'many gigabytes': (file) => truncate(file, 5_000_000_000),
  'a folder': async (file) => {
    await rm(file);
    await mkdir(path.join(file, 'below'), { recursive: true });
  },
  'a pipe': async (file) => {
    await rm(file);
    assert.equal(spawnSync('mkfifo', [file]).status, 0);
  },
};

const summary = async (gallery: LiveGallery) =>
  (await everybody(gallery)).map(({ userid, username, faces }) => [userid, username, faces.length]);

describe('a file of a gallery', PATIENCE, () => {
  for (const [name, damage] of Object.entries(DAMAGES)) {
    it(`that is ${name} is named and passed over, at the start and while it runs`, async (t) => {
      const folder = await temporaryFolder(t);
      const first = await openTiny(folder);
      await first.createGroup({ groupid: 'staff', groupname: 'Staff' });
      for (const userid of ['ann', 'ben', 'cho'])
        await first.enrol({ groupid: 'staff', userid, username: userid.toUpperCase() }, vector());
      const [face] = (await first.person('staff-ann'))?.faces ?? [];
      const files = [
        path.join('tiny', 'staff-ann', `${face.id}.npy`),
        path.join('tiny', 'staff-ben', 'person.json'),
        path.join('groups', 'staff.json'),
        path.join('tiny', '.moving-000000000000.json'),
      ];
      for (const file of files.slice(3)) await writeFile(path.join(folder, file), '{"from": "a"}');
      for (const file of files) await damage(path.join(folder, file));

      // The one that runs meets them when another worker tells of a change, or all is compared.
      await first.reload();
      await first.settle({ ...BEGUN, faceid: 'staff-ben' });
      assert.deepEqual((await summary(first)).at(-1), ['cho', 'CHO', 1]);

      const warnings: string[] = [];
      const again = await openTiny(folder, { warn: (message) => warnings.push(message) });
      const expected = [
        ['ann', 'ANN', 0],
        ['ben', 'ben', 1],
        ['cho', 'CHO', 1],
      ];
      assert.deepEqual(await summary(again), expected);
      assert.ok(again.groups().some(({ groupid }) => groupid === 'staff'));
      // What the first has set aside is not met again; of all of it one of the two has told.
      const told = [...first.damaged(), ...again.damaged()].map(({ what }) => what);
      for (const file of files) assert.ok(told.includes(file), `${file}: ${told.join(', ')}`);
      assert.equal(again.info().setAside, again.damaged().length);
      assert.equal(warnings.length, again.damaged().length);
      await again.reload();
      assert.equal(warnings.length, again.damaged().length, 'each is told once');
      // It goes on: a name that was lost is given again, a person is deleted.
      await again.updatePerson('staff-ben', { username: 'Ben' });
      await again.updateGroup('staff', 'Crew');
      await again.remove('staff', 'ann');
      const last = await openTiny(folder);
      assert.deepEqual(await summary(last), [
        ['ben', 'Ben', 1],
        ['cho', 'CHO', 1],
      ]);
      assert.deepEqual(last.groups().find(({ groupid }) => groupid === 'staff')?.groupname, 'Crew');
    });
  }

  it('whose name holds an impossible date is set aside', async (t) => {
    const folder = await temporaryFolder(t);
    const gallery = await openTiny(folder);
    const { id } = await gallery.enrol({ groupid: 'default', userid: 'a' }, vector());
    const own = path.join(folder, 'tiny', 'default-a');
    const bytes = await readFile(path.join(own, `${id}.npy`));
    for (const date of ['20260231_120000', '20261301_000000', '20260101_246060', '20260101_240000'])
      await writeFile(path.join(own, `default-a_${date}_m0123456789.npy`), bytes);
    const again = await openTiny(folder);
    assert.equal(again.info().faces, 1);
    assert.equal(again.info().setAside, 4);
    assert.equal((await readdir(path.join(folder, 'set-aside', 'tiny', 'default-a'))).length, 4);
  });
});

async function openInRedis(
  t: TestContext,
  redis: RedisSettings,
  warnings: string[] = [],
): Promise<LiveGallery> {
  const warn = (message: string) => warnings.push(message);
  const store = await createRedisStore({ redis, pack: 'tiny', length: TINY, warn });
  t.after(() => store.close());
  return createGallery({ pack: 'tiny', store, index: createExactIndex(TINY), warn });
}

async function connect(t: TestContext, settings: RedisSettings): Promise<RedisConnection> {
  const redis = openRedis(settings, 'commands', () => undefined);
  t.after(() => redis.disconnect());
  await untilReady(redis, 20_000);
  return redis;
}

describe('a value of a gallery in Redis', { skip: REDIS_MISSING }, () => {
  it('that is damaged is named and passed over, at the start and while it runs', async (t) => {
    const { settings } = await startRedis(t);
    const redis = await connect(t, settings);
    const gallery = await openInRedis(t, settings);
    await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
    for (const userid of ['ann', 'ben', 'cho', 'dee', 'eve'])
      await gallery.enrol({ groupid: 'staff', userid, username: userid.toUpperCase() }, vector());
    const faceOf = async (userid: string) =>
      `{test}:face:tiny:${(await gallery.person(`staff-${userid}`))?.faces[0].id ?? ''}`;
    const [ann, eve] = [await faceOf('ann'), await faceOf('eve')];
    await redis.hset(ann, 'vector', 'too short');
    await redis.hset('{test}:people:tiny', 'staff-ben', '{"username": "BEN", "meta');
    await redis.hset('{test}:people:tiny', 'nobody at all', '{}');
    await redis.set('{test}:faces:tiny:staff-dee', 'no set');
    await redis.del(eve);
    await redis.set(eve, 'no hash');
    await redis.sadd('{test}:faces:tiny:staff-cho', 'staff-cho_20260231_000000_m0000000000');
    await redis.hset('{test}:groups', 'staff', 'Staff');
    await redis.hset('{test}:groups', '../x', '{}');
    await redis.set('{test}:all:other', 'no set');
    await redis.sadd('{test}:packs', 'other');

    await gallery.reload();
    assert.deepEqual(
      (await summary(gallery)).map(([userid]) => userid),
      ['ann', 'ben', 'cho', 'dee', 'eve'],
    );
    const warnings: string[] = [];
    const again = await openInRedis(t, settings, warnings);
    assert.deepEqual(await summary(again), [
      ['ann', 'ANN', 0],
      ['ben', 'ben', 1],
      ['cho', 'CHO', 1],
      ['dee', 'DEE', 0],
      ['eve', 'EVE', 0],
    ]);
    assert.deepEqual(
      again
        .groups()
        .map(({ groupid }) => groupid)
        .sort(),
      ['default', 'staff'],
    );
    const told = again.damaged().map(({ what }) => what);
    for (const what of [ann, eve, '{test}:people:tiny staff-ben', '{test}:people:tiny nobody at all'])
      assert.ok(told.includes(what), `${what}: ${told.join(', ')}`);
    for (const what of ['{test}:faces:tiny:staff-dee', '{test}:groups staff', '{test}:all:other'])
      assert.ok(told.includes(what), `${what}: ${told.join(', ')}`);
    await again.reload();
    assert.equal(warnings.length, told.length, 'each is told once');
    await again.updatePerson('staff-ben', { username: 'Ben' });
    await again.updateGroup('staff', 'Crew');
    await again.remove('staff', 'ann');
    const last = await openInRedis(t, settings);
    assert.equal((await last.person('staff-ben'))?.username, 'Ben');
    assert.equal(await last.person('staff-ann'), undefined);
  });

  it('ends the start with a sentence when it is one that everything hangs on', async (t) => {
    const { settings } = await startRedis(t);
    const redis = await connect(t, settings);
    await redis.set('{test}:people:tiny', 'no hash');
    await assert.rejects(openInRedis(t, settings), {
      code: 'SETUP',
      message: /\{test\}:people:tiny holds a string/,
    });
  });
});

describe('a Redis at its limit of memory', { skip: REDIS_MISSING }, () => {
  it('lets people, faces and groups be deleted, and refuses what is added by that name', async (t) => {
    const { settings } = await startRedis(t);
    const redis = await connect(t, settings);
    const { openLog } = await import('../../src/events/open-log.js');
    const { createPublisher } = await import('../../src/events/publisher.js');
    const log = await openLog({ kind: 'redis', redis: settings }, () => undefined);
    t.after(() => log.close());
    await log.start();
    const store = await createRedisStore({
      redis: settings,
      pack: 'tiny',
      length: TINY,
      warn: () => undefined,
    });
    const publisher = createPublisher(log, 'w', 'tiny');
    const gallery = await createGallery({ pack: 'tiny', store, index: createExactIndex(TINY), publisher });
    t.after(() => gallery.close());
    await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
    for (const userid of ['a', 'b', 'c']) await gallery.enrol({ groupid: 'default', userid }, vector());
    const wrong = vector();
    const { correction } = await gallery.correct('default-c', wrong);
    await redis.call('CONFIG', 'SET', 'maxmemory', '1mb');
    const full = { code: 'STORAGE_FULL', message: /maxmemory/ };
    await assert.rejects(gallery.enrol({ groupid: 'default', userid: 'd' }, vector()), full);
    await assert.rejects(gallery.createGroup({ groupid: 'guests', groupname: 'Guests' }), full);
    await assert.rejects(gallery.correct('default-c', vector()), full);
    assert.equal(gallery.ruledOut('default-c', wrong, 1)?.id, correction.id);
    await gallery.removeCorrection('default-c', correction.id);
    assert.deepEqual(gallery.corrections(), []);
    const [face] = (await gallery.person('default-a'))?.faces ?? [];
    await gallery.removeFace('default-a', face.id);
    await gallery.remove('default', 'a');
    await gallery.remove('default', 'b');
    await gallery.removeGroup('staff', { withPeople: true });
    // Nor does the log grow for ever meanwhile, or forget who reads it.
    await log.register('w', await log.start(), 60_000);
    await log.trim({ maxAge: 60_000, maxLength: 1 });
    assert.ok((await redis.xlen('{test}:events')) < 15);
    assert.deepEqual(await redis.hkeys('{test}:people:tiny'), ['default-c']);
    // A worker can start.
    assert.equal((await everybody(await openInRedis(t, settings))).length, 1);
    const { obstacle } = gallery.info();
    assert.equal(obstacle, 'redis full');
    await redis.call('CONFIG', 'SET', 'maxmemory', '0');
    await gallery.enrol({ groupid: 'default', userid: 'd' }, vector());
  });
});
