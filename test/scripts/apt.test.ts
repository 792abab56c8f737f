import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { PROJECT_ROOT } from '../../src/platform/root.js';

const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;

/** Asks the set-up for a package on a machine whose apt-get and sudo (without a password) write down what they do. */
async function install(t: TestContext, user: 'root' | 'somebody', env: Record<string, string> = {}) {
  // Where another user may go: the folder for temporary files of a test run is its own user's alone.
  const folder = await mkdtemp('/tmp/kaomon-apt-');
  t.after(() => rm(folder, { recursive: true }));
  await chmod(folder, 0o777);
  const support = path.join(folder, 'support.mjs');
  await copyFile(path.join(PROJECT_ROOT, 'scripts', 'support.mjs'), support);
  await chmod(support, 0o644);
  const log = path.join(folder, 'log');
  await writeFile(log, '');
  await chmod(log, 0o666);
  for (const [name, what] of [
    ['apt-get', `echo "apt-get $*" >> ${log}`],
    ['sudo', `echo "sudo $*" >> ${log}; shift; exec "$@"`],
  ]) {
    await writeFile(path.join(folder, name), `#!/bin/sh\n${what}\n`, { mode: 0o755 });
  }
  const program = `import { aptInstall } from ${JSON.stringify(support)};
    process.stderr.write('answer: ' + (await aptInstall(['g++'], 'a faster search')) + '\\n');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    cwd: '/',
    env: { PATH: `${folder}:/usr/bin:/bin`, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(user === 'somebody' && isRoot && { uid: NOBODY, gid: NOBODY }),
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()));
  await once(child, 'close');
  return { said, done: await readFile(log, 'utf8') };
}

describe('Debian packages', () => {
  it('are not installed by sudo unasked: what to run is said', async (t) => {
    const { said, done } = await install(t, 'somebody');
    assert.equal(done, '');
    assert.match(said, /answer: needs .* for a faster search\. Run: sudo apt-get install .*g\+\+ /);
  });

  it('are installed by sudo where that is asked for, which is said before', async (t) => {
    const { said, done } = await install(t, 'somebody', { SETUP_SUDO: 'true' });
    assert.match(
      said,
      /^kaomon: installing .* by sudo, as SETUP_SUDO=true says, for a faster search: .*g\+\+\n/,
    );
    assert.match(said, /answer: undefined/);
    assert.match(done, /sudo -n apt-get .*install .*g\+\+/);
  });

  it(
    'are installed for root, which is said before, with what they are for',
    { skip: !isRoot && 'needs root' },
    async (t) => {
      const { said, done } = await install(t, 'root');
      assert.match(
        said,
        /^kaomon: installing Debian packages as root, for a faster search: apt-get install .*g\+\+\n/,
      );
      assert.match(done, /apt-get .*install .*g\+\+/);
      assert.doesNotMatch(done, /sudo/);
    },
  );
});
