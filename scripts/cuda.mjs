/** `npm run setup -- --cuda`: the files of ONNX Runtime's CUDA provider, too large for the package, where they belong. */
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { PROJECT_ROOT, runProgram, SetupError, step, writeStamp } from './support.mjs';

const PACKAGE = path.join(PROJECT_ROOT, 'node_modules', 'onnxruntime-node');
/** What the provider is made of; TensorRT's, which the package's own script brings along, is not asked for. */
const FILES = ['libonnxruntime_providers_shared.so', 'libonnxruntime_providers_cuda.so'];
/** Says of which version the files are: an update of the package wants others. */
const STAMP = '.kaomon-cuda';

/** Where ONNX Runtime looks for them: beside its library. */
export const CUDA_FOLDER = path.join(PACKAGE, 'bin', 'napi-v6', process.platform, process.arch);

/**
 * Fetches the files by the package's own script, or takes them from a folder that was carried over.
 * @param {{from?: string, folder?: string, script?: string}} [options] from: folder with the files of the same version
 *   of ONNX Runtime; folder, script: others than the package's, for tests
 * @returns {Promise<boolean>} false when they were there already
 * @throws {SetupError} with one line that says what to do
 */
export async function setUpCuda(options = {}) {
  const { from, folder = CUDA_FOLDER, script = path.join(PACKAGE, 'script', 'install.js') } = options;
  if (`${process.platform}/${process.arch}` !== 'linux/x64') {
    throw new SetupError(
      `ONNX Runtime has no CUDA provider for ${process.platform}/${process.arch}; linux/x64 has.`,
    );
  }
  const { version } = JSON.parse(readFileSync(path.join(PACKAGE, 'package.json'), 'utf8'));
  const stamp = path.join(folder, STAMP);
  const there = existsSync(stamp) && readFileSync(stamp, 'utf8') === version;
  if (there && !from && FILES.every((file) => existsSync(path.join(folder, file)))) return false;
  if (from) copyFrom(from, folder, version);
  else await fetchFiles(script, folder, version);
  writeStamp(stamp, version);
  return true;
}

/** @param {string} from @param {string} folder @param {string} version */
function copyFrom(from, folder, version) {
  const missing = FILES.filter((file) => !existsSync(path.join(from, file)));
  if (missing.length > 0) {
    throw new SetupError(
      `${from} lacks ${missing.join(' and ')}: they are in the Linux GPU package of ONNX Runtime ${version}.`,
    );
  }
  for (const file of FILES) {
    const source = path.join(from, file);
    const isLibrary = readFileSync(source).subarray(0, 4).equals(Buffer.from('\x7fELF', 'latin1'));
    if (!isLibrary) throw new SetupError(`${source} (${statSync(source).size} bytes) is not a library.`);
    copyFileSync(source, path.join(folder, file));
  }
}

/** @param {string} script @param {string} folder @param {string} version */
async function fetchFiles(script, folder, version) {
  const done = await step(`Fetching the CUDA provider of ONNX Runtime ${version} (some 300 MB)`, () =>
    // With a value (=cuda12) version 1.30's script takes the flag for none and ends at once below npm.
    runProgram(process.execPath, [script, '--onnxruntime-node-install']),
  );
  if (done.code === 0 && FILES.every((file) => existsSync(path.join(folder, file)))) return;
  const reason = done.output.split('\n').find((line) => /error/i.test(line)) ?? done.output.trim();
  throw new SetupError(
    `the CUDA provider could not be fetched (${reason.trim().slice(0, 200)}): where there is no network, ` +
      `\`npm run setup -- --cuda --from DIR\` takes ${FILES.join(' and ')} of ONNX Runtime ${version} from a folder.`,
  );
}
