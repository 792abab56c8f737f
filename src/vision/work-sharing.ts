import { BroadcastChannel } from 'node:worker_threads';

/**
 * How vision threads share the work on one picture: idle threads help to do its parts (bands of the pyramid, candidates,
 * faces). Their data is in shared memory, with a counter that gives the next part. A helper that comes late or not at all
 * costs nothing: the picture's own thread does all parts that nobody else took.
 */
export interface WorkSharing {
  /** How many other threads are idle at the moment. */
  idle(): number;
  /**
   * Registers a kind of work. Every thread registers the same kinds in the same order.
   * @param part does one part of a job. A job holds only plain values and shared memory, as it may come from another thread
   * @returns does the parts 0 to `count - 1` of a job, here and on every idle thread; resolves when all are done.
   *   @throws what `part` throws here; a part that failed elsewhere is done again here
   */
  loop<Job>(part: (job: Job, index: number) => Promise<void>): (job: Job, count: number) => Promise<void>;
  /** Removes all registered kinds of work, to register them again from the first. */
  forget(): void;
  /** Resolves when this thread is not helping: parts use the same buffers as its own picture. */
  settled(): Promise<void>;
  close(): void;
}

/** A thread's place among those that share work; made by the pool. */
export interface SharingSlot {
  /** The channel's name, known to nobody else in the process. */
  channel: string;
  /** A number for each thread: {@link IDLE} while it has no picture. Written by the pool. */
  states: Int32Array;
  /** This thread's index in `states`. */
  slot: number;
}

export const IDLE = 1;
export const BUSY = 0;

/** A job that is offered to the other threads. */
interface Offer {
  kind: number;
  job: unknown;
  count: number;
  progress: Int32Array;
}

/** Indexes in `progress`: the next part to take, the number of busy helpers, then 1 for each part that is done. */
const NEXT = 0;
const HELPING = 1;
const DONE = 2;
/** A part takes milliseconds: a helper that needs longer than this has died, milliseconds. */
const PATIENCE = 20_000;

/** Does not share: the caller does every part, in order. */
export const SERIAL: WorkSharing = {
  idle: () => 0,
  loop: (part) => async (job, count) => {
    for (let index = 0; index < count; index++) await part(job, index);
  },
  forget: () => undefined,
  settled: () => Promise.resolve(),
  close: () => undefined,
};

/** Joins the other threads of the same channel. */
export function joinWorkSharing({ channel: name, states, slot }: SharingSlot): WorkSharing {
  const kinds: ((job: never, index: number) => Promise<void>)[] = [];
  const channel = new BroadcastChannel(name);
  channel.unref();
  let helping: Promise<void> = Promise.resolve();
  let isClosed = false;

  const isIdle = (at: number) => Atomics.load(states, at) === IDLE;
  const idle = () => {
    let count = 0;
    for (let at = 0; at < states.length; at++) if (at !== slot && isIdle(at)) count += 1;
    return isClosed ? 0 : count;
  };

  channel.onmessage = (event: unknown) => {
    const offer = (event as { data: Offer }).data;
    if (isIdle(slot)) helping = helping.then(() => help(offer));
  };

  /** Does parts of another thread's job until none is left, or this thread gets a picture of its own. */
  async function help({ kind, job, count, progress }: Offer): Promise<void> {
    const part = kinds.at(kind);
    while (part && isIdle(slot) && !isClosed) {
      Atomics.add(progress, HELPING, 1);
      const index = Atomics.add(progress, NEXT, 1);
      try {
        if (index < count) {
          await part(job as never, index);
          Atomics.store(progress, DONE + index, 1);
        }
      } catch {
        // The part is not marked as done: the owner does it again and gets the error, which it can answer.
      } finally {
        Atomics.sub(progress, HELPING, 1);
        Atomics.notify(progress, HELPING);
      }
      if (index >= count) return;
    }
  }

  /** Waits until no helper writes to the job's memory any more. */
  function waitForHelpers(progress: Int32Array): void {
    for (;;) {
      const helpers = Atomics.load(progress, HELPING);
      if (helpers === 0) return;
      if (Atomics.wait(progress, HELPING, helpers, PATIENCE) === 'timed-out')
        throw new Error('Another vision thread did not finish its part of the work.');
    }
  }

  return {
    idle,

    loop<Job>(part: (job: Job, index: number) => Promise<void>) {
      const kind = kinds.push(part) - 1;
      return async (job: Job, count: number) => {
        if (count < 2 || idle() === 0) {
          for (let index = 0; index < count; index++) await part(job, index);
          return;
        }
        const progress = new Int32Array(new SharedArrayBuffer((DONE + count) * Int32Array.BYTES_PER_ELEMENT));
        channel.postMessage({ kind, job, count, progress } satisfies Offer);
        try {
          for (;;) {
            const index = Atomics.add(progress, NEXT, 1);
            if (index >= count) break;
            await part(job, index);
            Atomics.store(progress, DONE + index, 1);
          }
        } finally {
          // Even after an error: a helper's part must not write into the memory of the next job.
          Atomics.add(progress, NEXT, count);
          waitForHelpers(progress);
        }
        for (let index = 0; index < count; index++) if (progress[DONE + index] !== 1) await part(job, index);
      };
    },

    forget: () => void (kinds.length = 0),

    settled: () => helping,

    close() {
      isClosed = true;
      channel.close();
    },
  };
}

/** Shared memory for at least so many numbers; reuses `before` when it is large enough. */
export function sharedFloats(length: number, before?: Float32Array): Float32Array {
  if (before && before.length >= length) return before;
  return new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
}

/** As {@link sharedFloats}. */
export function sharedInts(length: number, before?: Int32Array): Int32Array {
  if (before && before.length >= length) return before;
  return new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
}
