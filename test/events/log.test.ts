import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, readdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GalleryEvent } from '../../src/events/event.js';
import { createFileLog } from '../../src/events/file-log.js';
import type { EventLog, Following, LoggedEvent } from '../../src/events/log.js';
import type { RedisSettings } from '../../src/platform/redis.js';
import { createRedisLog } from '../../src/events/redis-log.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { forWholeFile, startRedisCluster, startTlsRedis } from '../support/redis-kinds.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

const quiet = () => undefined;

function event(uid: string, more: Partial<GalleryEvent> = {}): GalleryEvent {
  const at = new Date().toISOString();
  return {
    kind: 'enrolled',
    uid,
    worker: 'w',
    pack: 'tiny',
    at,
    groupid: 'g',
    faceid: 'g-a',
    face: 'f',
    ...more,
  };
}

/** Follows and remembers what it was told. */
function collect(
  log: EventLog,
  position: string,
): Following & { seen: LoggedEvent[]; lost: string[]; reached: number[]; uids: () => string[] } {
  const seen: LoggedEvent[] = [];
  /** How many events had come each time when the end was reached. */
  const reached: number[] = [];
  const lost: string[] = [];
  const following = log.follow(position, {
    events: (batch) => {
      seen.push(...batch);
      return Promise.resolve();
    },
    lost: (next) => {
      lost.push(next);
      return Promise.resolve();
    },
    reached: () => reached.push(seen.length),
    trouble: quiet,
  });
  return { ...following, seen, lost, reached, uids: () => seen.map(({ event: { uid } }) => uid) };
}

interface Kind {
  name: string;
  skip: string | false;
  /** What a child process needs to open the same log: settings for test/support/append-events.ts. */
  prepare: (t: TestContext) => Promise<{ open: () => EventLog; child: unknown }>;
}

const cluster = forWholeFile(startRedisCluster, after);
const overTls = forWholeFile(startTlsRedis, after);

const KINDS: Kind[] = [
  {
    name: 'file',
    skip: false,
    async prepare(t) {
      const folder = await temporaryFolder(t);
      // Small segments, so that every test goes through several.
      return {
        open: () => createFileLog({ folder, segmentBytes: 2000 }),
        child: { folder, segmentBytes: 2000 },
      };
    },
  },
  {
    name: 'Redis',
    skip: REDIS_MISSING,
    async prepare(t) {
      return openIn((await startRedis(t)).settings);
    },
  },
  { name: 'Redis cluster', skip: REDIS_MISSING, prepare: async () => openIn(await cluster()) },
  { name: 'Redis over TLS', skip: REDIS_MISSING, prepare: async () => openIn(await overTls()) },
];

const openIn = (redis: RedisSettings) => ({ open: () => createRedisLog(redis, quiet), child: { redis } });

for (const { name, skip, prepare } of KINDS) {
  describe(`the ${name} log of events`, { skip }, () => {
    async function start(t: TestContext) {
      const { open, child } = await prepare(t);
      const opened = () => {
        const log = open();
        t.after(() => log.close());
        return log;
      };
      const log = opened();
      const position = await log.start();
      const follow = (from: string, of = log) => {
        const followed = collect(of, from);
        t.after(() => followed.close());
        return followed;
      };
      return { log, position, follow, opened, child };
    }

    it('hands over every event whole and in order, to those who follow already and to those who come later', async (t) => {
      const { log, position, follow, opened } = await start(t);
      const early = follow(position);
      const names = Array.from({ length: 100 }, (_, i) => `e${i}`);
      const whole = event('e0', { kind: 'moved', from: 'g-雪', of: 'x' });
      for (const uid of names) await log.append(uid === 'e0' ? whole : event(uid));
      const late = follow(position, opened());
      for (const followed of [early, late]) {
        await until(() => followed.seen.length >= names.length);
        assert.deepEqual(followed.uids(), names);
        assert.deepEqual(followed.seen[0].event, whole);
        assert.deepEqual(followed.lost, []);
      }
    });

    it('keeps together what was appended together, whoever else appends', async (t) => {
      const { log, position, follow, opened } = await start(t);
      const other = opened();
      await other.start();
      const many = (who: string, batch: number) =>
        Array.from({ length: 30 }, (_, i) => event(`${who}${batch}.${i}`));
      const all = follow(position);
      for (let batch = 0; batch < 6; batch++)
        await Promise.all([
          log.append(many('a', batch), { evenWhenFull: batch % 2 === 0 }),
          other.append(many('b', batch)),
        ]);
      await until(() => all.seen.length >= 360);
      assert.equal(new Set(all.uids()).size, 360);
      for (const who of ['a', 'b']) {
        const wanted = Array.from({ length: 6 }, (_, batch) => many(who, batch).map(({ uid }) => uid)).flat();
        assert.deepEqual(
          all.uids().filter((uid) => uid.startsWith(who)),
          wanted,
        );
      }
    });

    it('says when everything was handed over', async (t) => {
      const { log, position, follow } = await start(t);
      for (let i = 0; i < 40; i++) await log.append(event(`e${i}`));
      const all = follow(position);
      await until(() => all.reached.length > 0);
      assert.equal(all.reached[0], 40);
      const none = follow(await log.start());
      await until(() => none.reached.length > 0);
      assert.deepEqual(none.seen, []);
    });

    it('goes on after any event that was handed over, and before it', async (t) => {
      const { log, position, follow } = await start(t);
      for (let i = 0; i < 40; i++) await log.append(event(`e${i}`));
      const all = follow(position);
      await until(() => all.seen.length === 40);
      for (const i of [0, 7, 38]) {
        const after = follow(all.seen[i].id);
        await until(() => after.seen.length === 39 - i);
        assert.equal(after.uids()[0], `e${i + 1}`);
        const before = follow(all.seen[i].before);
        await until(() => before.seen.length === 40 - i);
        assert.equal(before.uids()[0], `e${i}`);
      }
    });

    it('is read from a position that outlives everybody, a part at a time', async (t) => {
      const { log, position, opened } = await start(t);
      const readAll = async (from: string) => {
        const uids: string[] = [];
        let lost = 0;
        for (let place = from; ;) {
          const { entries, next, isLost } = await opened().read(place);
          uids.push(...entries.map(({ event: { uid } }) => uid));
          if (isLost) lost += 1;
          if (next === place) return { uids, place, lost };
          place = next;
        }
      };
      assert.deepEqual(await readAll(position), { uids: [], place: position, lost: 0 });
      const names = Array.from({ length: 300 }, (_, i) => `e${i}`);
      for (const uid of names) await log.append(event(uid));
      const first = await readAll(position);
      assert.deepEqual([first.uids, first.lost], [names, 0]);
      await log.append(event('later'));
      assert.deepEqual((await readAll(first.place)).uids, ['later']);
      // Of another log, or damaged: what there is comes again rather than not at all.
      for (const strange of ['', 'nonsense', '99999-7', '1-3', '7-7@another']) {
        const { uids, lost } = await readAll(strange);
        if (uids.length > 0) assert.deepEqual([uids.at(-1), uids.length, lost], ['later', 301, 1], strange);
        else assert.fail(`${strange}: nothing came`);
      }
      await log.trim({ maxAge: 60_000, maxLength: 10 });
      const rest = await readAll(position);
      assert.ok(rest.lost === 1 && rest.uids.length < 301 && rest.uids.at(-1) === 'later');
    });

    it('takes a start at the end, or before a change that was begun and is still open', async (t) => {
      const { log, follow } = await start(t);
      await log.append(event('a', { kind: 'begun' }));
      await log.append(event('b', { of: 'a' }));
      const end = await log.start();
      await log.append(event('c'));
      const atEnd = follow(end);
      await until(() => atEnd.seen.length === 1);
      assert.deepEqual(atEnd.uids(), ['c']);
      await log.append(event('old', { kind: 'begun', at: new Date(Date.now() - 120_000).toISOString() }));
      await log.append(event('d', { kind: 'begun' }));
      await log.append(event('e'));
      const open = follow(await log.start());
      await until(() => open.seen.length === 2);
      assert.deepEqual(open.uids(), ['d', 'e']);
    });

    it('loses and doubles nothing when four processes append at once and one of them is killed', async (t) => {
      const { position, follow, child } = await start(t);
      const followed = follow(position);
      const script = fileURLToPath(new URL('../support/append-events.js', import.meta.url));
      const acknowledged = new Set<string>();
      const children: ChildProcess[] = [];
      const ends = [0, 1, 2, 3].map(async (number) => {
        const writer = fork(script, [JSON.stringify(child), `w${number}`, '150'], { execArgv: [] });
        children.push(writer);
        writer.on('message', (uid: string) => {
          acknowledged.add(uid);
          if (number === 3 && acknowledged.size > 40) writer.kill('SIGKILL');
        });
        await once(writer, 'exit');
      });
      await Promise.all(ends);
      await until(() => followed.uids().filter((uid) => acknowledged.has(uid)).length === acknowledged.size);
      const uids = followed.uids();
      assert.equal(new Set(uids).size, uids.length);
      for (const number of [0, 1, 2]) {
        const mine = uids.filter((uid) => uid.startsWith(`w${number}-`));
        assert.deepEqual(
          mine,
          Array.from({ length: 150 }, (_, i) => `w${number}-${i}`),
        );
      }
      const again = follow(position);
      await until(() => again.seen.length === uids.length);
      assert.deepEqual(again.uids(), uids);
    });

    it('is trimmed by length, but not past what a running worker has yet to read', async (t) => {
      const { log, position, follow } = await start(t);
      for (let i = 0; i < 100; i++) await log.append(event(`e${i}`));
      const all = follow(position);
      await until(() => all.seen.length === 100);
      const limits = { maxAge: 3_600_000, maxLength: 10 };
      await log.register('slow', all.seen[49].id, 60_000);
      await log.register('gone', position, -1);
      await log.trim(limits);
      const slow = follow(all.seen[49].id);
      await until(() => slow.seen.length === 50);
      assert.deepEqual(slow.lost, []);
      const behind = follow(all.seen[1].id);
      await until(() => behind.lost.length === 1);
      assert.deepEqual(behind.seen, []);

      await log.unregister('slow');
      await log.trim(limits);
      const newest = follow(all.seen[89].id);
      await until(() => newest.seen.length === 10);
      const lost = follow(all.seen[49].id);
      await until(() => lost.lost.length === 1);
      await log.append(event('after'));
      await until(() => lost.seen.length === 1 && behind.seen.length === 1);
      assert.deepEqual(lost.uids(), ['after']);
    });

    it('takes a position that it does not know as lost and goes on from the end', async (t) => {
      const { log, follow } = await start(t);
      for (let i = 0; i < 3; i++) await log.append(event(`e${i}`));
      const followed = ['', 'nonsense', '99999999999999-7', '999999-0', '99999999999999-0@other'].map(
        (from) => follow(from),
      );
      for (const { lost } of followed) await until(() => lost.length === 1);
      await log.append(event('new'));
      for (const { seen, uids } of followed) {
        await until(() => seen.length === 1);
        assert.deepEqual(uids(), ['new']);
      }
    });
  });
}

describe('the file log', () => {
  it('skips what a crash tore off and goes on after it', async (t) => {
    const folder = await temporaryFolder(t);
    const log = createFileLog({ folder });
    t.after(() => log.close());
    const position = await log.start();
    await log.append(event('a'));
    const [file] = (await readdir(folder)).filter((name) => name.endsWith('.jsonl'));
    await appendFile(path.join(folder, file), `\n${JSON.stringify(event('torn')).slice(0, 40)}`);
    const followed = collect(log, position);
    t.after(() => followed.close());
    await until(() => followed.seen.length === 1);
    await log.append(event('b'));
    await until(() => followed.seen.length === 2);
    await appendFile(path.join(folder, file), '\n\0\0\0\0');
    await log.append(event('c'));
    await until(() => followed.seen.length === 3);
    assert.deepEqual(followed.uids(), ['a', 'b', 'c']);
    assert.deepEqual(followed.lost, []);
  });

  it('drops old segments by age and never the one in use', async (t) => {
    const folder = await temporaryFolder(t);
    const log = createFileLog({ folder, segmentBytes: 500 });
    t.after(() => log.close());
    for (let i = 0; i < 20; i++) await log.append(event(`e${i}`));
    const segments = async () => (await readdir(folder)).filter((name) => name.endsWith('.jsonl')).sort();
    const before = await segments();
    assert.ok(before.length > 3);
    for (const name of before.slice(0, 2)) await utimes(path.join(folder, name), new Date(0), new Date(0));
    await log.trim({ maxAge: 60_000, maxLength: 1000 });
    assert.deepEqual(await segments(), before.slice(2));
    for (const name of before.slice(2)) await utimes(path.join(folder, name), new Date(0), new Date(0));
    await log.trim({ maxAge: 60_000, maxLength: 1000 });
    assert.deepEqual(await segments(), before.slice(-1));
  });
});
