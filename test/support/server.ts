import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:https';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { FormRequest } from './form.js';

const ENTRY = fileURLToPath(new URL('../../src/server.js', import.meta.url));

/** A line of the server's log. */
export interface LogLine {
  msg?: string;
  urls?: string[];
  ms?: number;
}

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: unknown;
}

/** The built server as a child process, spoken to over HTTPS with its own certificate checked. */
export interface TestServer {
  child: ChildProcess;
  agent: Agent;
  port: number;
  /** Milliseconds from the process' begin to its ready line. */
  startedIn: number;
  /** Resolves with the first line of the log, past or to come, whose message holds `text`. */
  logged(text: string): Promise<LogLine>;
  get(path: string): Promise<Answer>;
  post(path: string, form: FormRequest): Promise<Answer>;
  delete(path: string): Promise<Answer>;
  /** Ends it by a signal. @returns its exit code, or the signal that ended it */
  end(signal?: NodeJS.Signals): Promise<number | string>;
}

/** Listens to its parent, as what pm2 runs around a worker does: the channel alone keeps such a process alive. */
const LISTENS = "data:text/javascript,process.on('message', () => {})";

/**
 * Runs the server until it ends by itself, with a channel to its parent that it listens to, as under pm2.
 * @param t should it not end, it does with this test
 * @returns its exit code and what it wrote on standard error
 */
export async function runToEnd(
  env: Record<string, string>,
  t?: Pick<TestContext, 'after'>,
): Promise<{ code: number; stderr: string }> {
  const child = spawn(process.execPath, ['--import', LISTENS, ENTRY], {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    timeout: 60_000,
    killSignal: 'SIGKILL',
  });
  t?.after(() => child.kill('SIGKILL'));
  const stderr = collect(child.stderr);
  child.stdout?.resume();
  const [code] = (await once(child, 'close')) as [number];
  return { code, stderr: stderr() };
}

/**
 * Starts the server on a free port of the loopback; keys are asked for where `env` says so (`AUTH=key`).
 * @param env settings; folders of the test's own among them
 */
export async function startServer(env: Record<string, string> & { CACHE_DIR: string }): Promise<TestServer> {
  const child = launch({ HOST: '127.0.0.1', PORT: '0', AUTH: 'none', ...env });
  const stderr = collect(child.stderr);
  const lines: LogLine[] = [];
  const watchers = new Set<() => void>();
  let ended = false;
  createInterface({ input: child.stdout ?? process.stdin }).on('line', (line) => {
    lines.push(JSON.parse(line) as LogLine);
    for (const watch of watchers) watch();
  });
  const closed = once(child, 'close').then(([code, signal]: (number | string | null)[]) => {
    ended = true;
    for (const watch of watchers) watch();
    return code ?? signal ?? 'unknown';
  });

  const logged = (text: string) =>
    new Promise<LogLine>((resolve, reject) => {
      const watch = () => {
        const found = lines.find(({ msg }) => msg?.includes(text));
        if (found) resolve(found);
        else if (ended) reject(new Error(`The server ended without "${text}": ${stderr()}`));
        if (found || ended) watchers.delete(watch);
      };
      watchers.add(watch);
      watch();
    });

  const { urls = [], ms = 0 } = await logged('Ready');
  const port = Number(new URL(urls[0]).port);
  const ca = await readFile(path.join(env.CACHE_DIR, 'tls', 'certificate.pem'));
  const agent = new Agent({ ca, keepAlive: true, maxSockets: 4 });

  async function ask(method: string, url: string, form?: FormRequest): Promise<Answer> {
    const outgoing = request({ host: 'localhost', port, method, path: url, agent, headers: form?.headers });
    outgoing.end(form?.payload);
    return await readAnswer(outgoing);
  }

  return {
    child,
    agent,
    port,
    startedIn: ms,
    logged,
    get: (url) => ask('GET', url),
    post: (url, form) => ask('POST', url, form),
    delete: (url) => ask('DELETE', url),
    async end(signal = 'SIGTERM') {
      agent.destroy();
      if (!ended) child.kill(signal);
      return await closed;
    },
  };
}

/** Waits for a request's answer and reads its JSON. */
export async function readAnswer(outgoing: ReturnType<typeof request>): Promise<Answer> {
  const [response] = (await once(outgoing, 'response')) as [import('node:http').IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  const text = Buffer.concat(chunks).toString();
  const isJson = response.headers['content-type']?.includes('json');
  return {
    status: response.statusCode ?? 0,
    headers: response.headers,
    body: isJson ? (JSON.parse(text) as unknown) : text,
  };
}

function launch(env: Record<string, string>): ChildProcess {
  return spawn(process.execPath, [ENTRY], {
    env: { PATH: process.env.PATH, LOG_LEVEL: 'info', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function collect(stream: NodeJS.ReadableStream | null): () => string {
  let text = '';
  stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return () => text;
}
