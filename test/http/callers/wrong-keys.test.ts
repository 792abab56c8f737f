import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createKeys, type Keys } from '../../../src/access/keys.js';
import { testApp } from '../../support/app.js';

const header = (key: string) => ({ 'x-api-key': key });

/** An app and keys in its file that it has not seen yet. */
async function stand(t: Parameters<typeof testApp>[0]) {
  const test = await testApp(t, { AUTH: 'key' });
  const keys: Keys = createKeys({ file: test.config.KEYS_FILE });
  const ask = async (key: string) =>
    (await test.app.inject({ url: '/api/v1/groups', headers: header(key) })).statusCode;
  return { ...test, keys, ask };
}

describe('wrong keys', () => {
  it('lock out no right one of their address, seen before or not', async (t) => {
    const { app, keys, ask } = await stand(t);
    const { key } = await keys.add({ name: 'a', role: 'enrol' });
    const { key: other } = await keys.add({ name: 'b', role: 'enrol' });
    const guesses = [
      ...Array.from({ length: 8 }, (_, n) => `junk ${n}`),
      // The ID of a key in force.
      ...Array.from({ length: 8 }, (_, n) => `${key.slice(0, -1)}${key.endsWith(String(n)) ? 'x' : n}`),
    ];
    const answers: number[] = [];
    for (const guess of guesses) answers.push(await ask(guess));
    assert.deepEqual(answers, [...Array<number>(10).fill(401), ...Array<number>(6).fill(429)]);
    assert.equal(await ask(key), 200);
    const payload = { key: other };
    const signed = await app.inject({ method: 'POST', url: '/api/v1/session', payload });
    assert.equal(signed.statusCode, 200);
    assert.equal(await ask('junk'), 429, 'and are answered as before');
  });

  it('that are sent at once are no way round', async (t) => {
    const { ask } = await stand(t);
    const answers = await Promise.all(Array.from({ length: 60 }, (_, n) => ask(`junk ${n}`)));
    assert.equal(answers.filter((status) => status === 401).length, 10);
    assert.equal(answers.filter((status) => status === 429).length, 50);
  });
});

describe('a right key', () => {
  it('whose first fifty requests come at once is let in by all of them', async (t) => {
    const { keys, ask } = await stand(t);
    const { key } = await keys.add({ name: 'a', role: 'enrol' });
    const answers = await Promise.all(Array.from({ length: 50 }, () => ask(key)));
    assert.ok(
      answers.every((status) => status === 200),
      answers.join(),
    );
  });
});
