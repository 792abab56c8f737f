import type { Stop } from './stop.js';
import type { Analysis, ThreadOptions } from './types.js';

/** A task that waits for a vision thread. */
export interface Waiting {
  /** Who asked for it. */
  caller: string;
  /** It must not be in a batch with others. */
  alone: boolean;
}

/** A picture that waits for a vision thread or is in progress. */
export interface PictureTask extends Waiting {
  bytes: Uint8Array;
  options: ThreadOptions;
  /** By `performance.now()`. */
  queuedAt: number;
  stop: Stop;
  /** Called once it is answered, well or badly. */
  settled: () => void;
  resolve: (analysis: Analysis) => void;
  reject: (error: unknown) => void;
}

/** A caller is slow when its pictures take this many times as long as another's. */
const SLOW = 3;
/** A caller who has sent nothing for so long no longer counts, milliseconds. */
const RECENT = 10_000;
/** The weight of the newest picture in a caller's mean time. */
const NEWEST = 0.3;
/** How many callers' times are remembered; the least recently used is forgotten first. */
const CALLERS = 1000;

/**
 * The waiting pictures: each caller's in order, the callers in turn. A caller who sends a hundred makes nobody else wait.
 * A picture in progress is never interrupted, so callers whose pictures take far longer than others' must leave those a
 * thread: a camera's frame does not wait behind large photographs.
 */
export class TaskQueue<T extends Waiting> {
  /** In the order of their turns. */
  readonly #waiting = new Map<string, T[]>();
  readonly #times = new Map<string, { mean: number; at: number }>();
  #length = 0;

  constructor(private readonly now: () => number = () => performance.now()) {}

  get length(): number {
    return this.#length;
  }

  push(task: T): void {
    const { caller } = task;
    const mine = this.#waiting.get(caller);
    if (mine) mine.push(task);
    else this.#waiting.set(caller, [task]);
    this.#length += 1;
  }

  /** Puts taken tasks back in their order, before all others. */
  putBack(tasks: readonly T[]): void {
    for (const task of [...tasks].reverse()) {
      const mine = this.#waiting.get(task.caller) ?? [];
      // To the head of the queue.
      this.#waiting.delete(task.caller);
      const others = [...this.#waiting];
      this.#waiting.clear();
      this.#waiting.set(task.caller, [task, ...mine]);
      for (const [caller, theirs] of others) this.#waiting.set(caller, theirs);
      this.#length += 1;
    }
  }

  /** @returns whether it was waiting */
  remove(task: T): boolean {
    const mine = this.#waiting.get(task.caller) ?? [];
    const at = mine.indexOf(task);
    if (at < 0) return false;
    mine.splice(at, 1);
    if (mine.length === 0) this.#waiting.delete(task.caller);
    this.#length -= 1;
    return true;
  }

  /**
   * Takes the next tasks for a thread.
   * @param most the most tasks; one that must be alone is taken alone
   * @param mayTake whether a caller's tasks may be taken
   */
  take(most: number, mayTake: (caller: string) => boolean = () => true): T[] {
    const taken: T[] = [];
    while (taken.length < most) {
      const next = [...this.#waiting].find(([caller]) => mayTake(caller));
      if (!next || (next[1][0].alone && taken.length > 0)) break;
      const [caller, mine] = next;
      taken.push(...mine.splice(0, 1));
      this.#waiting.delete(caller);
      // To the end of the queue.
      if (mine.length > 0) this.#waiting.set(caller, mine);
      if (taken[0].alone) break;
    }
    this.#length -= taken.length;
    return taken;
  }

  /** Takes everything. */
  drain(): T[] {
    const all = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    this.#length = 0;
    return all;
  }

  /** Records how long a caller's picture took, milliseconds. @param atLeast whether it was stopped before its end */
  took(caller: string, ms: number, atLeast = false): void {
    const before = this.#times.get(caller)?.mean ?? ms;
    const counted = atLeast ? Math.max(ms, before) : ms;
    this.#times.delete(caller);
    this.#times.set(caller, { mean: before + (counted - before) * NEWEST, at: this.now() });
    const oldest = this.#times.keys().next();
    if (this.#times.size > CALLERS && !oldest.done) this.#times.delete(oldest.value);
  }

  /**
   * Whether a caller's next picture may go to the last free thread. A slow caller's may not, because others would wait far
   * longer than usual; but it may when the other threads' pictures take far longer still, or a sender of tiny pictures would
   * make everybody else wait behind the largest.
   * @param others the callers whose pictures the other threads are processing
   */
  mayTakeLast(caller: string, others: readonly string[]): boolean {
    if (!this.isSlow(caller)) return true;
    const mine = this.#times.get(caller)?.mean ?? 0;
    return others.every((other) => mine * SLOW < (this.#times.get(other)?.mean ?? 0));
  }

  /** Whether a caller's pictures take far longer than those of another recent caller. */
  isSlow(caller: string): boolean {
    const mine = this.#times.get(caller)?.mean ?? 0;
    const since = this.now() - RECENT;
    for (const [other, { mean, at }] of this.#times)
      if (other !== caller && at >= since && mean * SLOW < mine) return true;
    return false;
  }
}
