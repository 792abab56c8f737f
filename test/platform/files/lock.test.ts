import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { underLock } from '../../../src/platform/files/lock.js';
import { temporaryFolder } from '../../support/temporary.js';

const CHILD = fileURLToPath(new URL('../../support/lock-child.js', import.meta.url));
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A process that takes a lock; ended with the test. */
function startChild(t: TestContext, ...words: string[]): ChildProcess {
  const child = spawn(process.execPath, [CHILD, ...words], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

/** Waits for the first thing that a process says. */
async function said({ stdout }: ChildProcess): Promise<void> {
  if (stdout) await once(stdout, 'data');
}

async function makePlace(t: TestContext): Promise<{ folder: string; lock: string; board: string }> {
  const folder = await temporaryFolder(t);
  const board = path.join(folder, 'board');
  await writeFile(board, '0');
  return { folder, lock: path.join(folder, 'lock'), board };
}

/** From now on an hour passes from one look to the next. */
function letHoursPass(t: TestContext): void {
  const real = performance.now.bind(performance);
  let looks = 0;
  t.mock.method(performance, 'now', () => real() + HOUR * looks++);
}

describe('a lock', () => {
  it('is held by one process at a time, everybody gets it, and nothing of it is left', async (t) => {
    const { folder, lock, board } = await makePlace(t);
    const children = [1, 2, 3, 4].map(() => startChild(t, lock, '50', board));
    const ends = await Promise.all(children.map((child) => once(child, 'exit')));
    assert.deepEqual(
      ends.map(([code]) => code as number),
      [0, 0, 0, 0],
    );
    assert.equal(await readFile(board, 'utf8'), '200');
    assert.deepEqual(await readdir(folder), ['board']);
  });

  it('is free when its holder is killed, and of several who wait for that one has it at a time', async (t) => {
    const { lock, board } = await makePlace(t);
    const holder = startChild(t, lock, 'for-ever');
    await said(holder);
    const waiting = [1, 2, 3].map(() => startChild(t, lock, '20', board));
    await Promise.all(waiting.map(said));
    assert.equal(await readFile(board, 'utf8'), '0');
    holder.kill('SIGKILL');
    const ends = await Promise.all(waiting.map((child) => once(child, 'exit')));
    assert.deepEqual(
      ends.map(([code]) => code as number),
      [0, 0, 0],
    );
    assert.equal(await readFile(board, 'utf8'), '60');
  });

  for (const [clock, dated] of [
    ['ahead', Date.now() + DAY],
    ['back', Date.now() - DAY],
  ] as const) {
    it(`is taken from nobody who holds it for long, by a clock that is set ${clock}, and from whoever is gone`, async (t) => {
      const { lock } = await makePlace(t);
      const holder = startChild(t, lock, 'for-ever');
      await said(holder);
      await utimes(lock, new Date(dated), new Date(dated));
      let waited = 0;
      const onWait = () => {
        waited += 1;
        letHoursPass(t);
      };
      await assert.rejects(
        underLock(lock, () => Promise.reject(new Error('it was taken')), { patience: DAY, onWait }),
        { code: 'STORE_UNAVAILABLE' },
      );
      assert.equal(waited, 1);
      holder.kill('SIGKILL');
      await once(holder, 'exit');
      assert.equal(await underLock(lock, () => Promise.resolve('done')), 'done');
    });
  }

  it('is nobody’s when only its file is there, whatever is in it', async (t) => {
    const { lock } = await makePlace(t);
    await writeFile(lock, `${process.pid} another-machine\n`);
    await utimes(lock, new Date(Date.now() + DAY), new Date(Date.now() + DAY));
    const onWait = () => assert.fail('it waited');
    assert.equal(await underLock(lock, () => Promise.resolve('done'), { onWait }), 'done');
  });

  it('is waited for until whoever waits is told to stop', async (t) => {
    const { lock } = await makePlace(t);
    const stop = new AbortController();
    await underLock(lock, async () => {
      const waiting = underLock(lock, () => Promise.reject(new Error('it was taken')), {
        ...{ signal: stop.signal, pause: DAY },
        onWait: () => stop.abort(),
      });
      await assert.rejects(waiting, { name: 'AbortError' });
    });
    assert.equal(await underLock(lock, () => Promise.resolve('done')), 'done');
  });

  it('is held by one caller of a process at a time, also after one that fails', async (t) => {
    const { lock } = await makePlace(t);
    let isHeld = false;
    const work = async () => {
      assert.ok(!isHeld);
      isHeld = true;
      await new Promise((resolve) => setTimeout(resolve, 5));
      isHeld = false;
      throw new Error('it failed');
    };
    const asked = Array.from({ length: 5 }, () => underLock(lock, work));
    for (const outcome of await Promise.allSettled(asked)) {
      assert.equal(outcome.status === 'rejected' && (outcome.reason as Error).message, 'it failed');
    }
  });
});
