import assert from 'node:assert/strict';
import { it } from 'node:test';
import { createAttempts } from '../../src/access/attempts.js';

const wrong = (): Promise<string | undefined> => Promise.resolve(undefined);
const right = () => Promise.resolve('key');

it('lets an address try so many wrong keys and no more until 15 minutes are over', async () => {
  let now = 0;
  const attempts = createAttempts(3, () => now);
  for (let n = 0; n < 3; n += 1) assert.equal(await attempts.run('a', wrong), undefined);
  await assert.rejects(attempts.run('a', right), { code: 'TOO_MANY_REQUESTS', retryAfter: 900 });
  assert.equal(await attempts.run('b', right), 'key', 'another address is not concerned');
  now = 15 * 60_000;
  assert.equal(await attempts.run('a', right), 'key');
});

it('counts keys that are being checked, but no right ones', async () => {
  const attempts = createAttempts(2, () => 0);
  const release: ((nothing: undefined) => void)[] = [];
  const gate = new Promise<undefined>((resolve) => {
    release.push(resolve);
  });
  const pending = [attempts.run('a', () => gate), attempts.run('a', () => gate)];
  await assert.rejects(attempts.run('a', right), { code: 'TOO_MANY_REQUESTS', retryAfter: 1 });
  release[0](undefined);
  await Promise.all(pending);
  await assert.rejects(attempts.run('a', right), { code: 'TOO_MANY_REQUESTS' });
  for (let n = 0; n < 5; n += 1) assert.equal(await attempts.run('b', right), 'key');
});
