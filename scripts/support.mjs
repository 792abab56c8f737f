/** What the set-up scripts share. Node's own modules only: these run before anything is installed. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

// Commands, benchmarks and tests run ONNX Runtime, too: src/platform/no-telemetry.ts says why this comes first.
process.env.ORT_DISABLE_TELEMETRY ??= '1';

/** The checkout's folder. */
export const PROJECT_ROOT = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** A failure whose message is all that a person needs: printed as one line, without a stack. */
export class SetupError extends Error {}

/** Every file below a folder of the project, as absolute paths. @param {string} folder @returns {string[]} */
export function filesBelow(folder) {
  const top = path.resolve(PROJECT_ROOT, folder);
  if (!existsSync(top)) return [];
  return readdirSync(top, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.join(entry.parentPath, entry.name));
}

/** Whether `file` is newer than `stamp`, or `stamp` does not exist. @param {string} file @param {string} stamp */
export function isNewer(file, stamp) {
  return !existsSync(stamp) || statSync(file).mtimeMs > statSync(stamp).mtimeMs;
}

/** Writes a stamp file, and makes its folder. @param {string} file @param {string} text */
export function writeStamp(file, text) {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/**
 * Runs one step and prints what it does and how long it took.
 * @template T
 * @param {string} title @param {() => T | Promise<T>} work @returns {Promise<T>}
 */
export async function step(title, work) {
  const started = performance.now();
  // A terminal gets a ticking line, a log file one line at the start and one at the end.
  const ticking = process.stderr.isTTY;
  const seconds = () => `${((performance.now() - started) / 1000).toFixed(0)} s`;
  process.stderr.write(ticking ? `  ${title} …` : `  ${title} …\n`);
  const timer = ticking && setInterval(() => process.stderr.write(`\r  ${title} … ${seconds()}`), 1000);
  try {
    const result = await work();
    process.stderr.write(`${ticking ? '\r' : ''}  ${title}: done in ${seconds()}   \n`);
    return result;
  } finally {
    if (timer) clearInterval(timer);
  }
}

/**
 * Runs a program to its end without blocking the ticking line.
 * @param {string} command @param {string[]} args
 * @param {{cwd?: string, env?: NodeJS.ProcessEnv}} [options]
 * @returns {Promise<{code: number, output: string}>} output: the last 64 KiB of what it printed; code 127: it cannot be started
 */
export async function runProgram(command, args, options = {}) {
  const { spawn } = await import('node:child_process');
  return await new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd: options.cwd ?? PROJECT_ROOT,
      env: options.env ?? process.env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const keep = (/** @type {Buffer} */ chunk) => {
      output = (output + chunk.toString()).slice(-65536);
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.on('error', (error) => resolve({ code: 127, output: `${output}${error.message}` }));
    child.on('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

/** Where a program is, or undefined. @param {string} name */
export function which(name) {
  const found = spawnSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' });
  return found.status === 0 ? found.stdout.trim() : undefined;
}

/**
 * How this user may install Debian packages: directly as root; by sudo only with `SETUP_SUDO=true`, because somebody
 * who starts a server has not asked for changes to the machine; else not at all.
 */
export function aptPrefix() {
  if (!which('apt-get')) return undefined;
  if (process.getuid?.() === 0) return [];
  if (process.env.SETUP_SUDO !== 'true' || !which('sudo')) return undefined;
  return spawnSync('sudo', ['-n', 'true']).status === 0 ? ['sudo', '-n'] : undefined;
}

/**
 * Installs Debian packages if this user may, and first says which and what for.
 * @param {string[]} packages
 * @param {string} why what they are for: goes on after "for"
 * @returns {Promise<string | undefined>} undefined when they are installed, else why not
 */
export async function aptInstall(packages, why) {
  const prefix = aptPrefix();
  const line = `apt-get install --no-install-recommends ${packages.join(' ')}`;
  if (!prefix) {
    const sudo = which('sudo') ? `sudo ${line}` : `as root ${line}`;
    return `needs Debian packages for ${why}. Run: ${sudo} (SETUP_SUDO=true lets the set-up use sudo itself)`;
  }
  const by = prefix.length > 0 ? 'by sudo, as SETUP_SUDO=true says' : 'as root';
  process.stderr.write(`kaomon: installing Debian packages ${by}, for ${why}: ${line}\n`);
  const apt = async (/** @type {string[]} */ ...args) => {
    const [command = '', ...rest] = [...prefix, 'apt-get', ...args];
    return await runProgram(command, rest, { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } });
  };
  // On a machine that has just started, another apt may hold the lock: wait instead of failing.
  const install = ['-o', 'DPkg::Lock::Timeout=120', 'install', '-y', '--no-install-recommends', ...packages];
  const done = await step('Debian packages', async () => {
    await apt('-o', 'DPkg::Lock::Timeout=120', 'update');
    return await apt(...install);
  });
  return done.code === 0 ? undefined : `\`${line}\` failed: ${done.output.trim().split('\n').at(-1) ?? ''}`;
}
