/**
 * `npm run native:check -- arm64`: compiles the addons for ARM with Debian's compiler for it, warnings as errors, and compares
 * the detector's loops with the plain ones under an emulator. What needs Node or faiss is not run there.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { aptInstall, PROJECT_ROOT, runProgram, SetupError, step, which } from '../scripts/support.mjs';

const COMPILER = 'aarch64-linux-gnu-g++';
const EMULATOR = 'qemu-aarch64';
/** Debian packages, by the program in each. */
const TOOLS = { [COMPILER]: 'g++-aarch64-linux-gnu', [EMULATOR]: 'qemu-user' };
const ADDONS = ['memory', 'pixels', 'segments', 'detector'];
const FOLDER = path.join(PROJECT_ROOT, 'cache', 'native', 'arm64');

/** @throws {SetupError} that says what differs, or names the log */
export async function checkArm64() {
  const lacking = Object.entries(TOOLS).flatMap(([program, debian]) => (which(program) ? [] : [debian]));
  const refused = lacking.length > 0 ? await aptInstall(lacking, 'a check for ARM') : undefined;
  if (refused) throw new SetupError(`the check for ARM ${refused}`);
  for (const name of ADDONS) await step(`Compiling ${name} for ARM`, () => compileFor(name));
  const { code, output } = await runProgram(EMULATOR, [
    ...['-L', '/usr/aarch64-linux-gnu'],
    path.join(FOLDER, 'detector', 'compare'),
  ]);
  process.stdout.write(output);
  if (code !== 0) throw new SetupError('the loops for ARM differ from the plain ones.');
}

/** @param {string} name */
async function compileFor(name) {
  const folder = path.join(FOLDER, name);
  const log = `${folder}.log`;
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const args of [
    [
      ...['-S', path.join(PROJECT_ROOT, 'native', name), '-B', folder, '-DKAOMON_STRICT=ON'],
      ...[
        '-DCMAKE_SYSTEM_NAME=Linux',
        '-DCMAKE_SYSTEM_PROCESSOR=aarch64',
        `-DCMAKE_CXX_COMPILER=${COMPILER}`,
      ],
      ...(name === 'detector' ? ['-DKAOMON_COMPARE=ON'] : []),
    ],
    ['--build', folder, '--parallel', '2'],
  ]) {
    const { code, output } = await runProgram('cmake', args);
    writeFileSync(log, output);
    if (code !== 0) throw new SetupError(`native/${name} did not compile for ARM: see ${log}`);
  }
}
