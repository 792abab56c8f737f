import type { GalleryEvent } from './event.js';

/** An event and where it stands. */
export interface LoggedEvent {
  /** The position after it, from which following continues with the next one. */
  id: string;
  /** The position before it. */
  before: string;
  event: GalleryEvent;
}

/** Follows a log. Each call is awaited before the next, so that everything arrives in order. */
export interface LogListener {
  /** The next events, in the order of the log. */
  events(batch: LoggedEvent[]): Promise<void>;
  /** What came after the last position was trimmed or lost: compare with the store, then continue from this one. */
  lost(position: string): Promise<void>;
  /** Everything that the log held a moment ago has been handed over. Called at least once, when that is so first. */
  reached(): void;
  /** The log cannot be reached (the reason), or can be again (undefined). */
  trouble(reason: string | undefined): void;
}

export interface Following {
  /** Resolves when the listener will not be called any more. */
  close(): Promise<void>;
}

export interface TrimLimits {
  /** Older events are dropped, milliseconds. */
  maxAge: number;
  /** At most so many are kept. */
  maxLength: number;
}

export interface AppendOptions {
  /** Use the room that is kept aside if there is no other. */
  evenWhenFull?: boolean;
}

/** What {@link EventLog.read} found. */
export interface ReadEvents {
  /** In order; `begun` and other packs' among them. */
  entries: LoggedEvent[];
  /** From where to read on: there is no more for now where it is the position that was given. */
  next: string;
  /** There may have been others in between, which were trimmed away or are of another log. */
  isLost: boolean;
}

/**
 * What happened to the gallery, in one order for all workers. A position is an opaque text that only the log makes;
 * `''` is "unknown".
 */
export interface EventLog {
  readonly kind: 'file' | 'redis';
  /** Resolves when the event would survive a crash of this process and, as far as the log can ensure it, a power cut. */
  append(events: GalleryEvent | readonly GalleryEvent[], options?: AppendOptions): Promise<void>;
  /**
   * From where a worker that is about to load the store must follow: the end, or before the oldest change that is still
   * open, of the newest entries of a day.
   */
  start(): Promise<string>;
  /** Hands over everything after the position, and what is appended from then on. */
  follow(position: string, listener: LogListener): Following;
  /** The events after the position up to now, in order; what was trimmed or lost is missing, and of very many the newest. */
  since(position: string): Promise<GalleryEvent[]>;
  /** Some entries after the position, the oldest first: for who keeps a position for longer than a process lives. */
  read(position: string): Promise<ReadEvents>;
  /** Records how far a running worker is, so that no event is trimmed that it has yet to read. @param ttl milliseconds */
  register(worker: string, position: string, ttl: number): Promise<void>;
  unregister(worker: string): Promise<void>;
  /** Drops old events, never one that a registered worker has yet to read. */
  trim(limits: TrimLimits): Promise<void>;
  close(): Promise<void>;
}

/** How long a change may stay open, milliseconds: after that, its worker has died or lost the log. */
const LONGEST_CHANGE = 60_000;
/** How long ago a change was begun at most that a start looks after, milliseconds: no process may have lived since. */
export const LONGEST_OPEN = 86_400_000;

/**
 * Where to follow from, given the newest entries; see {@link EventLog.start}.
 * @param entries in order @param end the position after the last
 */
export function startOf(entries: readonly LoggedEvent[], end: string, now: number): string {
  const closed = new Set(entries.map(({ event }) => event.of));
  const open = entries.find(
    ({ event: { kind, uid, at, will } }) =>
      // One of an earlier version does not say what it is: nobody would close it.
      kind === 'begun' && !closed.has(uid) && now - Date.parse(at) < (will ? LONGEST_OPEN : LONGEST_CHANGE),
  );
  return open?.before ?? end;
}
