#!/usr/bin/env node
/**
 * `npm run native:check`: builds the addons with ASan and UBSan, warnings as errors, and runs the tests of each against
 * that build. Ends with a status other than 0 at the first finding. `npm run native:check -- pixels` checks one of
 * them, `npm run native:check -- arm64` all of them for another machine (check-arm64.mjs).
 */
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { build, buildIsStale } from '../scripts/build.mjs';
import { PROJECT_ROOT, runProgram, SetupError, step } from '../scripts/support.mjs';
import { useTestFolder } from '../scripts/test-folder.mjs';
import { ADDONS, compile } from './build.mjs';
import { checkArm64 } from './check-arm64.mjs';

/** Test files of each addon. @type {Record<string, string[]>} */
const TESTS = {
  detector: ['native/detector-arguments', 'vision/detectors/mtcnn-kernels'],
  memory: ['native/arguments', 'platform/process-memory'],
  pixels: ['native/arguments', 'vision/pixels', 'vision/jpeg-scene'],
  segments: ['native/segments-arguments', 'gallery/base/mapped-vectors', 'gallery/base/mapped-lists'],
  vectors: ['native/arguments', 'native/vectors', 'gallery/index'],
};
const FOLDER = path.join(PROJECT_ROOT, 'cache', 'native', 'checked');

/** The sanitizer's library must be loaded before Node, which was built without it. */
async function sanitizerLibrary() {
  const { code, output } = await runProgram('g++', ['-print-file-name=libasan.so']);
  if (code !== 0 || !path.isAbsolute(output.trim())) throw new SetupError('g++ has no libasan.so.');
  return output.trim();
}

/** @param {readonly string[]} names */
async function checkHere(names) {
  const unknown = names.find((name) => !Object.hasOwn(ADDONS, name));
  if (unknown !== undefined)
    throw new SetupError(`there is no addon ${unknown}: ${Object.keys(ADDONS).join(', ')}.`);
  const env = {
    LD_PRELOAD: await sanitizerLibrary(),
    // Node itself leaves much unfreed when it ends.
    ASAN_OPTIONS: 'detect_leaks=0:abort_on_error=1',
    UBSAN_OPTIONS: 'print_stacktrace=1',
  };
  const options = ['-DKAOMON_STRICT=ON', '-DKAOMON_SANITIZE=ON'];
  for (const name of names)
    await step(`Compiling ${name} with sanitizers`, () => compile(name, { folder: FOLDER, options, env }));
  if (buildIsStale()) await step('Building', build);
  useTestFolder();
  const words = [...new Set(names.flatMap((name) => TESTS[name]))];
  const files = words.map((word) => path.join(PROJECT_ROOT, 'dist', 'test', `${word}.test.js`));
  const preload = `--import=${new URL('use-checked.mjs', import.meta.url).href}`;
  const { status } = spawnSync(
    process.execPath,
    ['--test', '--test-concurrency=1', '--test-reporter=spec', ...files],
    {
      stdio: 'inherit',
      env: {
        ...process.env,
        ...env,
        KAOMON_CHECKED: FOLDER,
        NODE_OPTIONS: `--enable-source-maps ${preload}`,
      },
    },
  );
  return status ?? 1;
}

try {
  const asked = process.argv.slice(2);
  if (asked.includes('arm64')) await checkArm64();
  const names = asked.length > 0 ? asked.filter((name) => name !== 'arm64') : Object.keys(ADDONS);
  if (names.length > 0) process.exitCode = await checkHere(names);
} catch (error) {
  console.error(error instanceof SetupError ? `kaomon: ${error.message}` : error);
  process.exitCode = 1;
}
