/** Takes files out of a wheel (a zip) of ONNX Runtime. Import it only once the packages are installed. */
import { createWriteStream } from 'node:fs';
import path from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { crc32 } from 'node:zlib';
import { SetupError } from './support.mjs';

/** NVIDIA's Python packages, and the library in each whose version a wheel names. */
const LIBRARIES = {
  cudnn: 'libcudnn',
  cufft: 'libcufft',
  curand: 'libcurand',
  'cuda-nvrtc': 'libnvrtc',
  'cuda-runtime': 'libcudart',
};
const MAX_METADATA = 1_000_000;
/** None of ONNX Runtime's libraries is larger, bytes. */
const MAX_LIBRARY = 4e9;

/**
 * @param {string} file the wheel; only read
 * @param {readonly string[]} names of the files that are wanted, without folders
 * @param {string} folder where they are written
 * @returns {Promise<{version: string, wants: string[]}>} its version, and the libraries of NVIDIA that it needs
 * @throws {SetupError} naming what is wrong with the wheel
 */
export async function unpackWheel(file, names, folder) {
  const { openPromise } = await import('yauzl');
  const refuse = (/** @type {string} */ reason) =>
    new SetupError(`${file} is not a wheel of onnxruntime-gpu: ${reason}.`);
  const zip = await openPromise(file, { lazyEntries: true, autoClose: false }).catch((error) => {
    throw refuse(error.message);
  });
  let metadata = '';
  /** @type {string[]} */
  const taken = [];
  try {
    for await (const entry of zip.eachEntry()) {
      const name = path.posix.basename(entry.fileName);
      const isMetadata = /^onnxruntime_gpu-[^/]+\.dist-info\/METADATA$/.test(entry.fileName);
      const isWanted = names.includes(name) && entry.fileName === `onnxruntime/capi/${name}`;
      if (!isMetadata && !isWanted) continue;
      if (entry.uncompressedSize > (isMetadata ? MAX_METADATA : MAX_LIBRARY))
        throw refuse(`${name} is too large`);
      const content = await zip.openReadStreamPromise(entry, {});
      const checked = content.pipe(checking(entry.crc32));
      content.on('error', (error) => checked.destroy(error));
      if (isMetadata) for await (const piece of checked) metadata += piece;
      else {
        await pipeline(checked, createWriteStream(path.join(folder, name)));
        taken.push(name);
      }
    }
  } catch (error) {
    if (error instanceof SetupError || (error instanceof Error && 'syscall' in error)) throw error;
    throw refuse(error instanceof Error ? error.message : String(error));
  } finally {
    zip.close();
  }
  const version = /^Version: *(\S+)/m.exec(metadata)?.[1];
  if (!version) throw refuse('it does not say which version it is');
  const missing = names.filter((name) => !taken.includes(name));
  if (missing.length > 0) throw refuse(`it lacks ${missing.join(' and ')}`);
  return { version, wants: wantedIn(metadata) };
}

/** Passes bytes on and fails at the end if their checksum is wrong. @param {number} expected */
function checking(expected) {
  let sum = 0;
  return new Transform({
    transform(piece, _encoding, done) {
      sum = crc32(piece, sum);
      done(null, piece);
    },
    flush(done) {
      done(sum === expected ? null : new Error('its content is damaged'));
    },
  });
}

/** @param {string} metadata @returns {string[]} `libcudnn.so.9` */
function wantedIn(metadata) {
  return [...metadata.matchAll(/^Requires-Dist: *nvidia-([a-z-]+?)(?:-cu\d+)? *\(?~=(\d+)/gm)].flatMap(
    ([, name = '', major]) => {
      const library = LIBRARIES[/** @type {keyof typeof LIBRARIES} */ (name)];
      return library ? [`${library}.so.${major}`] : [];
    },
  );
}
