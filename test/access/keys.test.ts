import assert from 'node:assert/strict';
import { readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { createKeys, type Keys } from '../../src/access/keys.js';
import { temporaryFolder } from '../support/temporary.js';

async function keysOf(t: TestContext): Promise<{ keys: Keys; file: string }> {
  const file = path.join(await temporaryFolder(t), 'made', 'keys.json');
  return { keys: createKeys({ file }), file };
}

/** Keys of a file that has not been read yet, and how many hashes were computed to verify them. */
function counted(file: string) {
  const keys = createKeys({ file });
  let hashes = 0;
  const verify = (given: string) =>
    keys.verify(given, (work) => {
      hashes += 1;
      return work();
    });
  return { verify, hashes: () => hashes };
}

describe('keys', () => {
  it('are shown once and kept hashed, in a file for its owner alone', async (t) => {
    const { keys, file } = await keysOf(t);
    const { key, info } = await keys.add({ name: 'camera', role: 'recognise', groups: ['staff', 'staff'] });
    assert.match(key, /^kao_[0-9a-f]{10}_[0-9A-Za-z_-]{43}$/);
    const { id, createdAt } = info;
    assert.deepEqual(info, { id, name: 'camera', role: 'recognise', groups: ['staff'], createdAt });
    const text = await readFile(file, 'utf8');
    assert.ok(!text.includes(key.slice(-43)), 'the secret is not in the file');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.deepEqual(await keys.list(), [info]);
  });

  it('are verified, right or wrong, also by a worker that did not make them', async (t) => {
    const { keys, file } = await keysOf(t);
    const { key } = await keys.add({ name: 'one', role: 'enrol' });
    const { key: second } = await keys.add({ name: 'two', role: 'admin' });
    const other = createKeys({ file });
    assert.equal((await other.verify(key))?.name, 'one');
    assert.equal((await other.verify(second))?.role, 'admin');
    const last = key.endsWith('A') ? 'B' : 'A';
    const wrong = [key.slice(0, -1) + last, key.slice(0, 15) + second.slice(15), key.slice(4), '', `${key} `];
    for (const guess of wrong) assert.equal(await other.verify(guess), undefined, guess);
  });

  it('cost one scrypt for all who wait for it, none once they were verified, and none when they are wrong', async (t) => {
    const { keys, file } = await keysOf(t);
    const { key } = await keys.add({ name: 'one', role: 'enrol' });
    const { key: second } = await keys.add({ name: 'two', role: 'admin' });
    const { verify, hashes } = counted(file);
    const found = await Promise.all(Array.from({ length: 50 }, () => verify(key)));
    assert.ok(found.every((record) => record?.name === 'one'));
    assert.equal((await verify(key))?.name, 'one');
    assert.equal(hashes(), 1);
    // The ID of a key in force, and a secret that is not its own.
    assert.equal(await verify(key.slice(0, 15) + second.slice(15)), undefined);
    assert.equal(await verify('kao_0123456789_'.padEnd(58, 'x')), undefined);
    assert.equal(hashes(), 1);
  });

  it('of an older file are verified too, and wrong ones cost nothing once the right one was seen', async (t) => {
    const { keys, file } = await keysOf(t);
    const { key } = await keys.add({ name: 'one', role: 'enrol' });
    const contents = JSON.parse(await readFile(file, 'utf8')) as { keys: { check?: string }[] };
    delete contents.keys[0].check;
    await writeFile(file, JSON.stringify(contents));
    const { verify, hashes } = counted(file);
    const wrong = key.slice(0, -1) + (key.endsWith('A') ? 'B' : 'A');
    assert.equal(await verify(wrong), undefined);
    assert.equal((await verify(key))?.name, 'one');
    assert.equal(hashes(), 2);
    assert.equal(await verify(wrong), undefined);
    assert.equal(hashes(), 2);
  });

  it('end in every worker when one revokes them', async (t) => {
    const { keys, file } = await keysOf(t);
    const other = createKeys({ file });
    const { key, info } = await keys.add({ name: 'one', role: 'enrol' });
    assert.ok(await other.verify(key));
    assert.equal((await keys.revoke('one')).id, info.id);
    assert.equal(await other.verify(key), undefined);
    await assert.rejects(keys.revoke('one'), { code: 'KEY_UNKNOWN' });
  });

  it('are all kept when several workers make some at once', async (t) => {
    const { file } = await keysOf(t);
    const workers = Array.from({ length: 4 }, () => createKeys({ file }));
    await Promise.all(workers.map((keys, n) => keys.add({ name: `key ${n}`, role: 'enrol' })));
    assert.equal((await workers[0].list()).length, 4);
  });

  it('are refused under an unfit name, a name taken, or an unfit group', async (t) => {
    const { keys } = await keysOf(t);
    await keys.add({ name: 'one', role: 'enrol' });
    await assert.rejects(keys.add({ name: 'one', role: 'admin' }), { code: 'KEY_EXISTS' });
    for (const name of ['', ' x', 'x'.repeat(65), 'a\nb', '職員']) {
      await assert.rejects(keys.add({ name, role: 'enrol' }), { code: 'FIELD_INVALID' }, name);
    }
    await assert.rejects(keys.add({ name: 'two', role: 'enrol', groups: ['../x'] }), {
      code: 'GROUPID_INVALID',
    });
    await assert.rejects(keys.add({ name: 'two', role: 'enrol', groups: [] }), { code: 'FIELD_INVALID' });
    assert.equal((await keys.list()).length, 1);
  });

  it('let nobody in while their file cannot be read, and say nothing of what is in it', async (t) => {
    const { keys, file } = await keysOf(t);
    const { key } = await keys.add({ name: 'one', role: 'enrol' });
    await writeFile(file, '{"secret": "abc", ');
    const told = await keys.verify(key).catch((error: unknown) => error as Error & { code: string });
    assert.ok(told instanceof Error);
    assert.equal(told.code, 'STORE_UNAVAILABLE');
    assert.doesNotMatch(`${told.message} ${String(told.cause)}`, /abc/);
  });
});
