import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Damage } from '../platform/files/damage.js';
import { quietMessage, quietText } from '../platform/quiet-error.js';
import type { GalleryEvent } from './event.js';
import type { TrimLimits } from './log.js';
import type { ToManager, ToWorker } from './messages.js';
import type { LogSettings } from './open-log.js';

const MANAGER = fileURLToPath(new URL('./manager.js', import.meta.url));
/** Between the end of a manager and the next one's start, milliseconds; doubles while managers die young. */
const BACK_OFF = { first: 100, longest: 10_000 };
/** A manager that lived this long was healthy, milliseconds. */
const HEALTHY = 30_000;
/** Before an event that could not be applied is tried again, milliseconds. */
const RETRY = 300;
/** When a change that was begun and not closed is looked after, milliseconds; the later time for a slow one. */
const LOOK_AFTER = [10_000, 60_000];
/** So much of what a manager says on its standard error is kept, characters: a fault is told at its end. */
const MOST_SAID = 4_000;
/** And so much of it is logged. */
const MOST_TOLD = 300;
/** How long a manager may take to end, milliseconds. */
const FAREWELL = 3_000;

/** The gallery's part in it. */
export interface Follower {
  apply(event: GalleryEvent): Promise<void>;
  /** Nobody will say what became of a change: look. */
  settle(event: GalleryEvent): Promise<void>;
  reload(): Promise<void>;
}

export interface LinkState {
  log: 'file' | 'redis';
  /** Events that were read and are not yet in this worker's index. */
  behind: number;
  manager: 'running' | 'restarting';
  /** Why the log cannot be followed at the moment, or what the manager died of that is to be started again. */
  trouble: string | null;
  /** The manager's process. */
  pid: number | undefined;
}

export interface LinkOptions {
  settings: LogSettings;
  /** This worker's own name: its changes are in its index already. */
  worker: string;
  /** As `EventLog.start` gave it before the store was loaded; empty: unknown. */
  position: string;
  limits: TrimLimits;
  gallery: Follower;
  warn: (message: string) => void;
  lookAfter?: readonly number[];
  /** Starts a manager; for tests. */
  launch?: () => ChildProcess;
  /** Told of what the log finds damaged. */
  damage?: Pick<Damage, 'report'>;
}

/** A worker's end of its event manager; see {@link startLink}. */
export type Link = ReturnType<typeof startLink>;

/**
 * Keeps an event manager running and applies what it hands over, in order. When it dies the next one goes on after the
 * last event that was applied.
 */
export function startLink(options: LinkOptions) {
  const { settings, worker, limits, gallery, warn, lookAfter = LOOK_AFTER, launch = forkManager } = options;
  const { damage } = options;
  let { position } = options;
  let child: ChildProcess | undefined;
  let backOff = BACK_OFF.first;
  /** What was handed over last. A manager's end takes it away, though what is under way is still applied. */
  let batch: { left: number } | undefined;
  let trouble: string | null = null;
  /** What the last manager died of. */
  let death: string | null = null;
  /** Why an event cannot be applied, which is tried again. */
  let stuck: string | null = null;
  let closing = false;
  const isClosing = () => closing;
  const open = new Map<string, NodeJS.Timeout[]>();

  function watchOver(event: GalleryEvent): void {
    const timers = lookAfter.map((after, i) =>
      setTimeout(() => {
        if (i === lookAfter.length - 1) open.delete(event.uid);
        void persist(() => gallery.settle(event));
      }, after),
    );
    for (const timer of timers) timer.unref();
    open.set(event.uid, timers);
  }

  function close(uid: string): void {
    for (const timer of open.get(uid) ?? []) clearTimeout(timer);
    open.delete(uid);
  }

  /** A store that does not answer is asked until it does. */
  async function persist(work: () => Promise<void>): Promise<void> {
    for (let told = false; !isClosing(); told = true) {
      try {
        await work();
        stuck = null;
        return;
      } catch (error) {
        // A fault of ours or a damaged thing that nobody has thought of: asking again would only ask for ever.
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

  async function apply(event: GalleryEvent, of: { left: number }): Promise<void> {
    if (event.of !== undefined) close(event.of);
    if (event.kind === 'begun') watchOver(event);
    // A change of our own showed in memory before it was acknowledged.
    else if (event.worker !== worker) await persist(() => gallery.apply(event));
    of.left -= 1;
  }

  async function take(message: ToWorker, from: ChildProcess): Promise<void> {
    if (message.type === 'trouble') {
      if (message.reason !== null && trouble === null)
        warn(`The log of events is not followed: ${message.reason}`);
      trouble = message.reason;
      return;
    }
    if (message.type === 'damaged') {
      damage?.report(message.what, message.reason);
      return;
    }
    if (message.type === 'notice') {
      warn(message.reason);
      return;
    }
    if (message.type === 'reload') {
      warn('Events were missed: the gallery is compared with the store.');
      await persist(() => gallery.reload());
    } else {
      const taken = { left: message.events.length };
      batch = taken;
      // Those of one person wait for each other in the gallery.
      await Promise.all(message.events.map((event) => apply(event, taken)));
    }
    if (isClosing() || from !== child) return;
    ({ position } = message);
    tell(from, { type: 'applied', position });
  }

  function tell(to: ChildProcess, message: ToManager): void {
    if (to.connected) to.send(message);
  }

  /** A manager is no more, or never was; the next one begins after a while. */
  function lose(cause: string, lived: number): void {
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
      lose(cannot(error), 0);
      return;
    }
    child = manager;
    let said = '';
    let ended = false;
    const end = (cause: string) => {
      if (ended) return;
      ended = true;
      if (child === manager) child = undefined;
      lose(cause, performance.now() - started);
    };
    manager.stderr
      ?.setEncoding('utf8')
      .on('data', (text: string) => (said = (said + text).slice(-MOST_SAID)));
    manager.on('message', (message: ToWorker) => void take(message, manager));
    manager.on('error', (error) => {
      // A process that was never made does not exit.
      if (manager.pid === undefined) end(cannot(error));
      else warn(`The event manager: ${quietMessage(error)}`);
    });
    // Not at its exit: what it said last comes after that.
    manager.on('close', (code, signal) => {
      end(
        `The event manager ended (${[signal ?? `exit code ${code ?? 'unknown'}`, faultIn(said)].filter(Boolean).join('; ')}).`,
      );
    });
    tell(manager, { type: 'follow', settings, worker, position, limits });
  }

  start();

  return {
    state: (): LinkState => ({
      log: settings.kind,
      behind: batch?.left ?? 0,
      manager: child ? 'running' : 'restarting',
      trouble: trouble ?? stuck ?? (child ? null : death),
      pid: child?.pid,
    }),
    async close(): Promise<void> {
      closing = true;
      for (const uid of [...open.keys()]) close(uid);
      const manager = child;
      if (!manager) return;
      // One that could not be made says so in a moment, and never exits.
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
function faultIn(said: string): string | undefined {
  const line = said.split('\n').find((text) => /^(?:[A-Za-z]*Error\b|FATAL ERROR)/.test(text));
  // What cannot be parsed stands in the message, and may be a name.
  return line?.startsWith('SyntaxError') ? 'SyntaxError' : line?.slice(0, MOST_TOLD);
}
