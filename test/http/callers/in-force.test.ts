import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../../src/access/keys.js';
import { unitVector } from '../../support/app.js';
import { runKaomon } from '../../support/command.js';
import { door, type Door } from '../../support/door.js';
import { openStream } from '../../support/stream-client.js';
import { until } from '../../support/until.js';

const timeout = 60_000;
const heartbeat = 200;

/** Everything that lasts, opened by who shows these headers. */
async function openAll({ begin, port }: Door, headers: Record<string, string>) {
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const events = await begin(['GET /api/v1/events HTTP/1.1', ...head]);
  assert.equal((await events.answer()).status, 200);
  const stream = await openStream(`ws://127.0.0.1:${port}/api/v1/stream`, { headers });
  await stream.told('hello');
  const slow = await begin(
    [...['POST /api/v1/detect HTTP/1.1', ...head, 'content-type: image/jpeg'], 'content-length: 100000'],
    'the beginning',
  );
  return { events, stream, slow };
}

async function isOpen({ events, stream }: Awaited<ReturnType<typeof openAll>>): Promise<boolean> {
  // Longer than any look takes.
  await new Promise((resolve) => setTimeout(resolve, 4 * heartbeat));
  return !events.socket.closed && stream.socket.readyState === stream.socket.OPEN;
}

async function stand(t: TestContext) {
  const test = await door(t, {}, { heartbeat });
  const keys = createKeys({ file: test.config.KEYS_FILE });
  const { key, info } = await keys.add({ name: 'camera', role: 'enrol' });
  return { test, keys, key, id: info.id };
}

describe('what lasts', () => {
  it(
    'ends when its key is revoked, by another process too, and nothing else does',
    { timeout },
    async (t) => {
      const { test, keys, key } = await stand(t);
      const mine = await openAll(test, { 'x-api-key': key });
      const other = await keys.add({ name: 'other', role: 'enrol' });
      const others = await openAll(test, { 'x-api-key': other.key });
      assert.ok(await isOpen(mine));
      const { KEYS_FILE, AUDIT_FILE } = test.config;
      const { code, text } = await runKaomon(['keys', 'revoke', 'camera'], { KEYS_FILE, AUDIT_FILE });
      assert.equal(code, 0, text);
      assert.equal(await mine.stream.closed, 1008);
      await Promise.all([mine.events.closed, mine.slow.closed]);
      assert.ok(await isOpen(others));
    },
  );

  it('ends with its session, and goes on with another of the same key', { timeout }, async (t) => {
    const { test, key } = await stand(t);
    const signIn = async () => {
      const answer = await test.app.inject({ method: 'POST', url: '/api/v1/session', payload: { key } });
      const [{ name, value }] = answer.cookies;
      return { cookie: `${name}=${value}`, csrf: answer.json<{ csrf: string }>().csrf };
    };
    const [one, two] = [await signIn(), await signIn()];
    // The upload changes something, or so the server must think of it.
    const open = ({ cookie, csrf }: typeof one) => openAll(test, { cookie, 'x-csrf-token': csrf });
    const [mine, others] = [await open(one), await open(two)];
    const headers = { cookie: one.cookie, 'x-csrf-token': one.csrf };
    const out = await test.app.inject({ method: 'DELETE', url: '/api/v1/session', headers });
    assert.equal(out.statusCode, 200);
    assert.equal(await mine.stream.closed, 1008);
    await Promise.all([mine.events.closed, mine.slow.closed]);
    assert.ok(await isOpen(others));
  });

  it('is an export as well: its reader gets no more', { timeout }, async (t) => {
    const { test, keys } = await stand(t);
    const { key } = await keys.add({ name: 'backup', role: 'admin' });
    for (let n = 0; n < 10; n += 1) {
      const crop = new Uint8Array(2_000_000);
      await test.gallery.enrol({ groupid: 'default', userid: `u${n}`, crop }, unitVector(0));
    }
    const backup = await test.begin(['GET /api/v1/export HTTP/1.1', `x-api-key: ${key}`]);
    assert.equal((await backup.answer()).status, 200);
    backup.socket.pause();
    await keys.revoke('backup');
    await until(() => test.log.some(({ msg }) => String(msg).startsWith('Ended')));
    backup.socket.resume();
    await backup.closed;
  });

  it('goes on while the keys cannot be read', { timeout }, async (t) => {
    const { keys } = await stand(t);
    let isBroken = false;
    const broken = {
      ...keys,
      byId: (id: string) => (isBroken ? Promise.reject(new Error('EIO')) : keys.byId(id)),
    };
    const test = await door(t, {}, { heartbeat, keys: broken });
    const { key } = await keys.add({ name: 'lasting', role: 'enrol' });
    const mine = await openAll(test, { 'x-api-key': key });
    isBroken = true;
    assert.ok(await isOpen(mine));
  });
});
