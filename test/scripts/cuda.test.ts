import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PROJECT_ROOT } from '../../src/root.js';
import { temporaryFolder } from '../support/temporary.js';

interface Cuda {
  setUpCuda: (options: { from?: string; folder?: string; script?: string }) => Promise<boolean>;
}
const { setUpCuda } = (await import(
  pathToFileURL(path.join(PROJECT_ROOT, 'scripts', 'cuda.mjs')).href
)) as Cuda;

const OTHER_MACHINE = `${process.platform}/${process.arch}` === 'linux/x64' ? false : 'linux/x64 only';
const SHARED = 'libonnxruntime_providers_shared.so';
const CUDA = 'libonnxruntime_providers_cuda.so';

describe("the CUDA provider's files", { skip: OTHER_MACHINE }, () => {
  it('are taken from a folder, once', async (t) => {
    const folder = await temporaryFolder(t);
    const from = path.join(folder, 'carried');
    await mkdir(from);
    await writeFile(path.join(from, SHARED), '\x7fELF shared');
    await assert.rejects(setUpCuda({ from, folder }), { message: new RegExp(`lacks ${CUDA}`) });
    await writeFile(path.join(from, CUDA), 'a web page that says no');
    await assert.rejects(setUpCuda({ from, folder }), { message: /is not a library/ });
    await writeFile(path.join(from, CUDA), '\x7fELF cuda');
    assert.equal(await setUpCuda({ from, folder }), true);
    assert.equal(await readFile(path.join(folder, CUDA), 'latin1'), '\x7fELF cuda');
    const script = path.join(folder, 'must-not-run.cjs');
    await writeFile(script, 'process.exit(1)');
    assert.equal(await setUpCuda({ folder, script }), false, 'they are there');
  });

  it('are fetched by the package’s script; when that fails one line says why and what else to do', async (t) => {
    const folder = await temporaryFolder(t);
    const script = path.join(folder, 'install.cjs');
    await writeFile(script, 'console.error("Error: getaddrinfo ENOTFOUND"); process.exit(1);');
    await assert.rejects(setUpCuda({ folder, script }), { message: /ENOTFOUND.*--cuda --from DIR/ });
    await writeFile(
      script,
      `const fs = require('fs');
       if (!process.argv.includes('--onnxruntime-node-install')) process.exit(2);
       for (const file of ['${SHARED}', '${CUDA}']) fs.writeFileSync(__dirname + '/' + file, 'library');`,
    );
    assert.equal(await setUpCuda({ folder, script }), true);
    assert.equal(await setUpCuda({ folder, script }), false);
  });
});
