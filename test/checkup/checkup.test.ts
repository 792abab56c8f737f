import assert from 'node:assert/strict';
import { readFile, rename, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createCheckup } from '../../src/checkup/checkup.js';
import type { Gallery } from '../../src/gallery/types.js';
import { openTiny, TINY } from '../support/galleries.js';
import { NO_SMALL_DISK, smallDisk } from '../support/small-disk.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

/** Two workers of one machine over a gallery whose searches end when the test says so. */
async function stand(t: TestContext, given?: string) {
  const gallery = await openTiny(await temporaryFolder(t));
  t.after(() => gallery.close());
  const random = seededRandom(5);
  for (let i = 0; i < 20; i++)
    await gallery.enrol({ groupid: 'default', userid: `p${i}` }, randomUnitVector(random, TINY));
  const cacheDir = given ?? (await temporaryFolder(t));
  /** Searches up to number `free` do not wait. */
  const asked = { searches: 0, pass: false, free: 0 };
  const slow: Gallery = {
    ...gallery,
    async nearest(...args) {
      const number = ++asked.searches;
      while (!asked.pass && number > asked.free) await sleep(5);
      return gallery.nearest(...args);
    },
  };
  const failures: string[] = [];
  const make = () => {
    const checkup = createCheckup({
      ...{ cacheDir, pack: { id: 'tiny', length: TINY }, gallery: slow, rest: 0 },
      searches: { one: (work) => work() },
      decision: { threshold: () => 0.4, apart: () => 0.6 },
      log: { error: (_details, message) => void failures.push(message) },
    });
    t.after(() => {
      asked.pass = true;
      return checkup.close();
    });
    return checkup;
  };
  return { gallery, asked, failures, make };
}

describe('the check-up of a machine', () => {
  it('is one, however many begin it at the same moment, in one worker or in two', async (t) => {
    const { asked, failures, make } = await stand(t);
    const [first, second] = [make(), make()];
    await Promise.all([first.start(), first.start(), second.start(), second.start()]);
    await until(() => asked.searches > 0);
    assert.equal(asked.searches, 1);
    for (const one of [first, second]) assert.equal((await one.state()).state, 'running');
    asked.pass = true;
    await until(async () => (await second.state()).state === 'done');
    assert.equal(asked.searches, 20);
    assert.deepEqual(failures, []);
  });

  it('that two began at once is over when one of them stops it', async (t) => {
    const { asked, make } = await stand(t);
    const checkup = make();
    await Promise.all([checkup.start(), checkup.start()]);
    asked.pass = true;
    await checkup.cancel();
    assert.notEqual((await checkup.state()).state, 'running');
    await checkup.start();
    await until(async () => (await checkup.state()).state === 'done');
  });

  it('ends with its worker, and is begun anew by another', async (t) => {
    const { asked, make } = await stand(t);
    const [first, second] = [make(), make()];
    await Promise.all([first.start(), first.start()]);
    asked.pass = true;
    await first.close();
    assert.notEqual((await second.state()).state, 'running');
    await second.start();
    await until(async () => (await second.state()).state === 'done');
    assert.equal((await second.findings())?.people, 20);
  });

  it('is not said to have begun where its state cannot be written', { skip: NO_SMALL_DISK }, async (t) => {
    const disk = await smallDisk(t);
    const { asked, make } = await stand(t, disk.folder);
    const checkup = make();
    asked.pass = true;
    const finish = () => until(async () => (await checkup.state()).state === 'done');
    await checkup.start();
    await finish();
    await disk.fill();
    await assert.rejects(checkup.start(), { code: 'ENOSPC' });
    await disk.clear();
    const { startedAt } = await checkup.state();
    await checkup.start();
    assert.notEqual((await checkup.state()).startedAt, startedAt);
    await finish();
  });

  it('has the findings that another worker has changed within a tick of the clock', async (t) => {
    const folder = await temporaryFolder(t);
    const { asked, make } = await stand(t, folder);
    const checkup = make();
    asked.pass = true;
    await checkup.start();
    await until(async () => (await checkup.state()).state === 'done');
    const file = path.join(folder, 'check-up', 'tiny.findings.json');
    const date = new Date('2026-01-31T09:00:00Z');
    await utimes(file, date, date);
    assert.equal((await checkup.findings())?.people, 20);
    const text = await readFile(file, 'utf8');
    await writeFile(`${file}.new`, text.replace('"people":20', '"people":19'));
    await utimes(`${file}.new`, date, date);
    await rename(`${file}.new`, file);
    assert.equal((await checkup.findings())?.people, 19);
  });

  it('does not name whoever is deleted or moved while it looks', async (t) => {
    const { gallery, asked, failures, make } = await stand(t);
    // Two pairs that are too near each other.
    for (const [one, other] of [
      ['p3', 'eve'],
      ['p4', 'mal'],
    ]) {
      const [{ vector }] = await gallery.vectors(`default-${one}`);
      await gallery.enrol({ groupid: 'default', userid: other }, vector);
    }
    const checkup = make();
    asked.free = 21;
    await checkup.start();
    // All but the last have been seen.
    await until(() => asked.searches === 22);
    await gallery.remove('default', 'eve');
    asked.pass = true;
    await until(async () => (await checkup.state()).state === 'done');
    const found = JSON.stringify(await checkup.findings());
    assert.match(found, /default-mal/);
    assert.doesNotMatch(found, /default-eve/);
    // Nor who is deleted while no worker runs.
    await checkup.close();
    await gallery.remove('default', 'mal');
    const next = make();
    await until(async () => !JSON.stringify(await next.findings()).includes('default-mal'));
    assert.deepEqual(failures, []);
  });
});
