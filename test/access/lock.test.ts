import assert from 'node:assert/strict';
import { utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { underLock } from '../../src/access/lock.js';
import { withLock } from '../../src/models/files.js';
import { temporaryFolder } from '../support/temporary.js';

const DAY = 86_400_000;

describe('the locks', () => {
  it('of the keys are taken from nobody whose lock is old by a clock that was set ahead, but from who is gone', async (t) => {
    const lock = path.join(await temporaryFolder(t), 'keys.lock');
    await writeFile(lock, '');
    await utimes(lock, new Date(Date.now() - DAY), new Date(Date.now() - DAY));
    const real = performance.now.bind(performance);
    let later = 0;
    t.mock.method(performance, 'now', () => real() + later);
    let taken = false;
    const work = underLock(lock, () => {
      taken = true;
      return Promise.resolve();
    });
    // Many tries later it is still the other's.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.equal(taken, false);
    later += 11_000;
    await work;
    assert.ok(taken);
  });

  it('of the models are taken over when they lie ahead, because the clock was set back, and nobody touches them', async (t) => {
    const lock = path.join(await temporaryFolder(t), 'models.lock');
    await writeFile(lock, '1 another-machine\n');
    await utimes(lock, new Date(Date.now() + DAY), new Date(Date.now() + DAY));
    const real = performance.now.bind(performance);
    let later = 0;
    t.mock.method(performance, 'now', () => real() + later);
    let waited: () => void = () => undefined;
    const waits = new Promise<void>((resolve) => (waited = resolve));
    const work = withLock(lock, () => Promise.resolve('done'), waited);
    await waits;
    later += 61_000;
    assert.equal(await work, 'done');
  });
});
