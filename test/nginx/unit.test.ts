import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { temporaryFolder } from '../support/temporary.js';

const run = promisify(execFile);
const isMissing = spawnSync('systemd-analyze', ['--version']).status !== 0;
/** Of systemd's scale of 0 (nothing is exposed) to 100. */
const MOST_EXPOSED = '20';

describe('the unit of systemd', { skip: isMissing && 'needs systemd-analyze' }, () => {
  it('is one, has a user of its own, and leaves the server little that it does not need', async (t) => {
    const text = await readFile(path.join(PROJECT_ROOT, 'nginx', 'kaomon.service'), 'utf8');
    const unit = path.join(await temporaryFolder(t), 'kaomon.service');
    // The program must be there for it to be one.
    await writeFile(unit, text.replaceAll(/^(Exec[A-Za-z]+)=\/opt\/kaomon/gm, `$1=${PROJECT_ROOT}`));
    const { stdout, stderr } = await run('systemd-analyze', ['verify', unit]);
    assert.equal(`${stdout}${stderr}`, '');
    assert.match(text, /^User=kaomon$/m);
    // V8 could not run.
    assert.doesNotMatch(text, /^MemoryDenyWriteExecute=/m);
    await run('systemd-analyze', ['security', '--offline=true', `--threshold=${MOST_EXPOSED}`, unit]);
  });
});
