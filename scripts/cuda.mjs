/** `npm run setup -- --cuda`: installs the files of ONNX Runtime's CUDA provider, which are too large for its package. */
import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  closeSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import path from 'node:path';
import { holdsText, neededBy } from './elf.mjs';
import { PROJECT_ROOT, runProgram, SetupError, step, which, writeStamp } from './support.mjs';
import { unpackWheel } from './wheel.mjs';

const PACKAGE = path.join(PROJECT_ROOT, 'node_modules', 'onnxruntime-node');
const SHARED = 'libonnxruntime_providers_shared.so';
const CUDA = 'libonnxruntime_providers_cuda.so';
/** The provider's files, without those of TensorRT, which the package's own script also fetches. */
const FILES = [SHARED, CUDA];
/** Holds the files' version: an update of the package needs others. */
const STAMP = '.kaomon-cuda';
/** Lists the libraries that a wheel needs but its library does not name, because they are loaded at run time. */
const WANTS = '.kaomon-cuda-wants.json';
/** The Python package with the same files, of the same version. */
const WHEEL = 'onnxruntime-gpu';
/** Begins the name of a file that is not complete yet. */
const UNFINISHED = '.kaomon-new-';

/** Where ONNX Runtime looks for them: beside its library. */
export const CUDA_FOLDER = path.join(PACKAGE, 'bin', 'napi-v6', process.platform, process.arch);

/**
 * @typedef {object} Cuda
 * @property {boolean} isNew false when the files were there already
 * @property {string} runsOn what must be installed according to the files: `CUDA 13, cuDNN 9`
 * @property {string[]} missing libraries of these that this machine does not find
 */

/**
 * Takes the files from what was carried over; else from the Python package of the same version, if pip is there; else
 * fetches them by the package's own script. They are installed completely or not at all.
 * @param {{from?: string, folder?: string, script?: string, python?: string, work?: string}} [options] from: a wheel,
 *   or a folder with one or with the files themselves; folder, script, python, work: instead of the real ones, for
 *   tests
 * @returns {Promise<Cuda>}
 * @throws {SetupError} with one line that says what to do
 */
export async function setUpCuda(options = {}) {
  const {
    from,
    folder = CUDA_FOLDER,
    script = path.join(PACKAGE, 'script', 'install.js'),
    python = which('python3'),
    work = path.join(PROJECT_ROOT, 'cache', 'cuda'),
  } = options;
  if (`${process.platform}/${process.arch}` !== 'linux/x64') {
    throw new SetupError(
      `ONNX Runtime has no CUDA provider for ${process.platform}/${process.arch}; linux/x64 has.`,
    );
  }
  const { version } = JSON.parse(readFileSync(path.join(PACKAGE, 'package.json'), 'utf8'));
  const stamp = path.join(folder, STAMP);
  const there = existsSync(stamp) && readFileSync(stamp, 'utf8') === version;
  const isNew = Boolean(from) || !there || FILES.some((file) => !existsSync(path.join(folder, file)));
  if (isNew) {
    // Left by a run that was killed.
    rmSync(work, { recursive: true, force: true });
    for (const name of readdirSync(folder)) if (name.startsWith(UNFINISHED)) rmSync(path.join(folder, name));
    mkdirSync(work, { recursive: true });
    try {
      await (from
        ? takeFrom(from, { folder, work, version })
        : fetchFiles({ folder, work, version, script, python }));
      writeStamp(stamp, version);
    } catch (error) {
      throw isFull(error) ? new SetupError(`The disk is full: ${error.message}.`) : error;
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  const wanted = wantedBy(folder);
  return { isNew, runsOn: describe(wanted), missing: missingOf(wanted) };
}

/** @typedef {{folder: string, work: string, version: string}} Places work: an empty folder */

/** @param {string} from @param {Places} places */
async function takeFrom(from, places) {
  if (!existsSync(from)) throw new SetupError(`${from} is not there.`);
  if (!statSync(from).isDirectory()) return await takeFromWheel(from, places);
  const wheel = readdirSync(from).find(
    (name) => name.startsWith('onnxruntime_gpu-') && name.endsWith('.whl'),
  );
  const missing = FILES.filter((file) => !existsSync(path.join(from, file)));
  if (missing.length > 0 && wheel) return await takeFromWheel(path.join(from, wheel), places);
  if (missing.length > 0) {
    throw new SetupError(
      `${from} lacks ${missing.join(' and ')}: they are in the Linux GPU package of ONNX Runtime ${places.version}, and in ` +
        `the Python package ${WHEEL} of this version, whose wheel may be given as it is.`,
    );
  }
  putInPlace(from, [], places);
}

/** @param {string} wheel @param {Places} places */
async function takeFromWheel(wheel, places) {
  const title = `Unpacking ${path.basename(wheel)}`;
  const { version, wants } = await step(title, () => unpackWheel(wheel, FILES, places.work));
  if (version !== places.version) {
    throw new SetupError(
      `${wheel} is of version ${version}, but ONNX Runtime here is ${places.version}, and no other version fits.`,
    );
  }
  putInPlace(places.work, wants, places);
}

/**
 * Checks the files and installs them. Each is first copied under another name, so that none is ever incomplete; the
 * stamp says that all are there.
 * @param {string} from @param {string[]} wants libraries that are loaded at run time, as far as known @param {Places}
 *   places
 */
function putInPlace(from, wants, { folder, version }) {
  for (const file of FILES) {
    const source = path.join(from, file);
    if (!neededBy(source)) {
      throw new SetupError(
        `${source} (${statSync(source).size} bytes) is not a whole library for this processor.`,
      );
    }
  }
  if (!holdsText(path.join(from, CUDA), `\0${version}\0`)) {
    throw new SetupError(
      `${path.join(from, CUDA)} is not of ONNX Runtime ${version}, and no other version fits.`,
    );
  }
  const pending = FILES.map((file) => path.join(folder, `${UNFINISHED}${file}`));
  try {
    FILES.forEach((file, i) => {
      copyFileSync(path.join(from, file), pending[i]);
      flush(pending[i]);
    });
    // While two files may be of different versions, no stamp may say that all are there.
    rmSync(path.join(folder, STAMP), { force: true });
    FILES.forEach((file, i) => renameSync(pending[i], path.join(folder, file)));
  } finally {
    for (const file of pending) rmSync(file, { force: true });
  }
  writeStamp(path.join(folder, WANTS), JSON.stringify(wants));
}

/** @param {string} file */
function flush(file) {
  const handle = openSync(file, 'r+');
  fsyncSync(handle);
  closeSync(handle);
}

/** @param {Places & {script: string, python: string | undefined}} places */
async function fetchFiles({ script, python, ...places }) {
  const refusals = [];
  if (python) {
    const refusal = await fetchWheel(python, places);
    if (!refusal) return;
    refusals.push(`pip: ${refusal}`);
  }
  rmSync(path.join(places.folder, STAMP), { force: true });
  const done = await step(`Fetching the CUDA provider of ONNX Runtime ${places.version} (some 300 MB)`, () =>
    // With a value (=cuda12), version 1.30's script does not recognise the flag and ends at once under npm.
    runProgram(process.execPath, [script, '--onnxruntime-node-install']),
  );
  const isWhole = (/** @type {string} */ file) => existsSync(file) && neededBy(file) !== undefined;
  if (done.code === 0 && FILES.every((file) => isWhole(path.join(places.folder, file)))) {
    writeStamp(path.join(places.folder, WANTS), '[]');
    return;
  }
  refusals.push(reasonIn(done.output));
  throw new SetupError(
    `the CUDA provider could not be fetched (${refusals.join('; ')}): without internet, ` +
      `\`npm run setup -- --cuda --from FILE.whl\` takes it from the wheel of ${WHEEL} ${places.version}, and --from DIR ` +
      `takes ${FILES.join(' and ')} of ONNX Runtime ${places.version} from a folder.`,
  );
}

/** @param {string} python @param {Places} places @returns {Promise<string | undefined>} why it failed */
async function fetchWheel(python, places) {
  const wheels = path.join(places.work, 'wheels');
  // For whatever Python: the two files that are taken from the wheel are the same for all.
  const platforms = Array.from({ length: 23 }, (_, i) => [
    '--platform',
    `manylinux_2_${17 + i}_x86_64`,
  ]).flat();
  const done = await step(`Fetching ${WHEEL} ${places.version} by pip (some 250 MB)`, () =>
    runProgram(python, [
      ...['-m', 'pip', 'download', '--quiet', '--no-cache-dir', '--disable-pip-version-check', '--no-deps'],
      ...['--only-binary=:all:', '--python-version', '3.12', '--implementation', 'cp', '--abi', 'cp312'],
      ...platforms,
      ...['--dest', wheels, `${WHEEL}==${places.version}`],
    ]),
  );
  const wheel = existsSync(wheels) ? readdirSync(wheels).find((name) => name.endsWith('.whl')) : undefined;
  if (done.code !== 0 || !wheel) return reasonIn(done.output);
  await takeFromWheel(path.join(wheels, wheel), places);
  return undefined;
}

/** The line of a program's output that says what went wrong. @param {string} output */
function reasonIn(output) {
  const reason = output.split('\n').find((line) => /error|no module/i.test(line)) ?? output.trim();
  return reason.trim().slice(0, 200);
}

/** NVIDIA's libraries that the provider names, and those that it loads at run time. @param {string} folder */
function wantedBy(folder) {
  const named = (neededBy(path.join(folder, CUDA)) ?? []).filter((name) => /^lib(cu|nv)/.test(name));
  const later = path.join(folder, WANTS);
  const known = existsSync(later) ? JSON.parse(readFileSync(later, 'utf8')) : [];
  return [...new Set([...named, ...known])];
}

/** @param {string[]} wanted @returns {string} `CUDA 13, cuDNN 9` */
function describe(wanted) {
  const versionOf = (/** @type {string} */ library) =>
    wanted.map((name) => new RegExp(`^${library}\\.so\\.(\\d+)`).exec(name)?.[1]).find(Boolean);
  const cuda = versionOf('libcudart') ?? versionOf('libcublas');
  return [`CUDA${cuda ? ` ${cuda}` : ''}`, `cuDNN ${versionOf('libcudnn') ?? '9'}`].join(', ');
}

/** @param {string[]} wanted @returns {string[]} those that a program started here does not find */
function missingOf(wanted) {
  const known = spawnSync('ldconfig', ['-p'], {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/sbin:/usr/sbin` },
  });
  const cached = new Set((known.stdout ?? '').split('\n').map((line) => line.trim().split(' ')[0]));
  const folders = (process.env.LD_LIBRARY_PATH ?? '').split(':').filter(Boolean);
  return wanted.filter(
    (name) => !cached.has(name) && !folders.some((place) => existsSync(path.join(place, name))),
  );
}

/** @param {unknown} error @returns {error is NodeJS.ErrnoException} */
function isFull(error) {
  return error instanceof Error && 'code' in error && (error.code === 'ENOSPC' || error.code === 'EDQUOT');
}
