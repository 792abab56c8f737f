import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { KaomonError } from '../../platform/errors.js';
import { refusalOf } from '../../platform/files/obstacles.js';
import type { Operations } from './operations.js';
import type { FromStore, StoreFailure, ThreadData, ToStore } from './thread.js';

/** The most questions that wait for the store; more are refused, so that a stuck disk takes no memory. */
const MOST_WAITING = 1000;

/** The main thread's end of the store. */
export interface SightingStore {
  /**
   * Asks for one of {@link Operations}; they are done in the order in which they were asked.
   * @throws KaomonError STORAGE_FULL, STORE_UNAVAILABLE, BUSY, INTERNAL where it can never be done, SETUP where SQLite cannot be loaded
   */
  ask<Name extends keyof Operations>(
    name: Name,
    ...args: Parameters<Operations[Name]>
  ): Promise<Awaited<ReturnType<Operations[Name]>>>;
  /** Does what was asked before, then ends the thread. */
  close(): Promise<void>;
}

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: unknown) => void;
}

/**
 * Opens the store; its thread starts with the first question, and again with the next one should it die.
 * @param warn told of what went wrong without a question
 */
export function openSightingStore(
  data: ThreadData,
  warn: (message: string) => void = () => undefined,
): SightingStore {
  const waiting = new Map<number, Waiting>();
  let worker: Worker | undefined;
  let asked = 0;
  let isClosed = false;

  function start(): Worker {
    const started = new Worker(new URL('./thread.js', import.meta.url), { workerData: data });
    started.on('message', (message: FromStore) => {
      if (message.kind === 'warn') {
        warn(message.message);
        return;
      }
      const one = waiting.get(message.number);
      waiting.delete(message.number);
      if (waiting.size === 0) started.unref();
      if (message.kind === 'done') one?.resolve(message.result);
      else one?.reject(toError(message.failure));
    });
    let reason: unknown;
    started.on('error', (error) => (reason = error));
    started.on('exit', () => {
      if (worker === started) worker = undefined;
      for (const { reject } of waiting.values())
        reject(isMissing(reason) ? withoutSqlite(reason) : unavailable(reason));
      waiting.clear();
    });
    return started;
  }

  return {
    ask(name, ...args) {
      type Result = Awaited<ReturnType<Operations[typeof name]>>;
      if (isClosed) return Promise.reject(unavailable());
      if (waiting.size >= MOST_WAITING) {
        const sentence = 'The sightings are busy: try again in a moment.';
        return Promise.reject(new KaomonError('BUSY', sentence, { retryAfter: 2 }));
      }
      worker ??= start();
      worker.ref();
      const number = asked++;
      const message: ToStore = { kind: 'ask', number, name, args };
      return new Promise<Result>((resolve, reject) => {
        waiting.set(number, { resolve: resolve as (result: unknown) => void, reject });
        worker?.postMessage(message);
      });
    },

    async close() {
      isClosed = true;
      const ending = worker;
      if (!ending) return;
      const ended = once(ending, 'exit');
      ending.ref();
      ending.postMessage({ kind: 'close' } satisfies ToStore);
      await ended;
    },
  };
}

/** libsql is an optional package, with a binary for each kind of machine. */
const MISSING = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND', 'ERR_DLOPEN_FAILED']);
const isMissing = (reason: unknown) => MISSING.has((reason as { code?: string } | undefined)?.code ?? '');
const withoutSqlite = (cause: unknown) =>
  new KaomonError(
    'SETUP',
    'SQLite cannot be loaded, which sightings and notices are kept in: run npm install, which gets the package libsql, or leave SIGHTINGS and notices off.',
    { cause },
  );

const unavailable = (cause?: unknown) =>
  new KaomonError('STORE_UNAVAILABLE', 'The sightings cannot be reached at the moment.', {
    retryAfter: 5,
    cause,
  });

function toError({ code, message, stack, isWrong }: StoreFailure): Error {
  const cause = new Error(code ? `${code}: ${message}` : message);
  if (stack) cause.stack = stack;
  if (code === 'SQLITE_FULL')
    return new KaomonError('STORAGE_FULL', 'There is no room left for sightings: free some on the disk.', {
      retryAfter: 60,
      cause,
    });
  if (code === 'REDIS_FULL') return refusalOf('redis full', cause);
  if (isWrong) return new KaomonError('INTERNAL', 'The sightings cannot take or tell this.', { cause });
  return unavailable(cause);
}
