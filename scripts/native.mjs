#!/usr/bin/env node
/**
 * The native parts, without the downloads of their install scripts.
 *
 * - sharp, esbuild and onnxruntime-node's CPU part ship inside their packages: nothing to do.
 * - faiss-node is compiled here, from its own source with our mends (native/faiss-mends.mjs), against Debian's
 *   faiss. Its prebuilt binary is not used: it loses 2 KB of memory with every query.
 * - native/process_memory.cc (what Node lacks to keep a process of many threads small) and native/pixels.cc (the loops
 *   over all pixels of a frame) are compiled beside it.
 * - Without a compiler and without the right to install one, the server searches with ONNX Runtime, and the
 *   line printed here says what to install.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { MENDS_VERSION, mendFaissNode } from './native/faiss-mends.mjs';
import { aptInstall, PROJECT_ROOT, runProgram, SetupError, step, which } from './support.mjs';

const PACKAGE = path.join(PROJECT_ROOT, 'node_modules', 'faiss-node');
const RELEASE = path.join(PACKAGE, 'build', 'Release');
const BINARY = path.join(RELEASE, 'faiss-node.node');
const STAMP = path.join(RELEASE, 'kaomon.json');
const HEADERS = ['kaomon_faiss.h', 'kaomon_vectors.h', 'kaomon_distance.h', 'kaomon_clones.h'].map((name) =>
  path.join(PROJECT_ROOT, 'scripts', 'native', name),
);
/** Addons of our own: source and binary. */
const PROCESS_MEMORY = ownAddon('process_memory.cc', 'process-memory.node');
const PIXELS = ownAddon('pixels.cc', 'pixels.node');
/** faiss's distance of two vectors (`fvec_L2sqr`), as the linker knows it: kaomon_distance.h takes its place. */
const DISTANCE = '_ZN5faiss11fvec_L2sqrEPKfS1_m';
const DEBIAN_PACKAGES = ['g++', 'libfaiss-dev', 'libopenblas-dev'];

/**
 * @param {string} source
 * @param {string} binary
 */
function ownAddon(source, binary) {
  return {
    source: path.join(PROJECT_ROOT, 'scripts', 'native', source),
    binary: path.join(RELEASE, binary),
  };
}

/** What the binaries depend on; a change compiles it anew. */
function fingerprint() {
  const hash = createHash('sha256').update(`${MENDS_VERSION} ${process.arch} ${process.versions.modules}`);
  for (const file of [
    path.join(PACKAGE, 'src', 'faiss.cc'),
    ...HEADERS,
    PROCESS_MEMORY.source,
    PIXELS.source,
  ])
    hash.update(readFileSync(file));
  return hash.digest('hex');
}

function upToDate() {
  if (![BINARY, PROCESS_MEMORY.binary, PIXELS.binary, STAMP].every(existsSync)) return false;
  return JSON.parse(readFileSync(STAMP, 'utf8')).fingerprint === fingerprint();
}

/** Where Debian keeps faiss, or undefined. */
function faissLibrary() {
  const machine = process.arch === 'arm64' ? 'aarch64-linux-gnu' : 'x86_64-linux-gnu';
  return [`/usr/lib/${machine}/libfaiss.a`, '/usr/lib/libfaiss.a', '/usr/local/lib/libfaiss.a'].find(
    existsSync,
  );
}

/**
 * Compiles one addon and proves in a process of its own that it works.
 * @param {string} name
 * @param {{work: string, args: string[], probe: (built: string) => string}} options args: what g++ is told beside what
 *   holds for every addon; probe: a program that ends by another status than 0 when the addon does not work
 * @returns {Promise<string>} the binary, in the work folder
 */
async function compileAddon(name, { work, args, probe }) {
  const built = path.join(work, `${name}.node`);
  const modules = path.join(PROJECT_ROOT, 'node_modules');
  const result = await runProgram('g++', [
    ...['-O3', '-shared', '-fPIC', '-std=c++17'],
    // Exceptions of C++ become JavaScript's instead of ending the process.
    ...['-DNAPI_VERSION=8', '-DNAPI_CPP_EXCEPTIONS', '-DNODE_ADDON_API_CPP_EXCEPTIONS_ALL'],
    `-DNODE_GYP_MODULE_NAME=${name.replaceAll('-', '_')}`,
    ...['-I', path.join(modules, 'node-addon-api'), '-I', path.join(modules, 'node-api-headers', 'include')],
    ...[...args, '-o', built],
  ]);
  const log = path.join(work, `${name}.log`);
  writeFileSync(log, result.output);
  if (result.code !== 0) throw new SetupError(`${name} did not compile: see ${log}.`);
  const proof = await runProgram(process.execPath, ['-e', probe(JSON.stringify(built))]);
  if (proof.code !== 0) throw new SetupError(`the compiled ${name} does not work: ${proof.output.trim()}`);
  return built;
}

async function compile() {
  const library = faissLibrary();
  if (!which('g++') || !library) throw new SetupError('there is no g++ or no faiss to compile against.');
  const work = path.join(PROJECT_ROOT, 'cache', 'native');
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  mkdirSync(RELEASE, { recursive: true });
  const source = path.join(work, 'faiss-node.cc');
  writeFileSync(source, mendFaissNode(readFileSync(path.join(PACKAGE, 'src', 'faiss.cc'), 'utf8')));
  const included = HEADERS.slice(0, 2).flatMap((header) => ['-include', header]);
  const [faiss, processMemory, pixels] = await Promise.all([
    compileAddon('faiss-node', {
      work,
      args: [
        ...['-fopenmp', '-I', path.dirname(HEADERS[0]), ...included, source],
        ...[`-Wl,--wrap=${DISTANCE}`, library, '-lopenblas'],
      ],
      probe: (built) => `const {IndexFlatL2, kaomonMended} = require(${built});
        const index = new IndexFlatL2(2); index.add(new Float32Array([0, 0, 3, 4]));
        const {distances: [d], labels: [l]} = index.search(new Float32Array([3, 3]), 1);
        if (d !== 1 || l !== 1 || kaomonMended !== ${MENDS_VERSION}) process.exit(1);`,
    }),
    compileAddon('process-memory', {
      work,
      args: [PROCESS_MEMORY.source],
      probe: (
        built,
      ) => `const bytes = Buffer.from(require(${built}).map(${JSON.stringify(PROCESS_MEMORY.source)}));
        if (!bytes.equals(require('fs').readFileSync(${JSON.stringify(PROCESS_MEMORY.source)}))) process.exit(1);`,
    }),
    compileAddon('pixels', {
      work,
      // Sums of doubles that round as JavaScript's do.
      args: ['-ffp-contract=off', PIXELS.source],
      probe: (built) => `const sums = new Int32Array(4 * 3 + 1);
        require(${built}).sumTable(Uint8Array.of(1, 2, 3), 1, 1, sums);
        if (sums.slice(9, 12).join() !== '1,2,3') process.exit(1);`,
    }),
  ]);
  renameSync(faiss, BINARY);
  renameSync(processMemory, PROCESS_MEMORY.binary);
  renameSync(pixels, PIXELS.binary);
  // A new file, not new text: a package folder that is linked with another checkout's stays as it was there.
  writeFileSync(`${STAMP}.new`, JSON.stringify({ fingerprint: fingerprint(), mends: MENDS_VERSION }));
  renameSync(`${STAMP}.new`, STAMP);
}

/**
 * Gets faiss-node's binary when it is not there.
 * @returns {Promise<string | undefined>} undefined when it is in place, else a line that says why not
 */
export async function setUpFaiss() {
  if (upToDate()) return undefined;
  if (!which('g++') || !faissLibrary()) {
    const refused = await aptInstall(DEBIAN_PACKAGES, 'a faster search: a compiler and faiss');
    if (refused) {
      return `faiss was not compiled: it ${refused}. Until then ONNX Runtime searches.`;
    }
  }
  try {
    await step('Compiling faiss-node', compile);
    return undefined;
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    return `faiss was not compiled: ${error.message} Until then ONNX Runtime searches.`;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const refused = await setUpFaiss();
  if (refused) console.error(`kaomon: ${refused}`);
}
