import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { TestContext } from 'node:test';
import { connectMilvus } from '../../src/gallery/remote/milvus-client.js';
import { loadConfig } from '../../src/settings/config.js';
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
/** It is ready within 25 seconds. */
const STARTING = 75_000;
const STARTS = 2;
/** Seconds for which its parts count as running once they were killed, so that they cannot be started again: usually 30. */
const SESSION = 5;
const PORTS = ['etcd', 'root-coord', 'proxy-internal', 'query-coord', 'query-node', 'index-coord'];
PORTS.push('index-node', 'data-coord', 'data-node');

const HOST = '127.0.0.1';

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
  const door = await openDoor();
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    for (let attempt = 0; attempt < STARTS; attempt++) {
      await stop();
      const port = await startOnce();
      if (port === undefined) continue;
      await door.open(port);
      return;
    }
    throw new Error('Milvus did not start.');
  }

  /** @returns the port where it answers; undefined: it does not */
  async function startOnce(): Promise<number | undefined> {
    const port = await freePort();
    const others = ['--extra-config', `common.session.ttl=${SESSION}`];
    for (const name of PORTS) others.push(`--${name}-port`, String(await freePort()));
    // A group of its own, because the server is a child of the program that starts it.
    const options = { stdio: 'ignore', detached: true } as const;
    const started = spawn(SERVER, ['--data', folder, '--proxy-port', String(port), ...others], options);
    child = started;
    for (const until = Date.now() + STARTING; Date.now() < until && started.exitCode === null;) {
      if (await isWell(port)) return port;
      await sleep(200);
    }
    return undefined;
  }

  async function stop(): Promise<void> {
    await door.close();
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
  return { env: { INDEX: 'milvus', MILVUS_URL: `http://${HOST}:${door.port}` }, start, stop };
}

/**
 * A port that leads to Milvus wherever it is. Its own would not do: the program that starts it takes another one while the
 * system still keeps those of a server that was killed, which is for a minute.
 */
async function openDoor() {
  const port = await freePort();
  const sockets = new Set<Socket>();
  let behind = 0;
  const lead = (from: Socket, to: Socket) => {
    sockets.add(from);
    from.on('error', () => from.destroy());
    from.on('close', () => {
      sockets.delete(from);
      to.destroy();
    });
    from.pipe(to);
  };
  const server = createServer((socket) => {
    const there = connect(behind, HOST).setNoDelay();
    lead(socket.setNoDelay(), there);
    lead(there, socket);
  });
  return {
    port,
    async open(to: number): Promise<void> {
      behind = to;
      server.listen(port, HOST);
      await once(server, 'listening');
    },
    async close(): Promise<void> {
      if (!server.listening) return;
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Whether it takes calls: it listens long before. */
async function isWell(port: number): Promise<boolean> {
  const config = loadConfig({ MILVUS_URL: `http://${HOST}:${port}` });
  return await connectMilvus(config, 0).then(
    async (sdk) => {
      await sdk.closeConnection();
      return true;
    },
    () => false,
  );
}
