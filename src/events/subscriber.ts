import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Damage } from '../platform/files/damage.js';
import { onceEnded } from '../platform/child-end.js';
import { quietMessage, quietText } from '../platform/quiet-error.js';
import type { GalleryEvent } from './event.js';
import type { TrimLimits } from './log.js';
import type { ToManager, ToWorker } from './messages.js';
import type { Settling } from './open-changes.js';
import type { LogSettings } from './open-log.js';

const MANAGER = fileURLToPath(new URL('./manager.js', import.meta.url));
/** Between the end of a manager and the start of the next, milliseconds; doubles while managers die early. */
const BACK_OFF = { first: 100, longest: 10_000 };
/** A manager that lived this long was healthy, milliseconds. */
const HEALTHY = 30_000;
/** Before an event that could not be applied is tried again, milliseconds. */
const RETRY = 300;
/** When an open change is settled, milliseconds; the second time is for a slow one. */
const SETTLE_AFTER = [10_000, 60_000];
/** So much of a manager's standard error is kept, characters: a fault is at its end. */
const STDERR_KEPT = 4_000;
/** So much of the fault is logged, characters. */
const FAULT_LOGGED = 300;
/** How long a manager may take to end, milliseconds. */
const FAREWELL = 3_000;

/** This worker's copy, in memory, of what all workers share: its gallery. */
export interface Replica {
  /** Applies another worker's change. */
  apply(event: GalleryEvent): Promise<void>;
  /** Checks in the store what became of a change that stayed open, and publishes that. */
  settle(begun: GalleryEvent, how: Settling): Promise<void>;
  /** Compares everything with the store. */
  reload(): Promise<void>;
}

export interface SubscriberState {
  log: 'file' | 'redis';
  /** Events that were read and are not yet in this worker's index. */
  behind: number;
  manager: 'running' | 'restarting';
  /** Why the log cannot be followed at the moment, or what the manager died of that will be restarted. */
  trouble: string | null;
  /** The manager's process. */
  pid: number | undefined;
}

export interface SubscriberOptions {
  settings: LogSettings;
  /** This worker's own name: its changes are not handed to it. */
  worker: string;
  /** As `EventLog.start` gave it before the store was loaded; empty: unknown. */
  position: string;
  limits: TrimLimits;
  gallery: Replica;
  warn: (message: string) => void;
  /** When an open change is settled, milliseconds; for tests. */
  settleAfter?: readonly number[];
  /** Starts a manager; for tests. */
  launch?: () => ChildProcess;
  /** Gets what the log finds damaged. */
  damage?: Pick<Damage, 'report'>;
}

/** A worker's subscription to the event log; see {@link startSubscriber}. */
export type Subscriber = ReturnType<typeof startSubscriber>;

/**
 * Keeps an event manager running and applies what it hands over, in order. When it dies, the next one continues after
 * the last event that was applied.
 */
export function startSubscriber(options: SubscriberOptions) {
  const { settings, worker, limits, gallery, warn, damage, launch = forkManager } = options;
  const { settleAfter = SETTLE_AFTER } = options;
  let { position } = options;
  let child: ChildProcess | undefined;
  let backOff = BACK_OFF.first;
  /** The last batch. It is forgotten when its manager ends, though what has begun is still completed. */
  let batch: { left: number } | undefined;
  let trouble: string | null = null;
  /** What the last manager died of. */
  let death: string | null = null;
  /** Why the event that is being retried cannot be applied. */
  let stuck: string | null = null;
  let reach: () => void = () => undefined;
  const reached = new Promise<void>((resolve) => {
    reach = resolve;
  });
  let closing = false;
  const isClosing = () => closing;

  /** Tries until the store answers. */
  async function persist(work: () => Promise<void>): Promise<void> {
    for (let told = false; !isClosing(); told = true) {
      try {
        await work();
        stuck = null;
        return;
      } catch (error) {
        // A bug, or damage that nobody has thought of: every other try would fail, too.
        if (error instanceof SyntaxError || error instanceof TypeError || error instanceof RangeError) {
          warn(`An event could not be applied and is passed over: ${quietText(error)}`);
          return;
        }
        stuck = quietMessage(error);
        if (!told) warn(`An event could not be applied and is tried again: ${stuck}`);
        await sleep(RETRY);
      }
    }
  }

  async function receive(message: ToWorker, from: ChildProcess): Promise<void> {
    switch (message.type) {
      case 'events': {
        const taken = { left: message.events.length };
        batch = taken;
        // The gallery keeps those of one person in order.
        await Promise.all(
          message.events.map(async (event) => {
            await persist(() => gallery.apply(event));
            taken.left -= 1;
          }),
        );
        break;
      }
      case 'reload':
        warn('Events were missed: the gallery is compared with the store.');
        await persist(() => gallery.reload());
        break;
      case 'position':
        if (from === child) ({ position } = message);
        return;
      case 'settle':
        await persist(() => gallery.settle(message.begun, message.how));
        return;
      case 'reached':
        if (from === child) reach();
        return;
      case 'trouble':
        if (message.reason !== null && trouble === null)
          warn(`The event log is not followed: ${message.reason}`);
        trouble = message.reason;
        return;
      case 'damaged':
        damage?.report(message.what, message.reason);
        return;
      case 'notice':
        warn(message.reason);
        return;
    }
    if (isClosing() || from !== child) return;
    ({ position } = message);
    tell(from, { type: 'applied' });
  }

  function tell(to: ChildProcess, message: ToManager): void {
    if (to.connected) to.send(message);
  }

  /** A manager has ended, or could not be started; the next one starts after a while. */
  function restartLater(cause: string, lived: number): void {
    batch = undefined;
    trouble = null;
    if (isClosing()) return;
    death = cause;
    warn(`${cause} Another one is started.`);
    if (lived > HEALTHY) backOff = BACK_OFF.first;
    setTimeout(() => {
      if (!isClosing()) start();
    }, backOff).unref();
    backOff = Math.min(backOff * 2, BACK_OFF.longest);
  }

  function start(): void {
    const started = performance.now();
    const cannot = (error: unknown) => `The event manager cannot be started: ${quietMessage(error)}.`;
    let manager: ChildProcess;
    try {
      manager = launch();
    } catch (error) {
      restartLater(cannot(error), 0);
      return;
    }
    child = manager;
    let stderr = '';
    let ended = false;
    const end = (cause: string) => {
      if (ended) return;
      ended = true;
      if (child === manager) child = undefined;
      restartLater(cause, performance.now() - started);
    };
    manager.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => (stderr = (stderr + text).slice(-STDERR_KEPT)));
    manager.on('message', (message: ToWorker) => void receive(message, manager));
    manager.on('error', (error) => {
      // A process that did not start does not exit.
      if (manager.pid === undefined) end(cannot(error));
      else warn(`The event manager: ${quietMessage(error)}`);
    });
    onceEnded(manager, (how) => {
      const cause = [how, faultIn(stderr)].filter(Boolean).join('; ');
      end(`The event manager ended (${cause}).`);
    });
    tell(manager, { type: 'follow', settings, worker, position, limits, settleAfter });
  }

  start();

  return {
    /** Up to where everything is applied. */
    position: () => position,
    /** Resolves when everything that the log held at the start is in the gallery: late, or never, while it cannot be read. */
    reached,
    state: (): SubscriberState => ({
      log: settings.kind,
      behind: batch?.left ?? 0,
      manager: child ? 'running' : 'restarting',
      trouble: trouble ?? stuck ?? (child ? null : death),
      pid: child?.pid,
    }),
    async close(): Promise<void> {
      closing = true;
      const manager = child;
      // It has ended, and only its standard error has not.
      if (manager?.exitCode !== null || manager.signalCode !== null) return;
      // One that could not be started soon emits 'error', and never 'exit'.
      const exited = once(manager, manager.pid === undefined ? 'error' : 'exit').catch(() => undefined);
      const timer = setTimeout(() => manager.kill('SIGKILL'), FAREWELL);
      if (manager.connected) manager.disconnect();
      await exited;
      clearTimeout(timer);
    },
  };
}

function forkManager(): ChildProcess {
  return fork(MANAGER, [], {
    execArgv: [],
    serialization: 'json',
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  });
}

/** What a process died of, as Node or V8 writes it: the line that names the error. */
function faultIn(stderr: string): string | undefined {
  const line = stderr.split('\n').find((text) => /^(?:[A-Za-z]*Error\b|FATAL ERROR)/.test(text));
  // The message of a SyntaxError quotes what cannot be parsed, which may be a name.
  return line?.startsWith('SyntaxError') ? 'SyntaxError' : line?.slice(0, FAULT_LOGGED);
}
