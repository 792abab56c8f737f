/**
 * The event manager: a child of one worker, which follows the log and hands its worker the events, batch by batch. It
 * says how far the worker is, and trims the log. It ends with its worker, whatever ends that.
 */
import { createDamage } from '../platform/files/damage.js';
import { quietText } from '../platform/quiet-error.js';
import type { ToManager, ToWorker } from './messages.js';
import { openLog } from './open-log.js';

/** How often the worker's position is written down, and how long it holds without that, milliseconds. */
const REGISTER = { every: 5_000, ttl: 60_000 };
const TRIM_EVERY = 60_000;
/** How long the worker's position may take to be struck off at the end, milliseconds. */
const FAREWELL = 1_000;

// A terminal's Ctrl-C and pm2 signal the whole group; the worker has requests to finish and says when to end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

/**
 * The worker may be gone already; then this process is about to follow it. It may also be gone without this process
 * having heard of it: a failure that nobody takes would end the manager before it has struck the worker off.
 */
const send = (message: ToWorker) => {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(`The event manager failed. ${quietText(error)}\n`);
    process.exit(1);
  });
}
let applied: ((position: string) => void) | undefined;
/** What is to be done before this process follows its worker; set once it follows the log. */
let strikeOff: (() => Promise<void>) | undefined;

/** Sends and waits until the worker has it. */
function handOver(message: ToWorker): Promise<string> {
  return new Promise((resolve) => {
    applied = resolve;
    send(message);
  });
}

async function follow(message: Extract<ToManager, { type: 'follow' }>): Promise<void> {
  const { settings, worker, limits } = message;
  let { position } = message;
  const trouble = (reason: string | undefined) => send({ type: 'trouble', reason: reason ?? null });
  const damage = createDamage((_message, damaged) => send({ type: 'damaged', ...damaged }));
  const log = await openLog(settings, trouble, damage);
  strikeOff = () => log.unregister(worker);

  log.follow(position, {
    async events(batch) {
      const last = batch[batch.length - 1].id;
      position = await handOver({ type: 'events', events: batch.map(({ event }) => event), position: last });
    },
    async lost(next) {
      position = await handOver({ type: 'reload', position: next });
    },
    trouble,
  });

  const register = () =>
    telling(
      'write down how far a worker is',
      position === '' ? undefined : log.register(worker, position, REGISTER.ttl),
    );
  register();
  setInterval(register, REGISTER.every);
  setInterval(() => telling('be trimmed', log.trim(limits)), TRIM_EVERY);
}

const failing = new Set<string>();

/** What fails here is tried again; that it fails is told once, until it works again. */
function telling(what: string, work: Promise<void> | undefined): void {
  void work?.then(
    () => failing.delete(what),
    (error: unknown) => {
      if (!failing.has(what))
        send({ type: 'notice', reason: `The log of events cannot ${what}: ${String(error)}` });
      failing.add(what);
    },
  );
}

function farewell(): void {
  setTimeout(() => process.exit(0), FAREWELL);
  void (strikeOff?.() ?? Promise.resolve()).catch(() => undefined).finally(() => process.exit(0));
}

// Heard from the first moment on: a worker may die while its log is still being opened, and nobody says it twice.
process.on('disconnect', farewell);
process.on('message', (message: ToManager) => {
  if (message.type === 'applied') applied?.(message.position);
  else void follow(message);
});
// It died before this file was loaded, and that was said to nobody.
if (!process.connected) farewell();
