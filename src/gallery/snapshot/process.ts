/**
 * The snapshot writer: a child of one worker, at a low priority, so that reading everybody takes nothing from those who
 * are being served. It makes one snapshot and ends, or ends with its worker, however that ends.
 */
import { constants, setPriority } from 'node:os';
import { KaomonError } from '../../platform/errors.js';
import { quietMessage, quietText } from '../../platform/quiet-error.js';
import { makeSnapshotHere } from './make.js';
import type { FromWriter, ToWriter } from './messages.js';

/** Between two reports of how far it is, milliseconds. */
const REPORT_EVERY = 500;

// A terminal's Ctrl-C and pm2 signal the whole group; the worker says when to end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);
try {
  setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
} catch {
  // A system that does not allow it: then at the usual one.
}

const ended = new AbortController();

/** Resolves when it was sent, or cannot be: the worker may have ended without this process knowing yet. */
const send = (message: FromWriter) =>
  new Promise<void>((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(`The snapshot writer failed. ${quietText(error)}\n`);
    process.exit(1);
  });
}

async function make({ config, place }: ToWriter): Promise<void> {
  let told = 0;
  try {
    const report = await makeSnapshotHere(config, place, {
      signal: ended.signal,
      onDamage: (damaged) => void send({ type: 'damaged', ...damaged }),
      warn: (message) => void send({ type: 'notice', message }),
      onProgress(done, all) {
        if (performance.now() - told < REPORT_EVERY) return;
        told = performance.now();
        void send({ type: 'progress', done, all });
      },
    });
    await send({ type: 'done', report });
  } catch (error) {
    // What a person can put right is one sentence; of anything else the place counts as well.
    const reason = error instanceof KaomonError ? quietMessage(error) : quietText(error);
    if (!ended.signal.aborted) await send({ type: 'failed', reason });
  }
  process.exit(0);
}

process.on('disconnect', () => ended.abort());
process.once('message', (message: ToWriter) => void make(message));
// The worker died before this file was loaded: `disconnect` has been missed.
if (!process.connected) process.exit(0);
