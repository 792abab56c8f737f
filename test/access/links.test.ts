import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createKeys } from '../../src/access/keys.js';
import { createLinks, LINK_MINUTES } from '../../src/access/links.js';
import { signInUrl } from '../../src/platform/addresses.js';
import { testApp } from '../support/app.js';
import { runKaomon } from '../support/command.js';
import { startServer } from '../support/server.js';
import { NO_SMALL_DISK, smallDisk } from '../support/small-disk.js';
import { temporaryFolder } from '../support/temporary.js';

const MINUTE = 60_000;
const urlOf = (token: string) => signInUrl('https://localhost:8443', token);

async function open(t: TestContext) {
  const file = path.join(await temporaryFolder(t), 'keys.json');
  const clock = { now: Date.now() };
  const now = () => clock.now;
  const links = createLinks({ file, now });
  return { file, clock, keys: createKeys({ file }), links, another: () => createLinks({ file, now }) };
}

describe('sign-in links on a full disk', { skip: NO_SMALL_DISK }, () => {
  it('are made and used: whoever is to make room has to sign in first', async (t) => {
    const disk = await smallDisk(t);
    const file = path.join(disk.folder, 'keys.json');
    await createKeys({ file }).add({ name: 'office', role: 'admin' });
    const links = createLinks({ file });
    const before = await links.make('office');
    await disk.fill();
    assert.equal((await links.redeem(before.token))?.name, 'office');
    assert.equal((await links.redeem((await links.make('office')).token))?.name, 'office');
  });
});

describe('sign-in links', () => {
  it('are one at a first start, in a file for its owner alone, and no key', async (t) => {
    const { file, keys, links, another } = await open(t);
    const made = await Promise.all([links, another(), another(), another()].map((one) => one.first(urlOf)));
    assert.equal(
      new Set(made.map((first) => first?.url)).size,
      1,
      'the same for all workers that start together',
    );
    assert.equal(made.filter((first) => first?.isNew).length, 1);
    const url = made[0]?.url ?? '';
    assert.equal((await readFile(links.linkFile, 'utf8')).trim(), url);
    assert.equal((await stat(links.linkFile)).mode & 0o777, 0o600);
    const token = url.split('#token=')[1];
    assert.ok(!(await readFile(file, 'utf8')).includes(token), 'the token is not among the keys');
    assert.equal(await keys.verify(token), undefined);
    const [{ name, role, groups }] = await keys.list();
    assert.deepEqual([name, role, groups], ['first', 'admin', null]);
    assert.equal((await keys.list()).length, 1);
  });

  it('work once, in whatever worker, and then the file is gone and no start makes another', async (t) => {
    const { links, another } = await open(t);
    const token = (await links.first(urlOf))?.link.token ?? '';
    const all = await Promise.all([links, another(), another()].map((one) => one.redeem(token)));
    assert.equal(all.filter(Boolean).length, 1);
    assert.equal(all.find(Boolean)?.name, 'first');
    await assert.rejects(stat(links.linkFile), { code: 'ENOENT' });
    assert.equal(await another().first(urlOf), undefined);
  });

  it('end after minutes; a start shows the one that still works for a while, else a new one', async (t) => {
    const { clock, keys, links, another } = await open(t);
    const one = await links.first(urlOf);
    clock.now += MINUTE;
    const same = await another().first(urlOf);
    assert.deepEqual([same?.url, same?.isNew], [one?.url, false]);
    clock.now += LINK_MINUTES * MINUTE;
    assert.equal(await links.redeem(one?.link.token ?? ''), undefined);
    const next = await another().first(urlOf);
    assert.deepEqual([next?.isNew, next?.madeKey], [true, false]);
    assert.notEqual(next?.url, one?.url);
    assert.equal((await keys.list()).length, 1);
    assert.equal((await links.redeem(next?.link.token ?? ''))?.name, 'first');
  });

  it('that were made while the clock was ahead end when it is set back', async (t) => {
    const { clock, links, another } = await open(t);
    clock.now += 30 * 24 * 60 * MINUTE;
    const ahead = await links.first(urlOf);
    clock.now -= 30 * 24 * 60 * MINUTE;
    assert.equal(await links.redeem(ahead?.link.token ?? ''), undefined);
    const next = await another().first(urlOf);
    assert.notEqual(next?.url, ahead?.url);
    assert.equal((await links.redeem(next?.link.token ?? ''))?.name, 'first');
  });

  it('sign in as any key, and end with it', async (t) => {
    const { keys, links } = await open(t);
    await keys.add({ name: 'door', role: 'enrol', groups: ['staff'] });
    await assert.rejects(links.make('nobody'), { code: 'KEY_UNKNOWN' });
    const link = await links.make('door');
    const lost = await links.make('door');
    assert.deepEqual((await links.redeem(link.token))?.groups, ['staff']);
    await keys.revoke('door');
    assert.equal(await links.redeem(lost.token), undefined);
    for (const none of ['', 'x', '__proto__', 'a'.repeat(43)])
      assert.equal(await links.redeem(none), undefined);
  });
});

describe('signing in by a link', () => {
  it('is a session like any other, recorded with who, and ends the one that it replaces', async (t) => {
    const { app, config } = await testApp(t, { AUTH: 'key', AUTH_FAILURES: 2 });
    const links = createLinks({ file: config.KEYS_FILE });
    const keys = createKeys({ file: config.KEYS_FILE });
    const { key } = await keys.add({ name: 'office', role: 'admin' });
    const { token } = await links.make('office');
    const post = (payload: object, cookies: Record<string, string> = {}) =>
      app.inject({ method: 'POST', url: '/api/v1/session', payload, cookies });
    const first = await post({ key });
    const old = { kaomon: first.cookies[0].value };
    const second = await post({ token }, old);
    assert.equal(second.statusCode, 200, second.body);
    assert.equal(second.json<{ name: string }>().name, 'office');
    const status = async (cookies: Record<string, string>) =>
      (await app.inject({ url: '/api/v1/keys', cookies })).statusCode;
    assert.equal(await status({ kaomon: second.cookies[0].value }), 200);
    assert.equal(await status(old), 401, 'the old session has ended');
    const again = await post({ token });
    assert.equal(again.statusCode, 401);
    assert.match(again.json<{ message: string }>().message, /kaomon keys link/);
    assert.equal((await post({})).statusCode, 400);
    await post({ token });
    assert.equal((await post({ token })).statusCode, 429, 'guessing is limited as with keys');
    await app.close();
    const lines = (await readFile(config.AUDIT_FILE, 'utf8')).trimEnd().split('\n');
    const [, line] = lines.map((text) => JSON.parse(text) as Record<string, unknown>);
    const whom = { via: 'link', instead: 'office' };
    assert.deepEqual([line.who, line.action, line.whom, line.outcome], ['office', 'sign in', whom, 'done']);
  });

  it('is what `kaomon keys link` prints, and the audit says that it did', async (t) => {
    const { app, config } = await testApp(t, { AUTH: 'key' });
    const { KEYS_FILE, AUDIT_FILE } = config;
    const { code, text } = await runKaomon(['keys', 'link'], { KEYS_FILE, AUDIT_FILE });
    assert.equal(code, 0, text);
    const token = /^https:\/\/localhost:8443\/signin#token=(\S+)$/m.exec(text)?.[1];
    const answer = await app.inject({ method: 'POST', url: '/api/v1/session', payload: { token } });
    assert.deepEqual([answer.statusCode, answer.json<{ role: string }>().role], [200, 'admin']);
    assert.match(await readFile(AUDIT_FILE, 'utf8'), /"who":"command line".*"action":"sign-in link"/);
  });
});

describe('a first start without a terminal', () => {
  it('writes down where the link is, and what signs in nowhere else', { timeout: 120_000 }, async (t) => {
    const [EMBEDDINGS_DIR, CACHE_DIR] = [await temporaryFolder(t), await temporaryFolder(t)];
    const server = await startServer({ EMBEDDINGS_DIR, CACHE_DIR, AUTH: 'key', MODEL_PACK: 'faceapi-chip' });
    let output = '';
    server.child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
    const line = await server.logged('First start');
    const file = path.join(EMBEDDINGS_DIR, 'sign-in.txt');
    assert.equal((line as { file?: string }).file, file);
    const url = (await readFile(file, 'utf8')).trim();
    const token = url.split('#token=')[1];
    assert.match(url, new RegExp(`^https://localhost:${server.port}/signin#token=[\\w-]{43}$`));
    const answer = await server.post('/api/v1/session', {
      headers: { 'content-type': 'application/json' },
      payload: Buffer.from(JSON.stringify({ token })),
    });
    assert.equal(answer.status, 200);
    await server.end();
    assert.ok(!output.includes(token) && !JSON.stringify(line).includes(token));
    const audit = await readFile(path.join(EMBEDDINGS_DIR, 'audit.jsonl'), 'utf8');
    const actions = audit
      .trimEnd()
      .split('\n')
      .map((one) => JSON.parse(one) as { who: string; action: string });
    assert.deepEqual(
      actions.map(({ who, action }) => [who, action]),
      [
        ['first start', 'key added'],
        ['first start', 'sign-in link'],
        ['first', 'sign in'],
      ],
    );
    assert.ok(!audit.includes(token));
  });
});
