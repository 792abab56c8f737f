import { BroadcastChannel } from 'node:worker_threads';

/**
 * How vision threads lend one another a hand: while a picture is worked on by one thread and others have none, its
 * parts (bands of the pyramid, candidates, faces) are done by all of them. What the parts read and write lies in
 * shared memory; who does which is settled by a counter there, so a helper that comes late, or not at all, costs
 * nothing: the thread whose picture it is does what nobody else took.
 */
export interface Team {
  /** How many others have no picture at this moment. */
  idle(): number;
  /**
   * Makes a kind of work known. Every thread makes the same kinds known in the same order.
   * @param part does one part by what `job` says: plain values and shared memory, for it may come from another thread
   * @returns does the parts 0 to `count - 1` of a job, here and wherever there is nothing to do; resolves when all are
   *   done. @throws what `part` throws here; a part that failed elsewhere is done again here
   */
  work<Job>(part: (job: Job, index: number) => Promise<void>): (job: Job, count: number) => Promise<void>;
  /** The kinds of work that were made known are none any more; those that follow are numbered from the first again. */
  forget(): void;
  /** Resolves when the part that is done for another thread at this moment is done. Parts share a thread's buffers. */
  quiet(): Promise<void>;
  close(): void;
}

/** A thread's place in a team; made by the pool. */
export interface Seat {
  /** The team's name, known to nobody else in the process. */
  channel: string;
  /** A number a seat: {@link IDLE} while the thread there has no picture. Written by the pool. */
  board: Int32Array;
  seat: number;
}

export const IDLE = 1;
export const BUSY = 0;

/** A job as the others are told of it. */
interface Call {
  kind: number;
  job: unknown;
  count: number;
  ticket: Int32Array;
}

/** A ticket: the next part nobody took, how many helpers are at a part, then 1 for each part that is done. */
const NEXT = 0;
const HELPING = 1;
const DONE = 2;
/** A part takes milliseconds; a helper that is silent for so long has died. */
const PATIENCE = 20_000;

/** Does everything itself. */
export const ALONE: Team = {
  idle: () => 0,
  work: (part) => async (job, count) => {
    for (let index = 0; index < count; index++) await part(job, index);
  },
  forget: () => undefined,
  quiet: () => Promise.resolve(),
  close: () => undefined,
};

/** Joins the others of the same channel. */
export function joinTeam({ channel: name, board, seat }: Seat): Team {
  const kinds: ((job: never, index: number) => Promise<void>)[] = [];
  const channel = new BroadcastChannel(name);
  channel.unref();
  let helping: Promise<void> = Promise.resolve();
  let isClosed = false;

  const isIdle = (at: number) => Atomics.load(board, at) === IDLE;
  const idle = () => {
    let count = 0;
    for (let at = 0; at < board.length; at++) if (at !== seat && isIdle(at)) count += 1;
    return isClosed ? 0 : count;
  };

  channel.onmessage = (event: unknown) => {
    const call = (event as { data: Call }).data;
    if (isIdle(seat)) helping = helping.then(() => help(call));
  };

  /** Does parts of another's job until there are none, or a picture of its own has come. */
  async function help({ kind, job, count, ticket }: Call): Promise<void> {
    const part = kinds.at(kind);
    while (part && isIdle(seat) && !isClosed) {
      Atomics.add(ticket, HELPING, 1);
      const index = Atomics.add(ticket, NEXT, 1);
      try {
        if (index < count) {
          await part(job as never, index);
          Atomics.store(ticket, DONE + index, 1);
        }
      } catch {
        // Left undone: the thread whose job it is does it again and meets the error where it can be answered.
      } finally {
        Atomics.sub(ticket, HELPING, 1);
        Atomics.notify(ticket, HELPING);
      }
      if (index >= count) return;
    }
  }

  /** Nobody writes to the job's memory any more when this returns. */
  function waitForHelpers(ticket: Int32Array): void {
    for (;;) {
      const helpers = Atomics.load(ticket, HELPING);
      if (helpers === 0) return;
      if (Atomics.wait(ticket, HELPING, helpers, PATIENCE) === 'timed-out')
        throw new Error('Another vision thread did not finish its part of the work.');
    }
  }

  return {
    idle,

    work<Job>(part: (job: Job, index: number) => Promise<void>) {
      const kind = kinds.push(part) - 1;
      return async (job: Job, count: number) => {
        if (count < 2 || idle() === 0) {
          await ALONE.work(part)(job, count);
          return;
        }
        const ticket = new Int32Array(new SharedArrayBuffer((DONE + count) * Int32Array.BYTES_PER_ELEMENT));
        channel.postMessage({ kind, job, count, ticket } satisfies Call);
        try {
          for (;;) {
            const index = Atomics.add(ticket, NEXT, 1);
            if (index >= count) break;
            await part(job, index);
            Atomics.store(ticket, DONE + index, 1);
          }
        } finally {
          // Also after an error: a part that is begun must not write into the memory of the next job.
          Atomics.add(ticket, NEXT, count);
          waitForHelpers(ticket);
        }
        for (let index = 0; index < count; index++) if (ticket[DONE + index] !== 1) await part(job, index);
      };
    },

    forget: () => void (kinds.length = 0),

    quiet: () => helping,

    close() {
      isClosed = true;
      channel.close();
    },
  };
}

/** Shared memory for at least so many numbers: the same again where it is large enough. */
export function sharedFloats(length: number, before?: Float32Array): Float32Array {
  if (before && before.length >= length) return before;
  return new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
}

export function sharedInts(length: number, before?: Int32Array): Int32Array {
  if (before && before.length >= length) return before;
  return new Int32Array(new SharedArrayBuffer(length * Int32Array.BYTES_PER_ELEMENT));
}
