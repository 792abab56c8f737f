import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { TestContext } from 'node:test';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { freePort } from './port.js';
import { temporaryFolder } from './temporary.js';

/** The real server in one process with its own etcd, from PyPI, and its client from npm: fetched once, below `cache/`. */
const CACHE = path.join(PROJECT_ROOT, 'cache');
const ENVIRONMENT = path.join(CACHE, 'milvus-venv');
const SERVER = path.join(ENVIRONMENT, 'bin', 'milvus-server');
const CLIENT = path.join(CACHE, 'milvus');
const PACKAGE = '@zilliz/milvus2-sdk-node';
/** Fetching takes a minute or so: a test run must not stand still where there is no network. */
const FETCHING = 180_000;
/** It is ready within 25 seconds; on a busy machine a start after a kill sometimes stands still, and is made again. */
const STARTING = 75_000;
const STARTS = 4;
const PORTS = ['etcd', 'root-coord', 'proxy-internal', 'query-coord', 'query-node', 'index-coord'];
PORTS.push('index-node', 'data-coord', 'data-node');

const run = promisify(execFile);

/**
 * False when a Milvus can be started here, else the reason to skip. It is fetched where `TEST_MILVUS=fetch` asks for that, so
 * that a run without a network, or in a hurry, is not held up.
 */
export async function milvusMissing(): Promise<false | string> {
  if (process.platform !== 'linux') return 'needs Linux, for which milvus-server is made';
  if (process.env.TEST_MILVUS === 'fetch') {
    const reason = await fetchAll().then(
      () => undefined,
      (error: unknown) => `could not fetch Milvus: ${String(error).split('\n')[0]}`,
    );
    if (reason) return reason;
  }
  if (existsSync(SERVER) && hasClient()) return false;
  return 'needs Milvus: TEST_MILVUS=fetch npm test -- gallery/milvus fetches it below cache/ (150 MB)';
}

function hasClient(): boolean {
  try {
    createRequire(path.join(CLIENT, 'package.json')).resolve(PACKAGE);
    return true;
  } catch {
    return false;
  }
}

async function fetchAll(): Promise<void> {
  const options = { timeout: FETCHING };
  if (!existsSync(SERVER)) {
    if (spawnSync('python3', ['-m', 'pip', '--version']).status !== 0) throw new Error('there is no pip');
    await run('python3', ['-m', 'venv', ENVIRONMENT], options);
    await run(path.join(ENVIRONMENT, 'bin', 'pip'), ['install', '-q', 'milvus==2.3.5'], options);
  }
  if (!hasClient()) {
    await mkdir(CLIENT, { recursive: true });
    await run('npm', ['install', '--ignore-scripts', '--prefix', CLIENT, `${PACKAGE}@2.6.17`], options);
  }
}

export interface TestMilvus {
  /** Settings of a server that uses it. */
  env: Record<string, string>;
  /** As a crash. */
  stop(): Promise<void>;
  /** Again, on the same port with the same data. */
  start(): Promise<void>;
}

/** A Milvus server of the test's own, on free ports; ended with it. */
export async function startMilvus(t: Pick<TestContext, 'after'>): Promise<TestMilvus> {
  const folder = await temporaryFolder(t);
  const port = await freePort();
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    for (let attempt = 0; attempt < STARTS; attempt++) {
      await stop();
      if (await startOnce()) return;
    }
    throw new Error('Milvus did not start.');
  }

  /** @returns whether it answers */
  async function startOnce(): Promise<boolean> {
    const others: string[] = [];
    for (const name of PORTS) others.push(`--${name}-port`, String(await freePort()));
    // A group of its own, because the server is a child of the program that starts it.
    const options = { stdio: 'ignore', detached: true } as const;
    const started = spawn(SERVER, ['--data', folder, '--proxy-port', String(port), ...others], options);
    child = started;
    for (const until = Date.now() + STARTING; Date.now() < until && started.exitCode === null;) {
      if (await answers(port)) return true;
      await sleep(200);
    }
    return false;
  }

  async function stop(): Promise<void> {
    const running = child;
    child = undefined;
    if (running?.pid === undefined) return;
    const exited = running.exitCode === null ? once(running, 'exit') : undefined;
    try {
      process.kill(-running.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await exited;
  }

  t.after(stop);
  await start();
  return { env: { INDEX: 'milvus', MILVUS_URL: `http://127.0.0.1:${port}` }, start, stop };
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    const end = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once('connect', () => end(true)).once('error', () => end(false));
  });
}
