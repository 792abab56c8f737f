/** The store's thread: SQLite blocks whoever asks it, and the main thread never waits. */
import { parentPort, workerData } from 'node:worker_threads';
import { quietError } from '../../platform/quiet-error.js';
import { openDatabase } from './database.js';
import { type AnyOperations, type Operations, operationsOf } from './operations.js';
import type { SharedSettings, StoreSettings } from './settings.js';

export interface ThreadData extends StoreSettings {
  file: string;
}
export type ToStore =
  { kind: 'ask'; number: number; name: keyof Operations; args: unknown[] } | { kind: 'close' };
/** A failure, without what it was about: values do not leave the thread in a message. */
export interface StoreFailure {
  /** SQLite's, such as SQLITE_FULL; empty for any other failure. */
  code: string;
  message: string;
  stack: string | undefined;
  /** What was asked cannot be done, now or later. */
  isWrong: boolean;
}
export type FromStore =
  | { kind: 'done'; number: number; result: unknown }
  | { kind: 'failed'; number: number; failure: StoreFailure }
  /** Something that no question was about went wrong. */
  | { kind: 'warn'; message: string };

const port = parentPort;
if (!port) throw new Error('thread.ts runs in a worker thread only: see client.ts.');
const { file, ...settings } = workerData as ThreadData;
const say = (message: FromStore) => port.postMessage(message);

interface Opened {
  run(name: string, args: unknown[]): unknown;
  close(): Promise<void> | void;
}
let opened: Opened | undefined;

/** Opened when it is first asked, and tried again with the next question where that failed. */
async function open(): Promise<Opened> {
  opened ??= await (settings.shared ? openShared(settings.shared) : openOwn());
  return opened;
}

async function openOwn(): Promise<Opened> {
  const database = await openDatabase(file);
  const operations = operationsOf(database, settings).operations as unknown as AnyOperations;
  return { run: (name, args) => operations[name](...args), close: () => database.close() };
}

async function openShared(shared: SharedSettings): Promise<Opened> {
  const { openReplica } = await import('./shared/open.js');
  const warn = (message: string) => say({ kind: 'warn', message });
  const { database, replica } = await openReplica({ ...shared, file, warn });
  const made = operationsOf(replica.sql, settings);
  const operations = made.operations as unknown as AnyOperations;
  return {
    run: (name, args) => replica.run(operations, name, args, made.forget),
    async close() {
      await replica.close();
      database.close();
    },
  };
}

function failureOf(error: unknown, isOpen: boolean): StoreFailure {
  const { message, stack } = quietError(error);
  const { code: given } = error as { code?: unknown };
  const code = typeof given === 'string' ? given : '';
  return { code, message, stack, isWrong: isOpen && (code === '' || code.startsWith('SQLITE_CONSTRAINT')) };
}

async function answer(message: ToStore): Promise<void> {
  if (message.kind === 'close') {
    await opened?.close();
    port?.close();
    return;
  }
  const { number, name, args } = message;
  let isOpen = false;
  try {
    const store = await open();
    isOpen = true;
    say({ kind: 'done', number, result: await store.run(name, args) });
  } catch (error) {
    say({ kind: 'failed', number, failure: failureOf(error, isOpen) });
  }
}

let last = Promise.resolve();
port.on('message', (message: ToStore) => {
  last = last.then(() => answer(message));
});
