import { onAbort } from '../platform/abort.js';
import { clientGone, fromPlainError, KaomonError, throwIfGone } from '../platform/errors.js';
import { createShares } from '../platform/shares.js';
import type { AnalyzerSettings } from './analyzer.js';
import { lookHere } from './empty-scene.js';
import type { PictureResult } from './messages.js';
import { type PictureTask, TaskQueue } from './queue.js';
import { createStop, isStopped, stop } from './stop.js';
import type { Analysis, VisionPool } from './types.js';
import { createVisionThreads, isIdle, type VisionThread } from './vision-threads.js';

/** How long a caller should wait when the queue is full, seconds: about the time to empty a full queue. */
const RETRY_AFTER = 2;
/** Pictures in a batch on a GPU: enough to fill the embedder's batch of eight faces, few enough to wait for. */
const ON_GPU = 4;

export interface PoolSettings extends AnalyzerSettings {
  /** Vision threads, 1 or more; on WebGPU it is one whatever is asked for (vision-threads.ts). */
  poolThreads: number;
  /** Pictures that may wait for a thread. */
  queueLength: number;
  /** The share of them that one caller may have (see shares.ts). Default: all. */
  callerShare?: number;
  /**
   * The most waiting pictures that a thread takes at once, to embed their faces together. Default: one on a CPU, where a
   * batch gains nothing, and {@link ON_GPU} on a GPU.
   */
  atOnce?: number;
  /** Called for each thread that ended unexpectedly, with how many are left. */
  onDeath?: (cause: Error, left: number) => void;
  /** The program of a thread. Default: thread.ts. */
  program?: URL;
}

/**
 * Starts the vision threads and resolves when each has loaded its networks and run them once.
 * @throws KaomonError NO_MODEL or SETUP from the first thread that could not start; the others are ended
 */
export async function createVisionPool(settings: PoolSettings): Promise<VisionPool> {
  const { poolThreads, queueLength, callerShare = 1, atOnce, onDeath, program, ...analyzer } = settings;
  const queue = new TaskQueue<PictureTask>();
  const places = createShares({
    total: queueLength,
    share: callerShare,
    full: 'Too many pictures are waiting',
    mine: 'Too many pictures of this caller are waiting',
    retryAfter: RETRY_AFTER,
  });
  const threads = createVisionThreads({
    analyzer,
    count: poolThreads,
    onDeath,
    program,
    onReady: startNext,
    onResults: answer,
    onLost: retryOrFail,
    onNone: failWaiting,
  });
  let isClosing = false;

  /** Gives an idle thread its next tasks. */
  function startNext(thread: VisionThread): void {
    const most = atOnce ?? (threads.provider() === 'cpu' ? 1 : ON_GPU);
    const ready = [...threads.all].filter(({ isReady }) => isReady);
    const callersOf = ({ tasks }: VisionThread) => tasks.map(({ caller }) => caller);
    const slow = ready.filter((one) => callersOf(one).some((caller) => queue.isSlow(caller)));
    const others = slow.flatMap(callersOf);
    // The last thread is not for slow callers, whose pictures would keep others waiting.
    const isLast = ready.length > 1 && slow.length >= ready.length - 1 && !isClosing;
    const next = queue.take(most, (caller) => !isLast || queue.mayTakeLast(caller, others));
    for (const { caller } of next) places.give(caller, 1);
    threads.hand(thread, next);
  }

  function startIdle(): void {
    for (const thread of threads.all) if (queue.length > 0 && isIdle(thread)) startNext(thread);
  }

  function answer(thread: VisionThread, results: PictureResult[]): void {
    const each = (performance.now() - thread.startedAt) / thread.tasks.length;
    thread.tasks.forEach((task, i) => {
      const result = results[i];
      queue.took(task.caller, each, isStopped(task.stop));
      task.settled();
      if ('error' in result) task.reject(fromPlainError(result.error));
      else {
        result.analysis.times.queue = thread.startedAt - task.queuedAt;
        task.resolve(result.analysis);
      }
    });
    thread.tasks = [];
    if (thread.isLeaving) return;
    startNext(thread);
    // Another thread may now take what this one must not.
    startIdle();
  }

  /** A thread has died: its picture fails. Of several any may have killed it, so each is tried again by itself. */
  function retryOrFail(tasks: PictureTask[], cause: Error): void {
    if (tasks.length > 1 && !isClosing) {
      for (const task of tasks) task.alone = true;
      for (const { caller } of tasks) places.put(caller, 1);
      queue.putBack(tasks);
      startIdle();
      return;
    }
    for (const task of tasks) {
      task.settled();
      task.reject(
        new KaomonError('INTERNAL', 'A vision thread died while it worked on this picture.', { cause }),
      );
    }
  }

  function failWaiting(cause: unknown): void {
    for (const task of queue.drain()) {
      places.give(task.caller, 1);
      task.settled();
      task.reject(new KaomonError('NO_MODEL', 'No vision thread can be started: see the log.', { cause }));
    }
  }

  /** Nobody wants the answer any more: a waiting task is removed, a running one ends after its current stage. */
  function drop(task: PictureTask): void {
    if (queue.remove(task)) places.give(task.caller, 1);
    stop(task.stop);
    task.reject(clientGone());
  }

  const pool: VisionPool = {
    async analyze(bytes, { signal, caller = '', ...asked } = {}) {
      if (isClosing) {
        throw new KaomonError('CLOSING', 'The server is shutting down: try again in a moment.', {
          retryAfter: RETRY_AFTER,
        });
      }
      if (threads.all.size === 0)
        throw new KaomonError('NO_MODEL', 'No vision thread is running: see the log.');
      throwIfGone(signal);
      const look = lookHere(bytes, asked);
      if ('answer' in look) return look.answer;
      const { options } = look;
      places.take(caller, 1);
      return await new Promise<Analysis>((resolve, reject) => {
        const task: PictureTask = {
          bytes,
          caller,
          options,
          queuedAt: performance.now(),
          alone: false,
          stop: createStop(),
          // A signal may outlive thousands of pictures.
          settled: () => stopListening(),
          resolve,
          reject,
        };
        const stopListening = onAbort(signal, () => drop(task));
        queue.push(task);
        const idle = [...threads.all].find(isIdle);
        if (idle) startNext(idle);
      });
    },

    info: () => ({
      ...threads.info(),
      queued: queue.length,
      running: [...threads.all].reduce((sum, { tasks }) => sum + tasks.length, 0),
    }),

    async close() {
      isClosing = true;
      await threads.close();
    },
  };

  try {
    await threads.open();
  } catch (error) {
    await pool.close();
    throw error;
  }
  return pool;
}
