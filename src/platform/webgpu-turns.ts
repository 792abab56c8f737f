/**
 * Who may use WebGPU. ONNX Runtime keeps one device and one encoder of its commands for the whole process and guards
 * them by nothing: two threads that are at it at once end the process, mostly by SIGSEGV (microsoft/onnxruntime issues
 * 31627 and 32561; with onnxruntime-node 1.30 also where only the runs took turns, and sessions were opened and released
 * beside them). One after the other they may. So every thread takes its turn for each of the three, in the order in
 * which they asked: the index must not wait for ever for a vision thread that runs one network after another.
 *
 * Other processes have devices of their own: they are not waited for.
 */
import { threadId } from 'node:worker_threads';

/** The next number to draw, the number whose turn it is, and the thread that has it (its id and 1; 0: nobody). */
const NEXT = 0;
const SERVING = 1;
const HOLDER = 2;

/** Shared by all threads of a process: to be handed to each in its `workerData`. */
export type WebgpuTurns = Int32Array<SharedArrayBuffer>;

/** A process has one of them, the main thread's; a worker thread's own is not shared with anybody. */
export const webgpuTurns: WebgpuTurns = createTurns();

export function createTurns(): WebgpuTurns {
  return new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
}

/** What this thread does itself is done one after the other: it cannot wait for its own turn to end. */
let last: Promise<unknown> = Promise.resolve();

/**
 * Does what touches WebGPU while no other thread does. Blocks this thread until it is its turn, so never to be called
 * where something must not wait.
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

/** Ends the turn of a thread that has died in it: the others would wait for ever. @param thread its `threadId` */
export function endTurnOf(turns: WebgpuTurns, thread: number): void {
  if (Atomics.load(turns, HOLDER) === thread + 1) end(turns);
}

function end(turns: WebgpuTurns): void {
  Atomics.store(turns, HOLDER, 0);
  Atomics.add(turns, SERVING, 1);
  Atomics.notify(turns, SERVING);
}
