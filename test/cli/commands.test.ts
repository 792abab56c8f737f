import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { PROJECT_ROOT } from '../../src/platform/root.js';

/** Runs `kaomon` as a person does. */
function kaomon(...words: string[]): { status: number | null; stderr: string } {
  return spawnSync(process.execPath, [path.join(PROJECT_ROOT, 'scripts', 'kaomon.mjs'), ...words], {
    encoding: 'utf8',
  });
}

it('kaomon offers the commands, each of which runs, and refuses what only they share', async () => {
  const folder = path.join(PROJECT_ROOT, 'src', 'cli');
  const files = (await readdir(folder)).filter((name) => name.endsWith('.ts'));
  for (const file of files) {
    const text = await readFile(path.join(folder, file), 'utf8');
    assert.match(text, /^export (async )?function main\(/m, `${file} is no command`);
  }
  const names = ['start', ...files.map((file) => path.basename(file, '.ts'))].sort().join(', ');
  for (const word of ['parts', 'shared', 'int8', '../server', 'constructor']) {
    const { status, stderr } = kaomon(word);
    assert.equal(status, 1);
    assert.equal(stderr, `kaomon: there is no command "${word}"; the commands are: ${names}.\n`);
  }
  assert.equal(kaomon().stderr, `kaomon: name a command: ${names}.\n`);
});
