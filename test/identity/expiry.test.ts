import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { AuditEntry } from '../../src/access/audit.js';
import { startExpiry } from '../../src/identity/expiry.js';
import { KaomonError } from '../../src/platform/errors.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import type { Consent } from '../../src/gallery/consent.js';
import { createTiny, openTiny, TINY } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const HOUR = 3_600_000;
const random = seededRandom(3);
const yesterday = new Date(Date.now() - 24 * HOUR).toISOString().slice(0, 10);
const tomorrow = new Date(Date.now() + 24 * HOUR).toISOString().slice(0, 10);
const until = (day: string): Consent => ({ given: '2024-01-01', how: 'form', until: day, by: 'office' });

interface Clock {
  date: number;
  now: number;
}

/** Ada's consent is over, Bob's is not, Cid has none that ends. */
async function workers(t: TestContext, count: number) {
  const folder = await temporaryFolder(t);
  const audit: AuditEntry[] = [];
  const clock: Clock = { date: Date.now(), now: 0 };
  const galleries: Awaited<ReturnType<typeof openTiny>>[] = [];
  for (let i = 0; i < count; i++) galleries.push(await openTiny(folder));
  const [gallery] = galleries;
  for (const [userid, consent] of [
    ['ada', until(yesterday)],
    ['bob', until(tomorrow)],
    ['cid', undefined],
  ] as const)
    await gallery.enrol({ groupid: 'default', userid, consent }, randomUnitVector(random, TINY));
  // As a worker that has not heard of it.
  for (const other of galleries.slice(1)) await other.reload();
  const jobs = galleries.map((one) =>
    startExpiry({
      ...{ gallery: one, lockFile: path.join(folder, '.expiry.lock') },
      record: (entry) => Promise.resolve(void audit.push(entry)),
      log: { warn: () => undefined, info: () => undefined },
      ...{ date: () => clock.date, now: () => clock.now, every: 1e9, first: 1e9 },
    }),
  );
  t.after(async () => {
    for (const job of jobs) await job.close();
    for (const one of galleries) await one.close();
  });
  const there = async () => {
    const found = [];
    for await (const { userid } of gallery.everyone()) found.push(userid);
    return found;
  };
  return { folder, audit, clock, galleries, jobs, there };
}

describe('a consent that is over', () => {
  it('removes the person, once, whichever workers look, with a line in the audit', async (t) => {
    const { audit, jobs, galleries, there } = await workers(t, 3);
    for (let i = 0; i < 2; i++) await Promise.all(jobs.map((job) => job.run()));
    await galleries[0].reload();
    assert.deepEqual(await there(), ['bob', 'cid']);
    const done = audit.filter(({ outcome }) => outcome === 'done');
    assert.equal(done.length, 1);
    assert.deepEqual(
      [done[0].who, done[0].action, done[0].whom?.people, done[0].erased?.faces],
      ['expired consent', 'expired', ['default-ada'], 1],
    );
    assert.equal(audit.at(0)?.outcome, 'begun');
    assert.equal(audit.at(0)?.requestId, done[0].requestId);
  });

  it('removes the others where one cannot be deleted, and says so', async (t) => {
    const { audit, jobs, galleries, there } = await workers(t, 1);
    const [gallery] = galleries;
    const dan = { groupid: 'default', userid: 'dan', consent: until(yesterday) };
    await gallery.enrol(dan, randomUnitVector(random, TINY));
    const removeIf = gallery.removeIf.bind(gallery);
    gallery.removeIf = (faceid, isRight) =>
      faceid === 'default-ada'
        ? Promise.reject(new KaomonError('STORE_UNAVAILABLE', 'EACCES', { cause: new Error('EACCES') }))
        : removeIf(faceid, isRight);
    await jobs[0].run();
    assert.deepEqual(await there(), ['ada', 'bob', 'cid']);
    assert.deepEqual(
      audit.map(({ outcome, whom }) => [outcome, whom?.userid]),
      [
        ['begun', 'ada'],
        ['failed', 'ada'],
        ['begun', 'dan'],
        ['done', 'dan'],
      ],
    );
  });

  it('leaves whoever has renewed it in another worker a moment ago', async (t) => {
    const { audit, jobs, galleries } = await workers(t, 2);
    await galleries[0].updatePerson('default-ada', { consent: until(tomorrow) });
    // The second has not heard of it.
    await jobs[1].run();
    assert.ok(await galleries[0].person('default-ada'));
    assert.deepEqual(
      audit.map(({ outcome }) => outcome),
      ['begun', 'aborted'],
    );
  });

  it('is not believed to be over for an hour after the clock has jumped', async (t) => {
    const { clock, jobs, there } = await workers(t, 1);
    const [job] = jobs;
    await job.run();
    assert.deepEqual(await there(), ['bob', 'cid']);
    const right = clock.date;
    const go = (by: number) => {
      clock.date += by;
      clock.now += by;
    };
    clock.date += 1000 * HOUR;
    await job.run();
    go(HOUR / 2);
    await job.run();
    assert.deepEqual(await there(), ['bob', 'cid'], 'it may be a mistake');
    clock.date = right + HOUR;
    go(2 * HOUR);
    await job.run();
    assert.deepEqual(await there(), ['bob', 'cid'], 'and it was one');
    clock.date += 1000 * HOUR;
    await job.run();
    go(HOUR);
    await job.run();
    assert.deepEqual(await there(), ['cid'], 'it was none');
  });

  it('is removed after any time in which no server ran, in every pack', async (t) => {
    const folder = await temporaryFolder(t);
    const first = await openTiny(folder);
    await first.enrol(
      { groupid: 'default', userid: 'ada', consent: until(yesterday) },
      randomUnitVector(random, TINY),
    );
    await first.close();
    const store = createFileStore({ folder, pack: 'tiny', length: TINY, warn: () => undefined });
    const gallery = await createTiny(store);
    t.after(() => gallery.close());
    const job = startExpiry({
      ...{ gallery, lockFile: path.join(folder, '.expiry.lock'), record: () => Promise.resolve() },
      log: { warn: () => undefined, info: () => undefined },
      ...{ every: 1e9, first: 1e9 },
    });
    t.after(() => job.close());
    await job.run();
    assert.equal(await gallery.person('default-ada'), undefined);
  });
});
