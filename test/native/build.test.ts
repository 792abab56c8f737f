import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, readdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { temporaryFolder } from '../support/temporary.js';

const BIN = '/usr/bin';
const hasTools = ['g++', 'cmake', 'make'].every((program) => existsSync(path.join(BIN, program)));

/** Sets up the addons as on a machine that has no faiss and may install nothing, and prints what was said. */
const PROGRAM = `
  const { ADDONS, setUpNative } = await import('./native/build.mjs');
  ADDONS.vectors.missing = () => ['libfaiss-dev'];
  for (const line of await setUpNative()) console.error(line);`;

describe('the addons', { skip: hasTools ? false : 'needs a compiler' }, () => {
  it('are compiled each by itself: without faiss the others are there, and one that has changed comes alone', async (t) => {
    const folder = await temporaryFolder(t);
    cpSync(path.join(PROJECT_ROOT, 'native'), path.join(folder, 'native'), { recursive: true });
    mkdirSync(path.join(folder, 'scripts'));
    cpSync(path.join(PROJECT_ROOT, 'scripts', 'support.mjs'), path.join(folder, 'scripts', 'support.mjs'));
    const modules = path.join(folder, 'node_modules');
    mkdirSync(modules);
    for (const name of ['node-addon-api', 'node-api-headers'])
      symlinkSync(path.join(PROJECT_ROOT, 'node_modules', name), path.join(modules, name));
    const source = path.join('faiss-node', 'src');
    cpSync(path.join(PROJECT_ROOT, 'node_modules', source), path.join(modules, source), { recursive: true });
    const bin = path.join(folder, 'bin');
    mkdirSync(bin);
    for (const name of readdirSync(BIN))
      if (name !== 'apt-get') symlinkSync(path.join(BIN, name), path.join(bin, name));
    const setUp = () => {
      const args = ['--input-type=module', '-e', PROGRAM];
      const run = spawnSync(process.execPath, args, { cwd: folder, env: { PATH: bin }, encoding: 'utf8' });
      assert.equal(run.status, 0, run.stderr);
      assert.match(
        run.stderr,
        /native\/vectors was not compiled: it needs Debian packages for a faster search\. Run: .*libfaiss-dev.* Until then ONNX Runtime searches\.\n/,
      );
      return run.stderr;
    };
    assert.match(setUp(), /Compiling memory, pixels, detector, segments …/);
    for (const name of ['memory', 'pixels', 'detector', 'segments'])
      assert.ok(existsSync(path.join(folder, 'dist', 'native', `${name}.node`)));
    assert.doesNotMatch(setUp(), /Compiling/);
    appendFileSync(path.join(folder, 'native', 'memory', 'memory.cc'), '#error\n');
    assert.match(
      setUp(),
      /Compiling memory …[^]*native\/memory did not compile: see .*memory\.log\. Until then/,
    );
    assert.ok(!existsSync(path.join(folder, 'dist', 'native', 'memory.node')), 'the old one would be loaded');
  });
});
