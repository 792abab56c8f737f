import assert from 'node:assert/strict';
import path from 'node:path';
import { it } from 'node:test';
import { createKeys } from '../../src/access/keys.js';
import { runKaomon } from '../support/command.js';
import { temporaryFolder } from '../support/temporary.js';

it('kaomon keys says what lies behind a file that it cannot use', async (t) => {
  const { code, text } = await runKaomon(['keys', 'add', 'office', '--role', 'admin'], {
    KEYS_FILE: await temporaryFolder(t),
  });
  assert.equal(code, 1);
  assert.match(text, /^kaomon: .+ \(it is a folder\)$/m);
});

it('kaomon keys says which file it wrote: a server with other settings reads another', async (t) => {
  const folder = await temporaryFolder(t);
  const run = (...words: string[]) => runKaomon(['keys', ...words], { EMBEDDINGS_DIR: folder });
  const file = path.join(folder, 'keys.json');
  const says = async (...words: string[]) =>
    assert.ok((await run(...words)).text.includes(file), words.join(' '));
  await says('list');
  await says('add', 'office');
  await says('revoke', 'office');
});

it('kaomon keys makes no key to all groups of a list without one', async (t) => {
  const file = path.join(await temporaryFolder(t), 'keys.json');
  const env = { KEYS_FILE: file, AUDIT_FILE: `${file}.audit` };
  const add = (name: string, ...groups: string[]) => runKaomon(['keys', 'add', name, ...groups], env);
  for (const groups of ['', ' ', ',', 'staff,,', 'staff,']) {
    const { code, text } = await add('door', '--groups', groups);
    assert.equal(code, 1, `--groups "${groups}"`);
    assert.match(text, /^kaomon: .*group/m);
    assert.doesNotMatch(text, /kao_/);
  }
  assert.equal((await add('door', '--groups', 'staff, visitors')).code, 0);
  assert.equal((await add('office')).code, 0);
  assert.deepEqual(
    (await createKeys({ file }).list()).map(({ name, groups }) => [name, groups]),
    [
      ['door', ['staff', 'visitors']],
      ['office', null],
    ],
  );
});
