import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { quietMessage } from '../quiet-error.js';
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
  /** Why the log cannot be followed at the moment. */
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
}

/** A worker's end of its event manager; see {@link startLink}. */
export type Link = ReturnType<typeof startLink>;

/**
 * Keeps an event manager running and applies what it hands over, in order. When it dies the next one goes on after the
 * last event that was applied.
 */
export function startLink(options: LinkOptions) {
  const { settings, worker, limits, gallery, warn, lookAfter = LOOK_AFTER } = options;
  let { position } = options;
  let child: ChildProcess | undefined;
  let backOff = BACK_OFF.first;
  let behind = 0;
  let trouble: string | null = null;
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
        return;
      } catch (error) {
        if (!told) warn(`An event could not be applied and is tried again: ${quietMessage(error)}`);
        await sleep(RETRY);
      }
    }
  }

  async function apply(event: GalleryEvent): Promise<void> {
    if (event.of !== undefined) close(event.of);
    if (event.kind === 'begun') watchOver(event);
    // A change of our own showed in memory before it was acknowledged.
    else if (event.worker !== worker) await persist(() => gallery.apply(event));
    behind -= 1;
  }

  async function take(message: ToWorker, from: ChildProcess): Promise<void> {
    if (message.type === 'trouble') {
      if (message.reason !== null && trouble === null)
        warn(`The log of events is not followed: ${message.reason}`);
      trouble = message.reason;
      return;
    }
    if (message.type === 'reload') {
      warn('Events were missed: the gallery is compared with the store.');
      await persist(() => gallery.reload());
    } else {
      behind = message.events.length;
      // Those of one person wait for each other in the gallery.
      await Promise.all(message.events.map(apply));
    }
    if (isClosing() || from !== child) return;
    ({ position } = message);
    tell(from, { type: 'applied', position });
  }

  function tell(to: ChildProcess, message: ToManager): void {
    if (to.connected) to.send(message);
  }

  function start(): void {
    const started = Date.now();
    const manager = fork(MANAGER, [], { execArgv: [], serialization: 'json' });
    child = manager;
    manager.on('message', (message: ToWorker) => void take(message, manager));
    manager.on('error', (error) => warn(`The event manager: ${quietMessage(error)}`));
    manager.on('exit', (code, signal) => {
      if (child === manager) child = undefined;
      behind = 0;
      if (isClosing()) return;
      warn(`The event manager ended (${signal ?? code ?? 'unknown'}) and is started again.`);
      if (Date.now() - started > HEALTHY) backOff = BACK_OFF.first;
      setTimeout(() => {
        if (!isClosing()) start();
      }, backOff).unref();
      backOff = Math.min(backOff * 2, BACK_OFF.longest);
    });
    tell(manager, { type: 'follow', settings, worker, position, limits });
  }

  start();

  return {
    state: (): LinkState => ({
      log: settings.kind,
      behind,
      manager: child ? 'running' : 'restarting',
      trouble,
      pid: child?.pid,
    }),
    async close(): Promise<void> {
      closing = true;
      for (const uid of [...open.keys()]) close(uid);
      const manager = child;
      if (!manager) return;
      const exited = once(manager, 'exit');
      const timer = setTimeout(() => manager.kill('SIGKILL'), FAREWELL);
      if (manager.connected) manager.disconnect();
      await exited;
      clearTimeout(timer);
    },
  };
}
