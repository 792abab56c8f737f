import type { Stop } from './stop.js';
import type { Analysis, ThreadOptions } from './types.js';

/** What waits for a vision thread. */
export interface Waiting {
  /** By whom it is asked. */
  caller: string;
  /** It must not be looked at together with others. */
  alone: boolean;
}

/** A picture that waits for a vision thread, or is worked on. */
export interface PictureTask extends Waiting {
  bytes: Uint8Array;
  options: ThreadOptions;
  /** By `performance.now()`. */
  queuedAt: number;
  stop: Stop;
  /** Called once it is answered, however. */
  settled: () => void;
  resolve: (analysis: Analysis) => void;
  reject: (error: unknown) => void;
}

/** A caller is slow beside another one whose pictures take this many times less. */
const SLOW = 3;
/** A caller who has sent nothing for so long is not counted any more, milliseconds. */
const RECENT = 10_000;
/** What a new picture's time counts in a caller's mean. */
const NEWEST = 0.3;
/** Callers whose times are remembered; the one used longest ago is forgotten first. */
const CALLERS = 1000;

/**
 * The pictures that wait: each caller's in their order, the callers in turn. Whoever sends a hundred waits a hundred
 * times as long, and nobody else does. And because a thread is never ended in mid-picture, callers whose pictures take
 * far longer than others' leave a thread to those: a camera's frame does not wait behind large photographs.
 */
export class TaskQueue<T extends Waiting> {
  /** The caller whose turn it is first. */
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

  /** Puts back what was taken, in its order, before everything else of the same callers. */
  putBack(tasks: readonly T[]): void {
    for (const task of [...tasks].reverse()) {
      const mine = this.#waiting.get(task.caller) ?? [];
      // Its turn is now.
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
   * Takes what a thread works on next.
   * @param most tasks; one that must be alone comes alone
   * @param mayTake whose tasks may be taken
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

  /** Notes how long a caller's picture took a thread, milliseconds. @param atLeast it was stopped before its end */
  took(caller: string, ms: number, atLeast = false): void {
    const before = this.#times.get(caller)?.mean ?? ms;
    const counted = atLeast ? Math.max(ms, before) : ms;
    this.#times.delete(caller);
    this.#times.set(caller, { mean: before + (counted - before) * NEWEST, at: this.now() });
    const oldest = this.#times.keys().next();
    if (this.#times.size > CALLERS && !oldest.done) this.#times.delete(oldest.value);
  }

  /**
   * Whether a caller's next picture may go to the last thread that is free: nobody's may who would keep others waiting for
   * far longer than they are used to. Beside pictures that take far longer still it may, or whoever sends trifles would
   * make everybody else wait behind the largest.
   * @param others whose pictures the other threads work on
   */
  mayTakeLast(caller: string, others: readonly string[]): boolean {
    if (!this.isSlow(caller)) return true;
    const mine = this.#times.get(caller)?.mean ?? 0;
    return others.every((other) => mine * SLOW < (this.#times.get(other)?.mean ?? 0));
  }

  /** Whether a caller's pictures take far longer than those of somebody who asks at the same time. */
  isSlow(caller: string): boolean {
    const mine = this.#times.get(caller)?.mean ?? 0;
    const since = this.now() - RECENT;
    for (const [other, { mean, at }] of this.#times)
      if (other !== caller && at >= since && mean * SLOW < mine) return true;
    return false;
  }
}
