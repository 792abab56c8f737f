import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createKeyedMutex } from '../../src/platform/keyed-mutex.js';

/** Work that ends when it is told to, and says in `log` when it begins and ends. */
function work(name: string, log: string[]) {
  let end: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => (end = resolve));
  return {
    end: () => end(),
    run: async () => {
      log.push(`${name} begins`);
      await gate;
      log.push(`${name} ends`);
    },
  };
}
const turns = () => new Promise((resolve) => setImmediate(resolve));

describe('A keyed mutex', () => {
  it('runs the work on one key in order, and lets other keys be', async () => {
    const mutex = createKeyedMutex();
    const log: string[] = [];
    const [first, second, other] = [work('first', log), work('second', log), work('other', log)];
    const all = [mutex.run('a', first.run), mutex.run('a', second.run), mutex.run('b', other.run)];
    await turns();
    assert.deepEqual(log, ['first begins', 'other begins']);
    for (const { end } of [first, second, other]) end();
    await Promise.all(all);
    assert.ok(log.indexOf('first ends') < log.indexOf('second begins'));
  });

  it('takes several keys at once, so that nobody waits for ever', async () => {
    const mutex = createKeyedMutex();
    const log: string[] = [];
    const push = (name: string) => () => Promise.resolve(void log.push(name));
    await Promise.all([mutex.run(['a', 'b'], push('ab')), mutex.run(['b', 'a'], push('ba'))]);
    assert.deepEqual(log, ['ab', 'ba']);
  });

  it('goes on after work that failed, and is idle when all has ended', async () => {
    const mutex = createKeyedMutex();
    const failing = mutex.run('a', () => Promise.reject(new Error('on purpose')));
    const next = mutex.run('a', () => Promise.resolve('done'));
    await assert.rejects(failing, /on purpose/);
    assert.equal(await next, 'done');
    const late = work('late', []);
    let isIdle = false;
    void mutex.run('a', late.run);
    const idle = mutex.idle().then(() => (isIdle = true));
    await turns();
    assert.equal(isIdle, false);
    late.end();
    await idle;
  });
});
