import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { makeFolder } from '../../src/platform/files/durable.js';
import { readSmall, UnfitFile } from '../../src/platform/files/small-file.js';
import { startKaomon } from '../support/command.js';
import { runToEnd } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

/** Nothing can be made here, not even by root; where there is no such file system the place is simply not there. */
const NOWHERE = '/proc/kaomon';
/** What runs for ever must not hold the tests for as long. */
const PATIENCE = { timeout: 120_000 };

describe('a place where nothing can be made', PATIENCE, () => {
  for (const setting of ['EMBEDDINGS_DIR', 'MODELS_DIR', 'CACHE_DIR', 'AUDIT_FILE', 'KEYS_FILE']) {
    it(`ends the start with a sentence when it is ${setting}`, async (t) => {
      const folder = await temporaryFolder(t);
      const env = {
        ...{ MODEL_PACK: 'faceapi', EMBEDDINGS_DIR: path.join(folder, 'embeddings') },
        ...{ MODELS_DIR: path.join(folder, 'models'), CACHE_DIR: path.join(folder, 'cache') },
        [setting]: `${NOWHERE}/deep/place`,
      };
      const { code, stderr } = await runToEnd(env, t);
      assert.equal(code, 1);
      assert.match(
        stderr,
        new RegExp(`^kaomon: ${setting}=/proc/kaomon/deep/place.*cannot be made.*\\.\\n$`),
      );
    });
  }

  for (const words of [
    ['keys', 'add', 'office'],
    ['import', '.'],
  ]) {
    it(`ends kaomon ${words[0]} with a line and a status`, async (t) => {
      const { child, ended, text } = startKaomon(words, { EMBEDDINGS_DIR: `${NOWHERE}/deep/place` });
      t.after(() => child.kill('SIGKILL'));
      assert.equal((await ended).code, 1);
      assert.match(text(), /kaomon: [^\n]*(ENOENT|cannot)[^\n]*\n$/);
    });
  }

  it('is an error of makeFolder, like a file in the way and a link that leads nowhere', async (t) => {
    const folder = await temporaryFolder(t);
    await assert.rejects(makeFolder(`${NOWHERE}/deep`), { code: 'ENOENT' });
    await writeFile(path.join(folder, 'file'), '');
    await assert.rejects(makeFolder(path.join(folder, 'file')), { code: 'EEXIST' });
    await assert.rejects(makeFolder(path.join(folder, 'file', 'below')), { code: 'ENOTDIR' });
    await symlink(`${NOWHERE}/x`, path.join(folder, 'link'));
    await assert.rejects(makeFolder(path.join(folder, 'link', 'below')), { code: 'ENOENT' });
  });
});

it('makeFolder makes what is missing and says what was', async (t) => {
  const folder = await temporaryFolder(t);
  const deep = path.join(folder, 'a', 'b', 'c');
  assert.equal(await makeFolder(deep, 0o700), path.join(folder, 'a'));
  assert.equal((await stat(deep)).mode & 0o777, 0o700);
  assert.equal(await makeFolder(deep), undefined);
});

it('readSmall waits for no pipe, and reads no folder and nothing huge', PATIENCE, async (t) => {
  const folder = await temporaryFolder(t);
  const [pipe, place, huge] = ['pipe', 'place', 'huge'].map((name) => path.join(folder, name));
  await mkdir(place);
  await writeFile(huge, Buffer.alloc(101));
  const made = spawnSync('mkfifo', [pipe]).status === 0;
  for (const file of [place, huge, '/dev/zero', ...(made ? [pipe] : [])])
    await assert.rejects(readSmall(file, 100), UnfitFile, file);
  assert.equal((await readSmall(huge, 101)).length, 101);
});
