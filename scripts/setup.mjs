#!/usr/bin/env node
/**
 * Everything between a fresh checkout and a program that can run, each step skipped when it has been done: packages,
 * native parts, build. `npm run setup` runs it alone.
 */
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { aptInstall, PROJECT_ROOT, runProgram, SetupError, step, which } from './support.mjs';

const OLDEST_NODE = [20, 19];

/** Debian packages that only tests need: a browser, and servers that production runs beside ours. */
const TEST_PROGRAMS = {
  chromium: 'chromium',
  'redis-server': 'redis-server',
  nginx: 'nginx-light',
  mosquitto: 'mosquitto',
};

function checkNode() {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = OLDEST_NODE;
  if (major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)) return;
  throw new SetupError(
    `Node ${process.versions.node} is too old: install Node ${OLDEST_NODE.join('.')} or newer.`,
  );
}

/**
 * Whether the installed packages are those of the lock file. npm records what it installs; comparing the two takes
 * milliseconds and needs no stamp of ours.
 * @param {boolean} withDev
 */
function packagesAreThere(withDev) {
  const record = path.join(PROJECT_ROOT, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const read = (/** @type {string} */ file) => JSON.parse(readFileSync(file, 'utf8')).packages;
  const installed = read(record);
  return Object.entries(read(path.join(PROJECT_ROOT, 'package-lock.json'))).every(([folder, wanted]) => {
    const missingIsFine = folder === '' || wanted.optional || wanted.devOptional || (wanted.dev && !withDev);
    return installed[folder] ? installed[folder].version === wanted.version : missingIsFine;
  });
}

/** @param {boolean} withDev */
async function installPackages(withDev) {
  const args = ['ci', '--no-audit', '--no-fund', '--ignore-scripts', ...(withDev ? [] : ['--omit=dev'])];
  const done = await step('Installing packages', () =>
    // On some machines npm passes NODE_ENV=production to a test run, which would leave out the tests' tools.
    runProgram('npm', args, { env: { ...process.env, NODE_ENV: withDev ? 'development' : 'production' } }),
  );
  if (done.code === 0) return;
  const reason = done.output.split('\n').filter((line) => line.startsWith('npm error'));
  throw new SetupError(
    `the packages could not be installed (npm ci): ${reason.slice(0, 3).join(' ') || done.output.trim().slice(-300)}`,
  );
}

async function installTestPrograms() {
  const missing = Object.entries(TEST_PROGRAMS).filter(
    ([program]) => !which(program) && !existsSync(`/usr/sbin/${program}`),
  );
  if (missing.length === 0) return;
  const packages = missing.map(([, debianPackage]) => debianPackage);
  const refused = await aptInstall(packages, 'the tests: a browser, and servers that run beside ours');
  if (refused) console.error(`kaomon: some suites will be left out: ${refused}.`);
}

/**
 * @param {{forTests?: boolean, testPrograms?: boolean}} [options] forTests: the development packages too;
 *   testPrograms: also Chromium, Redis, nginx and mosquitto, where this user may install them
 * @throws {SetupError} with one line that says what to do
 */
export async function setUp(options = {}) {
  checkNode();
  const withDev = options.forTests ?? false;
  if (!packagesAreThere(withDev)) await installPackages(withDev);
  const { setUpNative } = await import('../native/build.mjs');
  for (const refused of await setUpNative({ strict: withDev })) console.error(`kaomon: ${refused}`);
  if (options.testPrograms) await installTestPrograms();
  const { build, buildIsStale } = await import('./build.mjs');
  if (buildIsStale()) await step('Building', build);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const { values } = parseArgs({ options: { cuda: { type: 'boolean' }, from: { type: 'string' } } });
    if (values.from !== undefined && !values.cuda) throw new SetupError('--from goes with --cuda.');
    await setUp();
    if (values.cuda) {
      const { setUpCuda } = await import('./cuda.mjs');
      const { isNew, runsOn, missing } = await setUpCuda(
        values.from === undefined ? {} : { from: values.from },
      );
      console.log(
        `The CUDA provider's files are ${isNew ? 'in place' : 'there already'}: they run on ${runsOn}. ` +
          (missing.length > 0
            ? `This machine does not find ${missing.join(', ')}: install them (docs/production.md), then start with EXECUTION_PROVIDERS=cuda,cpu.`
            : 'Start with EXECUTION_PROVIDERS=cuda,cpu.'),
      );
    }
  } catch (error) {
    const isTold = error instanceof SetupError || (error instanceof TypeError && 'code' in error);
    console.error(isTold ? `kaomon: ${error.message}` : error);
    process.exitCode = 1;
  }
}
