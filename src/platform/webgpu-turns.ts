/**
 * Who may use WebGPU. ONNX Runtime has one device and one command encoder for the whole process, without any lock: two
 * threads that use it at once crash the process, mostly by SIGSEGV (microsoft/onnxruntime issues 31627 and 32561; with
 * onnxruntime-node 1.30 even when only the runs take turns but sessions are opened and released meanwhile). So threads
 * take turns for all three, first come, first served: the index must not wait forever for a vision thread that runs one
 * network after another.
 *
 * Other processes have devices of their own and need no turns.
 */
import { threadId } from 'node:worker_threads';

/** The next ticket, the ticket whose turn it is, and the thread that has it (its id + 1; 0: none). */
const NEXT = 0;
const SERVING = 1;
const HOLDER = 2;

/** Shared by all threads of a process, through `workerData`. */
export type WebgpuTurns = Int32Array<SharedArrayBuffer>;

/** The main thread's is the process's; a worker thread's own is not shared with anybody. */
export const webgpuTurns: WebgpuTurns = createTurns();

export function createTurns(): WebgpuTurns {
  return new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
}

/** Queues this thread's own work: a thread that blocks cannot wait for its own turn to end. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Does work with WebGPU while no other thread does. Blocks this thread until its turn, so never call it where something
 * must not wait.
 * @returns what `work` returns; @throws what it throws
 */
export function inTurn<T>(turns: WebgpuTurns, work: () => Promise<T>): Promise<T> {
  const done = last.then(async () => {
    const mine = Atomics.add(turns, NEXT, 1);
    for (;;) {
      const serving = Atomics.load(turns, SERVING);
      if (serving === mine) break;
      Atomics.wait(turns, SERVING, serving);
    }
    Atomics.store(turns, HOLDER, threadId + 1);
    try {
      return await work();
    } finally {
      end(turns);
    }
  });
  last = done.catch(() => undefined);
  return done;
}

/** Ends the turn of a thread that died during it, or the others would wait forever. @param thread its `threadId` */
export function endTurnOf(turns: WebgpuTurns, thread: number): void {
  if (Atomics.load(turns, HOLDER) === thread + 1) end(turns);
}

function end(turns: WebgpuTurns): void {
  Atomics.store(turns, HOLDER, 0);
  Atomics.add(turns, SERVING, 1);
  Atomics.notify(turns, SERVING);
}
