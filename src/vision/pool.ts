import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { fromPlainError, KaomonError, throwIfGone } from '../platform/errors.js';
import { createShares } from '../platform/shares.js';
import { endTurnOf, webgpuTurns } from '../platform/webgpu-turns.js';
import type { AnalyzerSettings } from './analyzer.js';
import type { FromThread, ThreadOptions, ThreadSettings, ToThread } from './messages.js';
import { TaskQueue, type Waiting } from './queue.js';
import { createStop, isStopped, type Stop, stop } from './stop.js';
import { BUSY, IDLE, sharedInts } from './team.js';
import type { RefusedProvider } from './ort.js';
import type { Analysis, VisionPool } from './types.js';

/** Seconds a caller is asked to wait when the queue is full: about what a full queue takes to empty. */
const RETRY_AFTER = 2;
/** A thread that dies this often in a row is not replaced any more: the fault is not the pictures'. */
const MAX_DEATHS = 5;
/** Threads that end in a row because their GPU fails, though it answers rightly when it is looked at anew. */
const MAX_FAULTS = 3;

/** Pictures at once on a GPU: their faces fill the embedder's batch of eight, and the first waits for few others. */
const ON_GPU = 4;

/**
 * Room for a thread's short-lived objects, MB. A frame leaves little besides its picture, which is freed after the
 * answer; V8's own choice is 48 a thread.
 */
const YOUNG = 4;

export interface PoolSettings extends AnalyzerSettings {
  /** Vision threads, 1 or more; on WebGPU it is one whatever is asked for, see {@link createVisionPool}. */
  poolThreads: number;
  /** Pictures that may wait for a thread. */
  queueLength: number;
  /** The part of them that one caller may have (see shares.ts). Default: all. */
  callerShare?: number;
  /**
   * Waiting pictures that a thread takes at once, so that their faces are embedded together; nobody waits for others to
   * come. Left out: one on a CPU, where it gains nothing, and {@link ON_GPU} on a GPU.
   */
  atOnce?: number;
  /** Told of each thread that ended without being asked to, and how many are left at that moment. */
  onDeath?: (cause: Error, left: number) => void;
  /** What a thread runs; left out, thread.ts. */
  program?: URL;
}

const PROGRAM = new URL('./thread.js', import.meta.url);

/** `alone`: it was among several when a thread died: it may be the one, and takes nobody with it again. */
interface Task extends Waiting {
  bytes: Uint8Array;
  options: ThreadOptions;
  queuedAt: number;
  stop: Stop;
  /** Called once it is answered, however. */
  settled: () => void;
  resolve: (analysis: Analysis) => void;
  reject: (error: unknown) => void;
}

interface Thread {
  worker: Worker;
  /** Its place in the team; freed by its end. */
  seat: number;
  /** What it is working on; empty: it is idle. */
  tasks: Task[];
  startedAt: number;
  ready: boolean;
  /** Once it is ready. */
  provider?: string;
  /** It ends by itself. */
  leaving: boolean;
  /** Resolved once the thread has ended. */
  ended: Promise<void>;
}

const isIdle = ({ ready, leaving, tasks }: Thread) => ready && !leaving && tasks.length === 0;

/**
 * Starts the vision threads and resolves when each has loaded its networks and run them once.
 *
 * On WebGPU there is one: of a process one thread at a time may use it (webgpu-turns.ts), so that more would wait for
 * each other, hold every network in the GPU's memory once more, and leave the batches half full by which a GPU gains.
 * Several pictures go into one batch instead, and several processes (`WORKERS`) run beside each other. The first thread
 * finds out which provider serves; the others begin once that is known, and try no other one but the CPU: in a process
 * in which one thread is on WebGPU no second one ever gets there, also not by falling back from CUDA.
 * @throws KaomonError NO_MODEL or SETUP from the first thread that could not start; the others are ended
 */
export async function createVisionPool(settings: PoolSettings): Promise<VisionPool> {
  const {
    poolThreads,
    queueLength,
    callerShare = 1,
    atOnce,
    onDeath,
    program = PROGRAM,
    ...analyzerSettings
  } = settings;
  const threads = new Set<Thread>();
  const queue = new TaskQueue<Task>();
  const places = createShares({
    ...{ total: queueLength, share: callerShare },
    ...{ full: 'Too many pictures are waiting', retryAfter: RETRY_AFTER },
    mine: 'Too many pictures of this caller are waiting',
  });
  const team = { channel: `vision ${randomUUID()}`, board: sharedInts(poolThreads) };
  let deaths = 0;
  /** Threads that died since the start. */
  let died = 0;
  let closing = false;
  const preferred = [...new Set([...analyzerSettings.providers, 'cpu'])];
  /** The most preferred of the providers that threads are on, or were on last; undefined until one is ready. */
  let served: string | undefined;
  /** Threads in a row that ended because of their GPU. */
  let faults = 0;
  /** Providers that are not tried any more. */
  const outcast = new Set<string>();
  const refused = new Map<string, RefusedProvider>();
  const mayBeWebgpu = analyzerSettings.providers.includes('webgpu');

  /** How many threads there should be. */
  const wanted = () => (mayBeWebgpu && (served ?? 'webgpu') === 'webgpu' ? 1 : poolThreads);

  /** What a thread that is started now may try. */
  function providersNow(): readonly string[] {
    const mayBeAny = served === undefined || served === 'webgpu';
    return preferred.filter((name) => !outcast.has(name) && (mayBeAny || name === served || name === 'cpu'));
  }

  function noteReady(thread: Thread, { provider, refusedProviders }: FromThread & { kind: 'ready' }): void {
    thread.ready = true;
    thread.provider = provider;
    const all = [...threads].map((one) => one.provider);
    served = preferred.find((name) => all.includes(name));
    for (const one of refusedProviders) refused.set(one.provider, one);
  }

  /** A thread ends because its GPU fails; after a few its like are not tried again. */
  function noteFault(thread: Thread): void {
    thread.leaving = true;
    faults += 1;
    const { provider } = thread;
    if (faults < MAX_FAULTS || provider === undefined) return;
    outcast.add(provider);
    refused.set(provider, { provider, reason: 'it answered rightly at the start, and failed while it ran' });
  }

  function send(thread: Thread, message: ToThread, transfer: ArrayBuffer[] = []): void {
    thread.worker.postMessage(message, transfer);
  }

  /** Takes what a thread works on next out of the queue. */
  function takeNext(): Task[] {
    const most = atOnce ?? (served === 'cpu' ? 1 : ON_GPU);
    const ready = [...threads].filter((thread) => thread.ready);
    const callersOf = ({ tasks }: Thread) => tasks.map(({ caller }) => caller);
    const slow = ready.filter((thread) => callersOf(thread).some((caller) => queue.isSlow(caller)));
    const others = slow.flatMap(callersOf);
    // The last thread is not for callers whose pictures take long: others would wait until they are through.
    const isLast = ready.length > 1 && slow.length >= ready.length - 1 && !closing;
    const next = queue.take(most, (caller) => !isLast || queue.mayTakeLast(caller, others));
    for (const { caller } of next) places.give(caller, 1);
    return next;
  }

  function startNext(thread: Thread): void {
    thread.tasks = [];
    thread.tasks = takeNext();
    const hasNothing = thread.tasks.length === 0;
    Atomics.store(team.board, thread.seat, hasNothing && !closing ? IDLE : BUSY);
    if (hasNothing) {
      if (closing) send(thread, { kind: 'close' });
      return;
    }
    thread.startedAt = performance.now();
    const pictures = thread.tasks.map(({ bytes, options, stop }) => ({ bytes, options, stop }));
    // A buffer that holds nothing else is handed over; a slice of a pool (small Buffers) is copied, and so is what may
    // have to be tried again.
    const [{ bytes }] = pictures;
    const isWhole = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
    send(thread, { kind: 'analyze', pictures }, isWhole && pictures.length === 1 ? [bytes.buffer] : []);
  }

  function receive(thread: Thread, { results, ends }: FromThread & { kind: 'done' }): void {
    deaths = 0;
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
    if (ends) {
      noteFault(thread);
      return;
    }
    faults = 0;
    startNext(thread);
    // What this one may not take, another may now.
    for (const other of threads) if (queue.length > 0 && isIdle(other)) startNext(other);
  }

  /** Starts a thread and resolves when it is ready. */
  function start(): Promise<void> {
    const taken = new Set([...threads].map(({ seat }) => seat));
    const seat = Array.from(team.board.keys()).find((place) => !taken.has(place)) ?? 0;
    const workerData: ThreadSettings = {
      ...analyzerSettings,
      ...{ providers: providersNow(), seat: { ...team, seat }, turns: webgpuTurns },
    };
    const worker = new Worker(program, {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG },
    });
    const { threadId } = worker;
    return new Promise((resolve, reject) => {
      let failure: Error | undefined;
      const ended = new Promise<void>((end) => {
        worker.on('exit', (code) => {
          threads.delete(thread);
          Atomics.store(team.board, seat, BUSY);
          endTurnOf(webgpuTurns, threadId);
          end();
          reject(failure ?? new Error(`A vision thread ended before it was ready (exit code ${code}).`));
          if (thread.ready) replace(thread, failure ?? causeOf(thread, code));
        });
      });
      const thread: Thread = { worker, seat, tasks: [], startedAt: 0, ready: false, leaving: false, ended };
      threads.add(thread);
      worker.on('error', (error: Error) => (failure = error));
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'failed') failure = fromPlainError(message.error);
        if (message.kind === 'ready') {
          noteReady(thread, message);
          resolve();
          startNext(thread);
        } else if (message.kind === 'done') receive(thread, message);
      });
    });
  }

  function noteDeath(cause: Error): void {
    died += 1;
    onDeath?.(cause, threads.size);
  }

  /** A thread has died: its picture fails, nobody else's does, and another thread takes its place. */
  function replace(thread: Thread, cause: Error): void {
    // Who closes asked for it, unless it was at work.
    if (!closing || thread.tasks.length > 0) noteDeath(cause);
    if (thread.tasks.length > 1 && !closing) {
      // One of them did it; each gets another try, by itself.
      for (const task of thread.tasks) task.alone = true;
      for (const { caller } of thread.tasks) places.put(caller, 1);
      queue.putBack(thread.tasks);
      for (const other of threads) if (isIdle(other)) startNext(other);
    } else {
      const died = 'A vision thread died while it worked on this picture.';
      for (const task of thread.tasks) {
        task.settled();
        task.reject(new KaomonError('INTERNAL', died, { cause }));
      }
    }
    if (closing) {
      giveUp(cause);
      return;
    }
    deaths += 1;
    // The one that takes the place of the only one on WebGPU may be on the CPU, and have others beside it.
    if (deaths < MAX_DEATHS) {
      start()
        .then(fill)
        .catch((failure: unknown) => {
          noteDeath(failure instanceof Error ? failure : new Error(String(failure)));
          giveUp(failure);
        });
    } else giveUp(cause);
  }

  /** Nobody waits for it any more: what waits does not begin, what runs ends at its stage. */
  function drop(task: Task): void {
    if (queue.remove(task)) places.give(task.caller, 1);
    stop(task.stop);
    task.reject(new KaomonError('CLIENT_GONE', 'The client has hung up.'));
  }

  /** Starts the threads that are missing. */
  async function fill(): Promise<void> {
    const missing = closing ? 0 : wanted() - threads.size;
    const started = await Promise.allSettled(Array.from({ length: Math.max(0, missing) }, start));
    const failed = started.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  function giveUp(cause: unknown): void {
    if (threads.size > 0) return;
    for (const task of queue.drain()) {
      places.give(task.caller, 1);
      task.settled();
      task.reject(new KaomonError('NO_MODEL', 'No vision thread can be started: see the log.', { cause }));
    }
  }

  const pool: VisionPool = {
    analyze(bytes, options = {}) {
      if (closing) {
        return Promise.reject(
          new KaomonError('CLOSING', 'The server is shutting down: try again in a moment.', {
            retryAfter: RETRY_AFTER,
          }),
        );
      }
      if (threads.size === 0) {
        return Promise.reject(new KaomonError('NO_MODEL', 'No vision thread is running: see the log.'));
      }
      const { signal, caller = '', ...look } = options;
      return new Promise<Analysis>((resolve, reject) => {
        throwIfGone(signal);
        places.take(caller, 1);
        const task: Task = {
          ...{ bytes, caller, options: look, queuedAt: performance.now(), alone: false },
          ...{ resolve, reject, stop: createStop() },
          // A signal may outlive thousands of pictures.
          settled: () => signal?.removeEventListener('abort', giveUpOn),
        };
        const giveUpOn = () => drop(task);
        signal?.addEventListener('abort', giveUpOn, { once: true });
        queue.push(task);
        const idle = [...threads].find(isIdle);
        if (idle) startNext(idle);
      });
    },

    info: () => ({
      threads: threads.size,
      queued: queue.length,
      running: [...threads].reduce((sum, { tasks }) => sum + tasks.length, 0),
      provider: served ?? 'cpu',
      refusedProviders: [...refused.values()],
      deaths: died,
      ...(served === 'webgpu' && poolThreads > 1 && { note: oneThread(poolThreads) }),
    }),

    async close() {
      closing = true;
      team.board.fill(BUSY);
      for (const thread of threads) if (isIdle(thread)) send(thread, { kind: 'close' });
      await Promise.all([...threads].map(({ ended }) => ended));
    },
  };

  try {
    if (mayBeWebgpu) await start();
    await fill();
  } catch (error) {
    await pool.close();
    throw error;
  }
  return pool;
}

/** Why a thread ended that did not say it. */
function causeOf({ leaving, provider }: Thread, code: number): Error {
  return new Error(
    leaving
      ? `It ended because ${provider ?? 'its provider'} failed.`
      : `It ended with the exit code ${code}.`,
  );
}

const oneThread = (asked: number) =>
  `WebGPU serves one thread of a process: there is one vision thread, not ${asked} (VISION_THREADS). Pictures that wait go together (VISION_BATCH); more processes (WORKERS) run beside each other.`;
