import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { chmod, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { temporaryFolder } from '../support/temporary.js';
import { makeLibrary, writeZip } from '../support/wheel.js';

interface Options {
  from?: string;
  folder: string;
  script: string;
  python: string;
  work: string;
}
interface Cuda {
  setUpCuda: (options: Options) => Promise<{ isNew: boolean; runsOn: string; missing: string[] }>;
}
const { setUpCuda } = (await import(
  pathToFileURL(path.join(PROJECT_ROOT, 'scripts', 'cuda.mjs')).href
)) as Cuda;

const OTHER_MACHINE = `${process.platform}/${process.arch}` === 'linux/x64' ? false : 'linux/x64 only';
const SHARED = 'libonnxruntime_providers_shared.so';
const CUDA = 'libonnxruntime_providers_cuda.so';
const PACKAGE = path.join(PROJECT_ROOT, 'node_modules', 'onnxruntime-node', 'package.json');
const { version: VERSION } = JSON.parse(readFileSync(PACKAGE, 'utf8')) as { version: string };

const NEEDED = ['libcublas.so.99', 'libcudart.so.99', 'libcuda.so.1', 'libm.so.6'];
const shared = makeLibrary(['libm.so.6']);
const cuda = makeLibrary(NEEDED, `\0${VERSION}`);
const metadata = (version: string) =>
  `Metadata-Version: 2.4\nName: onnxruntime-gpu\nVersion: ${version}\nRequires-Dist: numpy>=1.21.6\n` +
  'Requires-Dist: nvidia-cuda-runtime~=99.0; extra == "cuda"\nRequires-Dist: nvidia-cufft~=98.0; extra == "cuda"\n' +
  'Requires-Dist: nvidia-cudnn-cu99~=97.0; extra == "cudnn"\n';

/** A wheel's content. */
const wheel = (version = VERSION): Record<string, Buffer | string> => ({
  'onnxruntime/__init__.py': '',
  [`onnxruntime/capi/${SHARED}`]: shared,
  [`onnxruntime/capi/${CUDA}`]: cuda,
  [`onnxruntime_gpu-${version}.dist-info/METADATA`]: metadata(version),
});

/** Folders of a test's own, and programs that must not be run. */
async function stand(t: TestContext) {
  const folder = await temporaryFolder(t);
  const target = path.join(folder, 'place');
  await mkdir(target);
  const script = path.join(folder, 'script.cjs');
  await writeFile(script, 'console.error("Error: getaddrinfo ENOTFOUND"); process.exit(1);');
  const python = path.join(folder, 'python3');
  const setPip = async (program: string) => {
    await writeFile(python, `#!${process.execPath}\n${program}`);
    await chmod(python, 0o755);
  };
  await setPip('console.error("/usr/bin/python3: No module named pip"); process.exit(1);');
  const options = { folder: target, script, python, work: path.join(folder, 'work') };
  const run = (from?: string) => setUpCuda({ ...options, ...(from && { from: path.join(folder, from) }) });
  return { folder, target, script, setPip, run };
}

const placed = async (target: string) =>
  (await readdir(target)).filter((name) => name.endsWith('.so')).sort();

describe("the CUDA provider's files", { skip: OTHER_MACHINE }, () => {
  it('are taken from a folder, once', async (t) => {
    const { folder, target, script, run } = await stand(t);
    const from = path.join(folder, 'carried');
    await mkdir(from);
    await writeFile(path.join(from, SHARED), shared);
    await assert.rejects(run('carried'), { message: new RegExp(`lacks ${CUDA}.*onnxruntime-gpu`) });
    const wrongs: [content: Buffer | string, says: RegExp][] = [
      ['a web page that says no', /is not a whole library/],
      [cuda.subarray(0, cuda.length - 1), /is not a whole library/],
      [cuda.subarray(0, 100), /is not a whole library/],
      [makeLibrary(NEEDED, '\x000.0.1'), new RegExp(`is not of ONNX Runtime ${VERSION}`)],
    ];
    for (const [content, says] of wrongs) {
      await writeFile(path.join(from, CUDA), content);
      await assert.rejects(run('carried'), { message: says });
      assert.deepEqual(await readdir(target), []);
    }
    await writeFile(path.join(from, CUDA), cuda);
    const { isNew, runsOn, missing } = await run('carried');
    assert.deepEqual([isNew, runsOn], [true, 'CUDA 99, cuDNN 9']);
    assert.deepEqual(missing.slice(0, 2), ['libcublas.so.99', 'libcudart.so.99']);
    assert.deepEqual(await readFile(path.join(target, CUDA)), cuda);
    await writeFile(script, 'process.exit(1)');
    assert.equal((await run()).isNew, false, 'they are there');
  });

  it('are taken out of a wheel, or of a folder that holds it', async (t) => {
    const { folder, target, run } = await stand(t);
    const name = `onnxruntime_gpu-${VERSION}-cp312-cp312-manylinux_2_28_x86_64.whl`;
    await mkdir(path.join(folder, 'wheels'));
    for (const [i, from] of [path.join('wheels', name), 'wheels'].entries()) {
      await writeZip(path.join(folder, 'wheels', name), wheel(), i === 0);
      const { isNew, runsOn, missing } = await run(from);
      assert.deepEqual([isNew, runsOn], [true, 'CUDA 99, cuDNN 97']);
      for (const library of ['libcublas.so.99', 'libcudart.so.99', 'libcufft.so.98', 'libcudnn.so.97'])
        assert.ok(missing.includes(library), library);
      assert.ok(!missing.includes('libm.so.6'));
      assert.deepEqual(await readFile(path.join(target, CUDA)), cuda);
      assert.deepEqual(await readFile(path.join(target, SHARED)), shared);
      await rm(path.join(target, CUDA));
    }
    await rm(path.join(folder, 'wheels'), { recursive: true });
    await assert.rejects(run('wheels'), { message: /wheels is not there/ });
  });

  it('are not taken from a wheel that is damaged, another one or none, and what is there stays', async (t) => {
    const { folder, target, run } = await stand(t);
    const file = path.join(folder, 'some.whl');
    await writeZip(file, wheel());
    await run('some.whl');
    const whole = await readFile(file);
    const damaged = Buffer.from(whole);
    damaged[damaged.indexOf('libcublas')] ^= 1;
    const { [`onnxruntime/capi/${CUDA}`]: gone, ...lacking } = wheel();
    assert.ok(gone);
    const wrongs: [write: () => Promise<void>, says: RegExp][] = [
      [() => writeFile(file, damaged), /its content is damaged/],
      [() => writeFile(file, whole.subarray(0, whole.length - 100)), /is not a wheel of onnxruntime-gpu/],
      [() => writeFile(file, '<html>'), /is not a wheel of onnxruntime-gpu/],
      [() => writeZip(file, lacking), new RegExp(`it lacks ${CUDA}`)],
      [() => writeZip(file, { 'a.txt': 'a' }), /does not say which version/],
      [() => writeZip(file, wheel('0.9.0')), new RegExp(`is of version 0\\.9\\.0, .* is ${VERSION}`)],
    ];
    for (const [write, says] of wrongs) {
      await write();
      await assert.rejects(run('some.whl'), { message: says });
      assert.deepEqual(await placed(target), [CUDA, SHARED]);
      assert.equal((await run()).isNew, false);
    }
  });

  it('are fetched by pip, as the wheel of the very version', async (t) => {
    const { folder, target, setPip, run } = await stand(t);
    await writeZip(path.join(folder, 'made.whl'), wheel());
    await setPip(
      `const [, , ...args] = process.argv;
       const wanted = ['-m pip download', 'onnxruntime-gpu==${VERSION}', '--no-deps', '--only-binary=:all:', 'manylinux_2_28_x86_64'];
       if (!wanted.every((word) => args.join(' ').includes(word))) process.exit(3);
       const dest = args[args.indexOf('--dest') + 1];
       const fs = require('fs');
       fs.mkdirSync(dest, { recursive: true });
       fs.copyFileSync(__dirname + '/made.whl', dest + '/onnxruntime_gpu.whl');`,
    );
    assert.equal((await run()).isNew, true);
    assert.deepEqual(await placed(target), [CUDA, SHARED]);
    assert.deepEqual(
      await readdir(folder),
      ['made.whl', 'place', 'python3', 'script.cjs'],
      'the wheel is gone',
    );
    assert.equal((await run()).isNew, false);
  });

  it('are fetched by the package’s script without pip; when that fails one line says why and what else to do', async (t) => {
    const { folder, script, target, run } = await stand(t);
    await assert.rejects(run(), {
      message: /No module named pip; .*ENOTFOUND.*--cuda --from FILE\.whl.*--from DIR/,
    });
    await writeFile(
      script,
      `const fs = require('fs');
       if (!process.argv.includes('--onnxruntime-node-install')) process.exit(2);
       for (const file of ['${SHARED}', '${CUDA}']) fs.copyFileSync(__dirname + '/fetched', __dirname + '/place/' + file);`,
    );
    await writeFile(path.join(folder, 'fetched'), cuda.subarray(0, 200));
    await assert.rejects(run(), { message: /could not be fetched/ });
    await writeFile(path.join(folder, 'fetched'), cuda);
    assert.equal((await run()).isNew, true);
    assert.equal((await run()).isNew, false);
    await truncate(path.join(target, '.kaomon-cuda'), 0);
    assert.equal((await run()).isNew, true, 'an update wants others');
  });

  it('are whole or not there, and a run that was killed leaves nothing behind', async (t) => {
    const { folder, target, run } = await stand(t);
    await writeZip(path.join(folder, 'made.whl'), wheel());
    // In the way of the second file.
    await mkdir(path.join(target, CUDA, 'in the way'), { recursive: true });
    await assert.rejects(run('made.whl'));
    assert.deepEqual(await readdir(target), [CUDA, SHARED]);
    await rm(path.join(target, CUDA), { recursive: true });
    await writeFile(path.join(target, `.kaomon-new-${CUDA}`), 'half');
    await mkdir(path.join(folder, 'work'));
    await writeFile(path.join(folder, 'work', CUDA), 'half');
    assert.equal((await run('made.whl')).isNew, true);
    assert.deepEqual(await readFile(path.join(target, CUDA)), cuda);
    assert.deepEqual((await readdir(target)).sort(), [
      '.kaomon-cuda',
      '.kaomon-cuda-wants.json',
      CUDA,
      SHARED,
    ]);
    assert.ok(!(await readdir(folder)).includes('work'));
  });

  it('want libraries that are found where LD_LIBRARY_PATH names them', async (t) => {
    const { folder, run } = await stand(t);
    await writeZip(path.join(folder, 'made.whl'), wheel());
    const { missing } = await run('made.whl');
    const libraries = path.join(folder, 'libraries');
    await mkdir(libraries);
    for (const name of missing) await writeFile(path.join(libraries, name), '');
    const { LD_LIBRARY_PATH } = process.env;
    process.env.LD_LIBRARY_PATH = `/nowhere:${libraries}`;
    try {
      assert.deepEqual((await run()).missing, []);
    } finally {
      if (LD_LIBRARY_PATH === undefined) delete process.env.LD_LIBRARY_PATH;
      else process.env.LD_LIBRARY_PATH = LD_LIBRARY_PATH;
    }
  });
});
