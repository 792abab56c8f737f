import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { GalleryEvent } from '../../src/events/event.js';
import { openLog } from '../../src/events/open-log.js';
import { nameFace, parseFaceId } from '../../src/gallery/face-name.js';
import { logSettings, openStore } from '../../src/gallery/open-store.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { openGallery } from '../../src/gallery/open.js';
import type { Gallery } from '../../src/gallery/types.js';
import { openNotices } from '../../src/notices/open.js';
import { POST_TIMES } from '../../src/notices/post.js';
import { type Config, loadConfig } from '../../src/settings/config.js';
import { TINY } from '../support/galleries.js';
import { SECRET, startReceiver, type TestReceiver } from '../support/receiver.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { startWorker } from '../support/workers.js';

const VECTOR = Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0);
const TIMES = { ...POST_TIMES, turn: 50, look: 20, poll: 50, retry: 20, longest: 100 };
type Env = Record<string, string>;

async function fileEnv(t: TestContext): Promise<Env> {
  return { EMBEDDINGS_DIR: path.join(await temporaryFolder(t), 'embeddings'), EVENT_LOG: 'file' };
}

async function redisEnv(t: TestContext): Promise<Env> {
  const { settings } = await startRedis(t);
  return {
    ...(await fileEnv(t)),
    ...{ EVENT_LOG: 'redis', EMBEDDING_STORE: 'redis' },
    ...{ REDIS_URL: settings.url, REDIS_PASSWORD: settings.password, REDIS_PREFIX: settings.prefix },
  };
}

const tell = (...receivers: TestReceiver[]): Env => ({
  WEBHOOKS: receivers.map(({ url }) => url).join(','),
  ...{ WEBHOOK_SECRET: SECRET, WEBHOOK_PRIVATE: 'true' },
});

async function openTold(t: TestContext, env: Env, more: Partial<Config> = {}, follow = true) {
  const config = { ...loadConfig(env), ...more };
  const { gallery } = await openGallery(config, {
    ...{ pack: { id: 'tiny', embedder: { length: TINY } }, index: createExactIndex(TINY), follow },
    ...{ settleAfter: [200, 500], warn: () => undefined },
  });
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= gallery.close());
  t.after(close);
  return { ...(await openTeller(t, config, gallery)), gallery: { ...gallery, close } };
}

/** A worker that dies in the middle of changes. */
async function openDying(t: TestContext, config: Config) {
  const settings = await logSettings(config);
  assert.ok(settings);
  const log = await openLog(settings, () => undefined);
  const store = await openStore(config, 'tiny', TINY, () => undefined);
  t.after(() => Promise.all([log.close(), store.close()]));
  const isThere = () =>
    log.start().then(
      () => true,
      () => false,
    );
  await until(isThere);
  /** @param isStored it dies after it has written the store, before it says so in the log */
  return async (userid: string, isStored: boolean, age = 0) => {
    const at = new Date(Date.now() - age);
    const faceid = `default-${userid}`;
    const face = parseFaceId(faceid, nameFace(faceid, at, false));
    assert.ok(face);
    const about = { groupid: 'default', faceid, face: face.id, at: at.toISOString() };
    const uid = `begun-${userid}`;
    await log.append({ ...about, kind: 'begun', will: 'enrolled', uid, worker: 'dying', pack: 'tiny' });
    if (isStored) await store.addFace({ ...face, hasPicture: false }, VECTOR, {});
  };
}

async function openTeller(t: TestContext, config: Config, gallery: Gallery) {
  const said: string[] = [];
  const say = (message: string) => void said.push(message);
  const notices = await openNotices(config, { gallery, pack: 'tiny', warn: say, note: say, times: TIMES });
  assert.ok(notices);
  let closing: Promise<void> | undefined;
  const close = () => (closing ??= notices.close());
  t.after(close);
  // Who is told first hears of what happens from then on.
  const count = config.WEBHOOKS.split(',').length;
  await until(() => notices.info().receivers.length === count);
  return { config, notices: { ...notices, close }, said };
}

/** Of another pack: nobody is told. */
const foreign = (uid: string): GalleryEvent => ({
  ...{ kind: 'enrolled', uid, worker: 'w', pack: 'other', at: new Date().toISOString() },
  ...{ groupid: 'default', faceid: 'default-x', face: 'f' },
});
const enrol = (gallery: Gallery, userid: string, username = userid) =>
  gallery.enrol({ groupid: 'default', userid, username }, VECTOR);
const people = (receiver: TestReceiver) => receiver.once().map(({ person }) => person?.userid);
const numbers = (count: number, from = 0) => Array.from({ length: count }, (_, i) => `p${from + i}`);

for (const [name, skip, prepare] of [
  ['files', false, fileEnv],
  ['Redis', REDIS_MISSING, redisEnv],
] as const) {
  describe(`notices over ${name}`, { skip }, () => {
    it('tell who was enrolled, moved and deleted, by name, and never a vector', async (t) => {
      const receiver = await startReceiver(t);
      const { gallery } = await openTold(t, { ...(await prepare(t)), ...tell(receiver) });
      await enrol(gallery, 'hanako', '山田 花子');
      await until(() => receiver.received.length === 1);
      await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
      await gallery.movePerson('default-hanako', { groupid: 'staff', userid: 'hanako' });
      await gallery.updatePerson('staff-hanako', { username: 'H' });
      await gallery.remove('staff', 'hanako');
      await until(() => receiver.received.length === 3);
      const [enrolled, moved, deleted] = receiver.once();
      assert.deepEqual(enrolled.person, {
        ...{ faceid: 'default-hanako', groupid: 'default', userid: 'hanako', username: '山田 花子' },
      });
      assert.deepEqual([moved.type, moved.from], ['moved', 'default-hanako']);
      assert.deepEqual([deleted.type, deleted.person?.username], ['deleted', null]);
      for (const { body } of receiver.received)
        assert.ok(!/embedding|vector/.test(body) && body.length < 500);
    });

    it('wait for a receiver that is away, and come in order', async (t) => {
      const receiver = await startReceiver(t);
      const { gallery, notices, said } = await openTold(t, { ...(await prepare(t)), ...tell(receiver) });
      await enrol(gallery, 'before');
      await until(() => receiver.received.length === 1);
      await receiver.stop();
      for (const userid of numbers(20)) await enrol(gallery, userid);
      await until(() => notices.info().receivers[0].failing !== null);
      assert.match(notices.info().receivers[0].failing?.reason ?? '', /ECONNREFUSED/);
      await receiver.start();
      await until(() => receiver.once().length === 21);
      assert.deepEqual(people(receiver), ['before', ...numbers(20)]);
      await until(() => notices.info().receivers[0].failing === null);
      assert.equal(said.filter((line) => line.includes('are sent again')).length, 1, said.join('\n'));
      assert.ok(!said.join().includes('hush'), 'what is in an address is not logged');
    });

    it('stay in the log for a receiver that is away', async (t) => {
      const receiver = await startReceiver(t);
      const env = { ...(await prepare(t)), ...tell(receiver) };
      // Without a follower of its own, for whom the log would be kept, too.
      const { gallery, notices, config } = await openTold(t, env, {}, false);
      await receiver.stop();
      for (const userid of numbers(5)) await enrol(gallery, userid);
      await until(() => notices.info().receivers[0].failing !== null);
      const settings = await logSettings(config);
      assert.ok(settings);
      const small = settings.kind === 'file' ? { ...settings, segmentBytes: 100 } : settings;
      const log = await openLog(small, () => undefined);
      t.after(() => log.close());
      // More than may be kept, and several parts of a file log.
      for (const userid of numbers(5, 5)) await enrol(gallery, userid);
      for (const uid of ['w', 'x', 'y', 'z']) await log.append(foreign(uid));
      await log.trim({ maxAge: 60_000, maxLength: 1 });
      await receiver.start();
      await until(() => receiver.once().length === 10);
      assert.deepEqual(people(receiver), numbers(10));
    });

    it('go on where they stopped, through an end and a start', async (t) => {
      const receiver = await startReceiver(t);
      const told = await openTold(t, { ...(await prepare(t)), ...tell(receiver) });
      const { gallery, notices, config } = told;
      await enrol(gallery, 'p0');
      await until(() => receiver.received.length === 1);
      await notices.close();
      for (const userid of numbers(5, 1)) await enrol(gallery, userid);
      await openTeller(t, config, gallery);
      await until(() => receiver.received.length === 6);
      assert.deepEqual(people(receiver), numbers(6));
      assert.equal(receiver.received.length, 6, 'none comes twice after an orderly end');
    });

    it('wait for nobody else: neither for who never answers nor for who wants no more', async (t) => {
      const [slow, gone, good] = await Promise.all([startReceiver(t), startReceiver(t), startReceiver(t)]);
      slow.answer = () => undefined;
      gone.answer = (response) => response.writeHead(410).end();
      const env = { ...(await prepare(t)), ...tell(slow, gone, good) };
      const { gallery, notices, said } = await openTold(t, env);
      for (const userid of numbers(10)) await enrol(gallery, userid);
      await until(() => good.received.length === 10);
      assert.deepEqual(people(good), numbers(10));
      await until(() => notices.info().receivers.some(({ isOff }) => isOff));
      assert.equal(gone.requests(), 1);
      assert.equal(said.filter((line) => line.includes('wants no more')).length, 1);
      const off = notices.info().receivers.filter(({ isOff }) => isOff);
      assert.deepEqual(
        off.map(({ receiver }) => receiver),
        [new URL(gone.url).origin],
      );
    });

    it('that are too old are dropped, and the receiver is told how many', async (t) => {
      const receiver = await startReceiver(t);
      const env = { ...(await prepare(t)), ...tell(receiver) };
      const { gallery, notices, said } = await openTold(t, env, { EVENT_MAX_AGE: 3 });
      await receiver.stop();
      for (const userid of numbers(5)) await enrol(gallery, userid);
      await until(() => notices.info().receivers[0].dropped === 5);
      await receiver.start();
      await enrol(gallery, 'new');
      await until(() => receiver.received.length === 2);
      const [missed, next] = receiver.once();
      assert.deepEqual([missed.type, missed.count, next.person?.userid], ['missed', 5, 'new']);
      await notices.close();
      const counts = said.flatMap((line) => /dropped: (\d+)\.$/.exec(line)?.[1] ?? []);
      assert.equal(
        counts.reduce((sum, count) => sum + Number(count), 0),
        5,
        said.join('\n'),
      );
    });

    it('tell of a change whose worker died before it could say that it was made, and of none that was not', async (t) => {
      const receiver = await startReceiver(t);
      const env = { ...(await prepare(t)), ...tell(receiver) };
      const { gallery, config } = await openTold(t, env);
      const heard: string[] = [];
      gallery.subscribe(({ kind, faceid }) => heard.push(`${kind} ${faceid}`));
      // Another one finds it, too: whoever is told twice is told by the same ID.
      await openTold(t, env);
      const log = await openLog((await logSettings(config)) ?? assert.fail(), () => undefined);
      t.after(() => log.close());
      const start = await log.start();
      const dying = await openDying(t, config);
      await dying('ada', true);
      await dying('bob', false);
      await until(() => receiver.received.length > 0);
      const closed = async () => (await log.since(start)).map(({ of }) => of);
      await until(async () => (await closed()).includes('begun-bob'));
      await enrol(gallery, 'last');
      await until(() => receiver.once().length >= 2);
      assert.deepEqual(people(receiver), ['ada', 'last']);
      assert.equal(receiver.once()[0].type, 'enrolled');
      assert.deepEqual(heard, ['enrolled default-ada', 'enrolled default-last']);
    });

    it('tell after a start of a change that the last worker died over', async (t) => {
      const receiver = await startReceiver(t);
      const env = { ...(await prepare(t)), ...tell(receiver) };
      const { gallery, notices, config } = await openTold(t, env);
      await enrol(gallery, 'p0');
      await until(() => receiver.received.length === 1);
      await notices.close();
      await gallery.close();
      const dying = await openDying(t, config);
      await dying('p1', true, 3_600_000);
      await openTold(t, env);
      await until(() => receiver.received.length === 2);
      assert.deepEqual(people(receiver), ['p0', 'p1']);
    });

    it('come once from two workers, and all the same when the one that delivers is killed', async (t) => {
      const receiver = await startReceiver(t);
      const env = { ...(await prepare(t)), ...tell(receiver) };
      const first = await startWorker(env);
      t.after(() => first.kill());
      await until(async () => (await first.ask('notices'))?.leads === true);
      const second = await startWorker(env);
      t.after(() => second.close());
      const enrolBy = (userid: string) => second.ask('enrol', 'default', userid, [...VECTOR]);
      await until(async () => (await first.ask('notices'))?.receivers.length === 1);
      for (const userid of numbers(10)) await enrolBy(userid);
      await until(() => receiver.received.length >= 10);
      assert.equal((await second.ask('notices'))?.leads, false);
      assert.deepEqual(
        receiver.received.map(({ notice }) => notice.person?.userid),
        numbers(10),
      );
      // In the middle of a delivery: the receiver has it, and the worker dies before it hears so.
      receiver.answer = (response) => {
        first.child.kill('SIGKILL');
        response.writeHead(204).end();
        receiver.answer = undefined;
      };
      for (const userid of numbers(10, 10)) await enrolBy(userid);
      await until(() => receiver.once().length === 20);
      assert.deepEqual(people(receiver), numbers(20));
      assert.equal((await second.ask('notices'))?.leads, true);
    });
  });
}
