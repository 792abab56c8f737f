import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { writeNewFile } from '../../../src/platform/files/new-file.js';
import { temporaryFolder } from '../../support/temporary.js';
import { until } from '../../support/until.js';

async function place(t: TestContext) {
  const folder = await temporaryFolder(t);
  return { folder, file: path.join(folder, 'a.zip'), stop: new AbortController() };
}

describe('a file that is kept, such as a backup', () => {
  it('has its name once it is whole, and is for its owner alone', async (t) => {
    const { folder, file, stop } = await place(t);
    const source = new Readable({ read: () => undefined });
    source.push('half');
    const written = writeNewFile(file, source, stop.signal);
    await until(async () => (await readdir(folder)).length > 0);
    assert.deepEqual(await readdir(folder), ['a.zip.unfinished'], 'whoever is killed leaves no backup');
    source.push(null);
    await written;
    assert.deepEqual(await readdir(folder), ['a.zip']);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal(await readFile(file, 'utf8'), 'half');
  });

  it('leaves nothing when it is stopped, or cannot be made', async (t) => {
    const { folder, file, stop } = await place(t);
    const endless = new Readable({ read: () => undefined });
    const stopped = writeNewFile(file, endless, stop.signal);
    await until(async () => (await readdir(folder)).length > 0);
    stop.abort();
    await assert.rejects(stopped, { name: 'AbortError' });
    assert.ok(endless.destroyed);
    const broken = new Readable({ read: () => broken.destroy(new Error('gone')) });
    await assert.rejects(writeNewFile(file, broken, new AbortController().signal), { message: 'gone' });
    assert.deepEqual(await readdir(folder), []);
  });

  it('is never written over another one, nor over one that somebody is at', async (t) => {
    const { folder, file, stop } = await place(t);
    for (const [name, message] of [
      ['a.zip', /a\.zip already/],
      ['a.zip.unfinished', /a\.zip\.unfinished: another command writes it/],
    ] as const) {
      const there = path.join(folder, name);
      await writeFile(there, 'the only one');
      const source = Readable.from(['another']);
      await assert.rejects(writeNewFile(file, source, stop.signal), { code: 'SETUP', message });
      assert.equal(await readFile(there, 'utf8'), 'the only one');
      assert.ok(source.destroyed);
      await rm(there);
    }
  });
});
