/**
 * The event manager: a child of one worker, which follows the log and hands its worker what other workers did, batch by
 * batch. It watches changes that stay open, records how far the worker is, and trims the log. It ends with its worker,
 * however that ends.
 */
import { createDamage } from '../platform/files/damage.js';
import { quietText } from '../platform/quiet-error.js';
import type { ToManager, ToWorker } from './messages.js';
import { createOpenChanges } from './open-changes.js';
import { openLog } from './open-log.js';

/** How often the worker's position is recorded, and how long a record is valid, milliseconds. */
const REGISTER = { every: 5_000, ttl: 60_000 };
const TRIM_EVERY = 60_000;
/** How long removing the worker's position may take at the end, milliseconds. */
const FAREWELL = 1_000;

// A terminal's Ctrl-C and pm2 signal the whole group; the worker has requests to finish and says when to end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => undefined);

/** The worker may have ended without this process knowing yet: a message that cannot be sent is dropped. */
const send = (message: ToWorker) => {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined);
};
for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(`The event manager failed. ${quietText(error)}\n`);
    process.exit(1);
  });
}
let applied: (() => void) | undefined;
/** Removes the worker's position from the log; set once this process follows it. */
let unregister: (() => Promise<void>) | undefined;

/** Sends and waits until the worker has applied it. */
function handOver(message: ToWorker): Promise<void> {
  return new Promise((resolve) => {
    applied = resolve;
    send(message);
  });
}

async function follow(message: Extract<ToManager, { type: 'follow' }>): Promise<void> {
  const { settings, worker, limits, settleAfter } = message;
  /** Where the next manager must continue: the worker has applied everything before it. */
  let { position } = message;
  let hasReached = false;
  const trouble = (reason: string | undefined) => send({ type: 'trouble', reason: reason ?? null });
  const damage = createDamage((_message, damaged) => send({ type: 'damaged', ...damaged }));
  const log = await openLog(settings, trouble, damage);
  const openChanges = createOpenChanges(settleAfter, (begun, how) => send({ type: 'settle', begun, how }));
  unregister = () => log.unregister(worker);

  log.follow(position, {
    async events(batch) {
      for (const logged of batch) openChanges.note(logged);
      // The worker's own changes are not sent: they are in its index before they are acknowledged.
      const events = batch
        .map(({ event }) => event)
        .filter((event) => event.kind !== 'begun' && event.worker !== worker);
      // The next manager must learn of the changes that are open now.
      const next = openChanges.start() ?? batch[batch.length - 1].id;
      if (events.length > 0) await handOver({ type: 'events', events, position: next });
      position = next;
    },
    async lost(next) {
      openChanges.moveTo(next);
      await handOver({ type: 'reload', position: next });
      position = next;
    },
    reached() {
      if (!hasReached) send({ type: 'reached' });
      hasReached = true;
    },
    trouble,
  });

  function register(): void {
    if (position === '') return;
    // The worker first: nothing after its own position may be trimmed.
    send({ type: 'position', position });
    reportFailure('record how far a worker is', log.register(worker, position, REGISTER.ttl));
  }
  register();
  setInterval(register, REGISTER.every);
  setInterval(() => reportFailure('be trimmed', log.trim(limits)), TRIM_EVERY);
}

const failing = new Set<string>();

/** What fails here is tried again; its failure is reported once, until it works again. */
function reportFailure(what: string, work: Promise<void>): void {
  work.then(
    () => failing.delete(what),
    (error: unknown) => {
      if (!failing.has(what))
        send({ type: 'notice', reason: `The event log cannot ${what}: ${String(error)}` });
      failing.add(what);
    },
  );
}

function end(): void {
  setTimeout(() => process.exit(0), FAREWELL);
  void (unregister?.() ?? Promise.resolve()).catch(() => undefined).finally(() => process.exit(0));
}

// Listened to from the start: a worker may die while its log is still being opened, and `disconnect` comes only once.
process.on('disconnect', end);
process.on('message', (message: ToManager) => {
  if (message.type === 'applied') applied?.();
  else void follow(message);
});
// The worker died before this file was loaded: `disconnect` has been missed.
if (!process.connected) end();
