#!/usr/bin/env node
/**
 * Compiles the addons of native/ on this machine, each by itself, so that a missing library costs only the addon that
 * needs it. Everything else that is native (sharp, esbuild, ONNX Runtime's CPU part) ships inside its package.
 * native/README.md says what each is for, and why CMake builds them.
 */
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  aptInstall,
  filesBelow,
  PROJECT_ROOT,
  runProgram,
  SetupError,
  step,
  which,
} from '../scripts/support.mjs';

const NATIVE = path.join(PROJECT_ROOT, 'native');
const FAISS_NODE = path.join(PROJECT_ROOT, 'node_modules', 'faiss-node');
/** Debian packages that every addon needs to be built, by the program in each. */
const TOOLS = { 'g++': 'g++', cmake: 'cmake', make: 'make' };

/**
 * @typedef {object} Addon
 * @property {string} made what CMake makes
 * @property {string} place where it is loaded from
 * @property {string[]} also its sources outside its folder
 * @property {() => string[]} missing Debian packages that are missing, besides the tools
 * @property {string} purpose what it is for: goes on after "for"
 * @property {string} without what happens where it was not compiled
 * @property {(file: string) => string} probe a program that ends with a status other than 0 if the addon does not work
 */

/** @type {Record<string, Addon>} */
export const ADDONS = {
  memory: {
    made: 'memory.node',
    place: path.join(PROJECT_ROOT, 'dist', 'native', 'memory.node'),
    also: [],
    missing: () => [],
    purpose: 'less memory',
    without: 'each thread keeps networks of its own',
    probe: (file) => `const bytes = Buffer.from(require(${file}).map(process.execPath).slice(0, 4));
      if (bytes.toString('latin1') !== '\\x7fELF') process.exit(1);`,
  },
  pixels: {
    made: 'pixels.node',
    place: path.join(PROJECT_ROOT, 'dist', 'native', 'pixels.node'),
    also: [],
    missing: () => [],
    purpose: 'a faster detection',
    without: 'the loops over pixels run in JavaScript',
    probe: (file) => `const sums = new Int32Array(4 * 3 + 1);
      require(${file}).sumTable(Uint8Array.of(1, 2, 3), 1, 1, sums);
      if (sums.slice(9, 12).join() !== '1,2,3') process.exit(1);`,
  },
  detector: {
    made: 'detector.node',
    place: path.join(PROJECT_ROOT, 'dist', 'native', 'detector.node'),
    also: [],
    missing: () => [],
    purpose: 'a search for faces in half the time',
    without: 'ONNX Runtime looks for faces',
    // With weights of zeros everything is as likely a face as not.
    probe: (file) => `const { kernels, Cascade } = require(${file});
      for (const kernel of kernels()) {
        const weights = [6599, 100049, 388783].map((length) => new Float32Array(length));
        const cascade = new Cascade(...weights, kernel);
        const table = [new Int32Array(13 * 13 * 3 + 1), 12, 12];
        const scores = new Float32Array(15);
        for (const side of [24, 48]) {
          cascade.score(...table, side, Int32Array.of(0, 0, 12, 12), 0, 1, scores.fill(1));
          if (scores[0] !== 0.5 || scores[1] !== 0) process.exit(1);
        }
        if (cascade.scan(...table, 12, 12, 0, 1, 0.5, new Float32Array(7)) !== 1) process.exit(1);
      }`,
  },
  segments: {
    made: 'segments.node',
    place: path.join(PROJECT_ROOT, 'dist', 'native', 'segments.node'),
    also: [],
    missing: () => [],
    purpose: 'a gallery that is mapped instead of loaded',
    without: 'each process loads the whole gallery at its start',
    probe: (file) => `const { MappedVectors } = require(${file});
      const file = require('node:path').join(require('node:os').tmpdir(), 'kaomon-probe-' + process.pid);
      require('node:fs').writeFileSync(file, Float32Array.of(0, 0, 3, 4));
      try {
        new MappedVectors(file, 2, 2).search(Float32Array.of(3, 3), 1).then(({ rows, distances }) => {
          if (rows.join() !== '1' || distances.join() !== '1') process.exit(1);
        });
      } finally { require('node:fs').unlinkSync(file); }`,
  },
  vectors: {
    made: 'faiss-node.node',
    place: path.join(FAISS_NODE, 'build', 'Release', 'faiss-node.node'),
    also: [path.join(FAISS_NODE, 'src', 'faiss.cc')],
    missing: () =>
      ['/usr', '/usr/local'].some((place) => existsSync(`${place}/include/faiss/IndexIVFFlat.h`))
        ? []
        : ['libfaiss-dev', 'libopenblas-dev'],
    purpose: 'a faster search',
    without: 'ONNX Runtime searches',
    // faiss-node's own index and ours must agree.
    probe: (file) => `const { IndexFlatL2, KaomonVectors } = require(${file});
      const [theirs, ours] = [new IndexFlatL2(2), new KaomonVectors(2)];
      for (const vector of [[0, 0], [3, 4]]) { theirs.add(vector); ours.add(Float32Array.from(vector)); }
      const { distances: [d], labels: [l] } = theirs.search([3, 3], 1);
      ours.search(Float32Array.of(3, 3), 1).then(({ distances, labels }) => {
        if (d !== 1 || l !== 1 || distances[0] !== d || labels[0] !== l) process.exit(1);
      });`,
  },
};

/** A hash of a binary's sources; when it changes, the addon is recompiled. @param {string} name */
function fingerprint(name) {
  const hash = createHash('sha256').update(process.arch);
  const own = [...filesBelow(`native/${name}`), ...filesBelow('native/common')].sort();
  for (const file of [...own, path.join(NATIVE, 'addon.cmake'), ...ADDONS[name].also])
    hash.update(readFileSync(file));
  return hash.digest('hex');
}

/** @param {string} name */
function isUpToDate(name) {
  const { place } = ADDONS[name];
  return (
    existsSync(place) &&
    existsSync(`${place}.made-of`) &&
    readFileSync(`${place}.made-of`, 'utf8') === fingerprint(name)
  );
}

/**
 * Compiles an addon and proves in a process of its own that it works.
 * @param {string} name
 * @param {{folder?: string, options?: string[], env?: NodeJS.ProcessEnv}} [how] folder: for all that CMake makes;
 *   options: for CMake; env: variables for the probe, besides this process's
 * @returns {Promise<string>} the binary
 * @throws {SetupError} that names the log
 */
export async function compile(name, how = {}) {
  const { made, probe } = ADDONS[name];
  const folder = path.join(how.folder ?? path.join(PROJECT_ROOT, 'cache', 'native'), name);
  const log = `${folder}.log`;
  // CMake does not continue what another version, or a checkout in another place, has begun.
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const args of [
    ['-S', path.join(NATIVE, name), '-B', folder, ...(how.options ?? [])],
    ['--build', folder, '--parallel', '2'],
  ]) {
    const { code, output } = await runProgram('cmake', args);
    writeFileSync(log, output);
    if (code !== 0) throw new SetupError(`native/${name} did not compile: see ${log}`);
  }
  const binary = path.join(folder, made);
  const proof = await runProgram(process.execPath, ['-e', probe(JSON.stringify(binary))], {
    env: { ...process.env, ...how.env },
  });
  if (proof.code !== 0)
    throw new SetupError(`native/${name} does not work, as compiled here: ${proof.output.trim()}`);
  return binary;
}

/** @param {string} name @param {boolean} strict */
async function install(name, strict) {
  const { place } = ADDONS[name];
  const binary = await compile(name, { options: [`-DKAOMON_STRICT=${strict ? 'ON' : 'OFF'}`] });
  mkdirSync(path.dirname(place), { recursive: true });
  // New files instead of new content: a process may have loaded the old one, and its folder of packages may be
  // hard-linked with another checkout's.
  copyFileSync(binary, `${place}.new`);
  renameSync(`${place}.new`, place);
  writeFileSync(`${place}.made-of.new`, fingerprint(name));
  renameSync(`${place}.made-of.new`, `${place}.made-of`);
}

/**
 * Compiles what is missing or out of date; installs the Debian packages for it if this user may.
 * @param {{strict?: boolean}} [options] strict: warnings are errors. For developers: another compiler's new warning
 *   must not cost a user the addon
 * @returns {Promise<string[]>} a line for each addon that is not in place, and why
 */
export async function setUpNative({ strict = false } = {}) {
  const stale = Object.keys(ADDONS).filter((name) => !isUpToDate(name));
  const missing = (/** @type {string} */ name) => [
    ...Object.entries(TOOLS).flatMap(([program, debian]) => (which(program) ? [] : [debian])),
    ...ADDONS[name].missing(),
  ];
  const wanted = [...new Set(stale.flatMap(missing))];
  const lacking = stale.filter((name) => missing(name).length > 0);
  const refused =
    wanted.length > 0
      ? await aptInstall(wanted, lacking.map((name) => ADDONS[name].purpose).join(', '))
      : undefined;
  const ready = refused ? stale.filter((name) => !lacking.includes(name)) : stale;
  /** @type {string[]} */
  const lines = [];
  const explain = (/** @type {string} */ name, /** @type {string} */ why) => {
    // What an earlier version's sources made would be loaded, and lack what this one calls.
    if (!isUpToDate(name)) rmSync(ADDONS[name].place, { force: true });
    lines.push(`${why}. Until then ${ADDONS[name].without}.`);
  };
  if (refused)
    for (const name of lacking)
      explain(name, `native/${name} was not compiled: ${refused.replace(/^needs/, 'it needs')}`);
  if (ready.length > 0)
    await step(`Compiling ${ready.join(', ')}`, () =>
      Promise.all(
        ready.map((name) =>
          install(name, strict).catch((error) => {
            if (!(error instanceof SetupError)) throw error;
            explain(name, error.message);
          }),
        ),
      ),
    );
  return lines;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const line of await setUpNative({ strict: true })) console.error(`kaomon: ${line}`);
