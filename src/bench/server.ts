import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Agent, request } from 'undici';
import { makeFolder } from '../platform/files/durable.js';
import { createFileStore } from '../gallery/store/file-store.js';
import { createGallery } from '../gallery/gallery.js';
import { faceIdOf } from '../gallery/ids.js';
import { createExactIndex } from '../gallery/index/exact-index.js';
import type { BenchContext } from './effort.js';
import type { BenchPack } from './pack.js';
import { createIdentities } from './vectors.js';

const ENTRY = fileURLToPath(new URL('../server.js', import.meta.url));

/** A server in a process of its own, on a free port of the loopback interface, without TLS, keys or this shell's settings. */
export interface BenchServer {
  readonly origin: string;
  readonly pid: number;
  /** Milliseconds from its start until it said that it is ready. */
  readonly startedIn: number;
  /** Resident size, MB. */
  rss(): Promise<number>;
  /** As {@link rss}, what it shares with other processes by its share of it alone. */
  pss(): Promise<number>;
  /** Processor time since its start, milliseconds. */
  cpu(): Promise<number>;
  /** @returns the body of the answer @throws Error when its status is not 2xx */
  send(method: 'GET' | 'POST' | 'DELETE', url: string, body?: Uint8Array | object): Promise<unknown>;
  /** The answer, whatever its status. */
  ask(
    method: 'GET' | 'POST' | 'DELETE',
    url: string,
    body?: Uint8Array | object,
  ): Promise<{ status: number; body: unknown }>;
  end(): Promise<void>;
}

/** @throws Error with the server's output when it ends before it is ready */
export async function startServer(env: Readonly<Record<string, string>>): Promise<BenchServer> {
  const begun = performance.now();
  const child = spawn(process.execPath, [ENTRY], {
    env: {
      HOST: '127.0.0.1',
      PORT: '0',
      TLS: 'false',
      AUTH: 'none',
      // The benchmark makes more requests than the default limit allows.
      RATE_LIMIT: '0',
      LOG_LEVEL: 'info',
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const origin = await readyAt(child);
  const startedIn = performance.now() - begun;
  const dispatcher = new Agent({ connections: 16 });

  const server: BenchServer = {
    origin,
    pid: child.pid ?? 0,
    startedIn,
    async rss() {
      const status = await readFile(`/proc/${child.pid ?? 0}/status`, 'utf8').catch(() => '');
      return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? NaN) / 1024;
    },
    async pss() {
      const text = await readFile(`/proc/${child.pid ?? 0}/smaps_rollup`, 'utf8').catch(() => '');
      return Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? NaN) / 1024;
    },
    async cpu() {
      const stat = await readFile(`/proc/${child.pid ?? 0}/stat`, 'utf8').catch(() => '');
      // Fields 14 and 15, behind the name in brackets, in hundredths of a second.
      const [user, system] = stat
        .slice(stat.lastIndexOf(')') + 2)
        .split(' ')
        .slice(11, 13);
      return (Number(user) + Number(system)) * 10;
    },
    async ask(method, url, body) {
      const isPicture = body instanceof Uint8Array;
      const { statusCode, body: answer } = await request(origin + url, {
        method,
        dispatcher,
        ...(body && { body: isPicture ? body : JSON.stringify(body) }),
        ...(body && { headers: { 'content-type': isPicture ? 'image/jpeg' : 'application/json' } }),
      });
      const text = await answer.text();
      return { status: statusCode, body: text === '' ? undefined : (JSON.parse(text) as unknown) };
    },
    async send(method, url, body) {
      const answer = await server.ask(method, url, body);
      if (answer.status < 300) return answer.body;
      throw new Error(`${method} ${url} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
    },
    async end() {
      await dispatcher.close();
      if (child.exitCode !== null || child.signalCode !== null) return;
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      await closed;
    },
  };
  return server;
}

/** Waits for the server's URL in its output. */
async function readyAt(child: ChildProcess): Promise<string> {
  let complaint = '';
  child.stderr?.on('data', (chunk: Buffer) => (complaint = (complaint + chunk.toString()).slice(-2000)));
  const lines = createInterface({ input: child.stdout ?? process.stdin });
  return await new Promise((resolve, reject) => {
    child.once('close', (code) =>
      reject(new Error(`the server ended (${code ?? 'by a signal'}): ${complaint}`)),
    );
    lines.on('line', (line) => {
      if (!line.startsWith('{')) return;
      const { msg, urls } = JSON.parse(line) as { msg?: string; urls?: string[] };
      if (msg === 'Ready' && urls) resolve(new URL(urls[0]).origin);
    });
  });
}

/**
 * A gallery of synthetic people in a folder of its own, filled once.
 * @returns the settings of a server that uses it
 */
export async function galleryOf(
  people: number,
  { pack, env }: BenchPack,
  { folder }: BenchContext,
): Promise<Record<string, string>> {
  const { length } = pack.embedder;
  const embeddings = path.join(folder, `embeddings-${pack.id}-${people}`);
  await makeFolder(embeddings);
  const store = createFileStore({ folder: embeddings, pack: pack.id, length, warn: () => undefined });
  const gallery = await createGallery({ pack: pack.id, store, index: createExactIndex(length) });
  try {
    if (!gallery.groups().some(({ groupid }) => groupid === 'bench')) {
      await gallery.createGroup({ groupid: 'bench', groupname: 'Bench' });
    }
    const made = createIdentities(length, 9);
    for (let i = 0; i < people; i++) {
      const vector = made.direction();
      const userid = `person${i}`;
      if (await gallery.person(faceIdOf('bench', userid))) continue;
      await gallery.enrol({ groupid: 'bench', userid, username: `Person ${i}` }, vector);
    }
  } finally {
    await gallery.close();
  }
  return { ...env, EMBEDDINGS_DIR: embeddings, CACHE_DIR: path.join(folder, 'server') };
}
