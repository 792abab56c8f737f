/** The store's thread: SQLite blocks whoever asks it, and the main thread never waits. */
import { parentPort, workerData } from 'node:worker_threads';
import { quietError } from '../../platform/quiet-error.js';
import { openDatabase, type Sql } from './database.js';
import { type Operations, operationsOf } from './operations.js';
import type { StoreSettings } from './settings.js';

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
  | { kind: 'failed'; number: number; failure: StoreFailure };

const port = parentPort;
if (!port) throw new Error('thread.ts runs in a worker thread only: see client.ts.');
const { file, ...settings } = workerData as ThreadData;
const say = (message: FromStore) => port.postMessage(message);

interface Opened {
  sql: Sql;
  operations: Record<string, (...args: unknown[]) => unknown>;
}
let opened: Opened | undefined;

/** Opened when it is first asked, and tried again with the next question where that failed. */
async function open(): Promise<Opened> {
  if (!opened) {
    const sql = await openDatabase(file);
    opened = { sql, operations: operationsOf(sql, settings) as unknown as Opened['operations'] };
  }
  return opened;
}

function failureOf(error: unknown, isOpen: boolean): StoreFailure {
  const { message, stack } = quietError(error);
  const { code: given } = error as { code?: unknown };
  const code = typeof given === 'string' ? given : '';
  return { code, message, stack, isWrong: isOpen && (code === '' || code.startsWith('SQLITE_CONSTRAINT')) };
}

async function answer(message: ToStore): Promise<void> {
  if (message.kind === 'close') {
    opened?.sql.close();
    port?.close();
    return;
  }
  const { number, name, args } = message;
  let isOpen = false;
  try {
    const { operations } = await open();
    isOpen = true;
    say({ kind: 'done', number, result: operations[name](...args) });
  } catch (error) {
    say({ kind: 'failed', number, failure: failureOf(error, isOpen) });
  }
}

let last = Promise.resolve();
port.on('message', (message: ToStore) => {
  last = last.then(() => answer(message));
});
