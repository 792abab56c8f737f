import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../src/access/keys.js';
import { createSessions } from '../../src/access/sessions.js';
import { temporaryFolder } from '../support/temporary.js';

async function open(t: TestContext) {
  const file = path.join(await temporaryFolder(t), 'keys.json');
  const keys = createKeys({ file });
  const { info } = await keys.add({ name: 'page', role: 'enrol' });
  const record = await keys.byId(info.id);
  assert.ok(record);
  const clock = { now: Date.now() };
  const sessions = createSessions({ keys, days: 2, now: () => clock.now });
  /** Another worker's view of the same. */
  const others = createSessions({ keys: createKeys({ file }), days: 2, now: () => clock.now });
  return { keys, record, clock, sessions, others };
}

describe('sessions', () => {
  it('are known to every worker, with the same CSRF token', async (t) => {
    const { record, sessions, others } = await open(t);
    const { token, csrf } = await sessions.begin(record);
    const session = await others.check(token);
    assert.equal(session?.record.name, 'page');
    assert.equal(session.csrf, csrf);
    const second = await sessions.begin(record);
    assert.notEqual(second.token, token);
    assert.notEqual(second.csrf, csrf);
  });

  it('are none when a letter of the token is changed', async (t) => {
    const { record, sessions } = await open(t);
    const { token } = await sessions.begin(record);
    for (let at = 0; at < token.length; at += 1) {
      const changed = token.slice(0, at) + (token[at] === 'a' ? 'b' : 'a') + token.slice(at + 1);
      // The last letter of base64url holds two bits that say nothing.
      if (at !== token.length - 1) assert.equal(await sessions.check(changed), undefined, `at ${at}`);
    }
    for (const none of ['', token.slice(1), `${token}.`, 'a.b.c.d']) {
      assert.equal(await sessions.check(none), undefined);
    }
  });

  it('end with their time', async (t) => {
    const { record, sessions, clock } = await open(t);
    const { token } = await sessions.begin(record);
    clock.now += 2 * 86_400_000 - 2000;
    assert.ok(await sessions.check(token));
    clock.now += 3000;
    assert.equal(await sessions.check(token), undefined);
  });

  it('stay when the clock is set back by a day, and end when they were made by one that was far ahead', async (t) => {
    const { record, sessions, clock } = await open(t);
    const { token } = await sessions.begin(record);
    clock.now -= 86_400_000;
    assert.ok(await sessions.check(token));
    clock.now -= 86_400_000 + 2000;
    assert.equal(await sessions.check(token), undefined);
  });

  it('that were ended stay so when the clock has been ahead for a while', async (t) => {
    const { keys, record, sessions } = await open(t);
    const { token } = await sessions.begin(record);
    const session = await sessions.check(token);
    assert.ok(session);
    await sessions.end(session);
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 400 * 86_400_000 });
    await keys.endSession('another', 0);
    t.mock.timers.reset();
    assert.equal(await sessions.check(token), undefined);
  });

  it('end with their key, in every worker', async (t) => {
    const { keys, record, sessions, others } = await open(t);
    const { token } = await sessions.begin(record);
    await keys.revoke(record.id);
    assert.equal(await sessions.check(token), undefined);
    assert.equal(await others.check(token), undefined);
  });

  it('end one by one by signing out, in every worker', async (t) => {
    const { record, sessions, others } = await open(t);
    const [one, two] = [await sessions.begin(record), await sessions.begin(record)];
    const session = await sessions.check(one.token);
    assert.ok(session);
    await sessions.end(session);
    assert.equal(await others.check(one.token), undefined);
    assert.ok(await others.check(two.token));
  });
});
