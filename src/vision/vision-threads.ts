import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { fromPlainError } from '../platform/errors.js';
import { endTurnOf, webgpuTurns } from '../platform/webgpu-turns.js';
import type { AnalyzerSettings } from './analyzer.js';
import type { FromThread, PictureResult, ThreadSettings, ToThread } from './messages.js';
import type { RefusedProvider } from './ort.js';
import type { PictureTask } from './queue.js';
import { BUSY, IDLE, sharedInts } from './work-sharing.js';

/** A thread that dies this often in a row is not replaced any more: the fault is not the pictures'. */
const MAX_DEATHS = 5;
/** A GPU on which so many threads in a row have failed, though it passed the check of each start, is not used again. */
const MAX_FAULTS = 3;

/**
 * Room for a thread's short-lived objects, MB. A frame leaves little besides its picture, which is freed after the
 * answer; V8's own choice is 48 a thread.
 */
const YOUNG = 4;

const PROGRAM = new URL('./thread.js', import.meta.url);

/** One vision thread, as the main thread knows it. */
export interface VisionThread {
  readonly worker: Worker;
  /** Its place among the threads that share work; free again once it has ended. */
  readonly slot: number;
  /** What it is working on; empty: it is idle. */
  tasks: PictureTask[];
  startedAt: number;
  isReady: boolean;
  /** Once it is ready. */
  provider?: string;
  /** It ends by itself. */
  isLeaving: boolean;
  /** Resolved once the thread has ended. */
  ended: Promise<void>;
}

export interface ThreadsOptions {
  analyzer: AnalyzerSettings;
  /** 1 or more; on WebGPU it is one whatever is asked for, see {@link createVisionThreads}. */
  count: number;
  /** Told of each thread that ended without being asked to, and how many are left at that moment. */
  onDeath: ((cause: Error, left: number) => void) | undefined;
  /** What a thread runs; left out, thread.ts. */
  program: URL | undefined;
  /** A thread can take its first picture. */
  onReady: (thread: VisionThread) => void;
  /** A thread has answered all of its tasks, in their order. */
  onResults: (thread: VisionThread, results: PictureResult[]) => void;
  /** A thread has died with these tasks. @param cause what it died of */
  onLost: (tasks: PictureTask[], cause: Error) => void;
  /** No thread is left, and none can be started. */
  onNone: (cause: unknown) => void;
}

/** The vision threads of this process; see {@link createVisionThreads}. */
export type VisionThreads = ReturnType<typeof createVisionThreads>;

export const isIdle = ({ isReady, isLeaving, tasks }: VisionThread) =>
  isReady && !isLeaving && tasks.length === 0;

/**
 * Starts vision threads, replaces those that die, and ends them.
 *
 * On WebGPU there is one: one thread of a process at a time may use it (webgpu-turns.ts), so more would wait for each
 * other, hold every network in the GPU's memory once more, and leave the batches half full by which a GPU gains. Several
 * pictures go into one batch instead, and several processes (`WORKERS`) run beside each other. The first thread finds
 * out which provider serves. The others start once that is known and try no provider but that one and the CPU: in a
 * process with one thread on WebGPU no second one ever gets there, not even by falling back from CUDA.
 */
export function createVisionThreads(options: ThreadsOptions) {
  const { analyzer, count, onDeath, program = PROGRAM, onReady, onResults, onLost, onNone } = options;
  const threads = new Set<VisionThread>();
  const sharing = { channel: `vision ${randomUUID()}`, states: sharedInts(count) };
  const preferred = [...new Set([...analyzer.providers, 'cpu'])];
  const mayBeWebgpu = analyzer.providers.includes('webgpu');
  /** The most preferred of the providers that threads are on, or were on last; undefined until one is ready. */
  let provider: string | undefined;
  /** Providers that are not tried any more. */
  const excluded = new Set<string>();
  const refused = new Map<string, RefusedProvider>();
  let deathsInARow = 0;
  let deaths = 0;
  /** Threads in a row that ended because of their GPU. */
  let faultsInARow = 0;
  let isClosing = false;

  const wantedCount = () => (mayBeWebgpu && (provider ?? 'webgpu') === 'webgpu' ? 1 : count);

  /** What a thread that is started now may try. */
  function allowedProviders(): readonly string[] {
    const mayBeAny = provider === undefined || provider === 'webgpu';
    return preferred.filter(
      (name) => !excluded.has(name) && (mayBeAny || name === provider || name === 'cpu'),
    );
  }

  function noteReady(thread: VisionThread, message: FromThread & { kind: 'ready' }): void {
    thread.isReady = true;
    thread.provider = message.provider;
    const used = new Set([...threads].map((one) => one.provider));
    provider = preferred.find((name) => used.has(name));
    for (const one of message.refusedProviders) refused.set(one.provider, one);
  }

  /** A thread ends because its GPU fails. */
  function noteFault(thread: VisionThread): void {
    thread.isLeaving = true;
    faultsInARow += 1;
    if (faultsInARow < MAX_FAULTS || thread.provider === undefined) return;
    excluded.add(thread.provider);
    const reason = 'it answered rightly at the start, and failed while it ran';
    refused.set(thread.provider, { provider: thread.provider, reason });
  }

  function noteDeath(cause: Error): void {
    deaths += 1;
    onDeath?.(cause, threads.size);
  }

  /** Starts a thread and resolves when it is ready. */
  function start(): Promise<void> {
    const taken = new Set([...threads].map((thread) => thread.slot));
    const slot = Array.from(sharing.states.keys()).find((free) => !taken.has(free)) ?? 0;
    const workerData: ThreadSettings = {
      ...analyzer,
      providers: allowedProviders(),
      sharing: { ...sharing, slot },
      turns: webgpuTurns,
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
          Atomics.store(sharing.states, slot, BUSY);
          endTurnOf(webgpuTurns, threadId);
          end();
          reject(failure ?? new Error(`A vision thread ended before it was ready (exit code ${code}).`));
          if (thread.isReady) replace(thread, failure ?? causeOf(thread, code));
        });
      });
      const thread: VisionThread = {
        worker,
        slot,
        tasks: [],
        startedAt: 0,
        isReady: false,
        isLeaving: false,
        ended,
      };
      threads.add(thread);
      worker.on('error', (error: Error) => (failure = error));
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'failed') failure = fromPlainError(message.error);
        else if (message.kind === 'ready') {
          noteReady(thread, message);
          resolve();
          onReady(thread);
        } else {
          deathsInARow = 0;
          if (message.ends) noteFault(thread);
          else faultsInARow = 0;
          onResults(thread, message.results);
        }
      });
    });
  }

  /** A thread has died: another one takes its place. */
  function replace(thread: VisionThread, cause: Error): void {
    // A thread that ends idle while the pool closes was asked to.
    if (!isClosing || thread.tasks.length > 0) noteDeath(cause);
    onLost(thread.tasks, cause);
    if (!isClosing) deathsInARow += 1;
    if (isClosing || deathsInARow >= MAX_DEATHS) {
      giveUp(cause);
      return;
    }
    // The successor of the only thread on WebGPU may be on the CPU, and have others beside it.
    start()
      .then(fill)
      .catch((failure: unknown) => {
        noteDeath(failure instanceof Error ? failure : new Error(String(failure)));
        giveUp(failure);
      });
  }

  /** Starts the threads that are missing. */
  async function fill(): Promise<void> {
    const missing = isClosing ? 0 : wantedCount() - threads.size;
    const started = await Promise.allSettled(Array.from({ length: Math.max(0, missing) }, start));
    const failed = started.find((result) => result.status === 'rejected');
    if (failed) throw failed.reason;
  }

  function giveUp(cause: unknown): void {
    if (threads.size === 0) onNone(cause);
  }

  function end({ worker }: VisionThread): void {
    worker.postMessage({ kind: 'close' } satisfies ToThread);
  }

  return {
    /** Those that live. */
    all: threads as ReadonlySet<VisionThread>,
    /** The provider in use; undefined until a thread is ready. */
    provider: () => provider,
    /** @throws the error of the first thread that could not start */
    async open(): Promise<void> {
      if (mayBeWebgpu) await start();
      await fill();
    },

    /** Hands a thread its tasks; none: it helps the others, and ends when the threads are being closed. */
    hand(thread: VisionThread, tasks: PictureTask[]): void {
      thread.tasks = tasks;
      Atomics.store(sharing.states, thread.slot, tasks.length === 0 && !isClosing ? IDLE : BUSY);
      if (tasks.length === 0) {
        if (isClosing) end(thread);
        return;
      }
      thread.startedAt = performance.now();
      const pictures = tasks.map(({ bytes, options: asked, stop }) => ({ bytes, options: asked, stop }));
      // A buffer that holds nothing else is transferred. A slice of a larger one (small Buffers) is copied, and so are
      // pictures that may have to be tried again.
      const [{ bytes }] = pictures;
      const isWhole = bytes.buffer instanceof ArrayBuffer && bytes.byteLength === bytes.buffer.byteLength;
      const transferred = isWhole && pictures.length === 1 ? [bytes.buffer] : [];
      thread.worker.postMessage({ kind: 'analyze', pictures } satisfies ToThread, transferred);
    },

    info: () => ({
      threads: threads.size,
      provider: provider ?? 'cpu',
      refusedProviders: [...refused.values()],
      deaths,
      note: provider === 'webgpu' && count > 1 ? oneThread(count) : undefined,
    }),

    /** Lets what is at work finish, then ends the threads. */
    async close(): Promise<void> {
      isClosing = true;
      sharing.states.fill(BUSY);
      for (const thread of threads) if (isIdle(thread)) end(thread);
      await Promise.all([...threads].map((thread) => thread.ended));
    },
  };
}

/** Why a thread ended that did not say it. */
function causeOf({ isLeaving, provider }: VisionThread, code: number): Error {
  return new Error(
    isLeaving
      ? `It ended because ${provider ?? 'its provider'} failed.`
      : `It ended with the exit code ${code}.`,
  );
}

const oneThread = (asked: number) =>
  `WebGPU serves one thread of a process: there is one vision thread, not ${asked} (VISION_THREADS). Pictures that wait go together (VISION_BATCH); more processes (WORKERS) run beside each other.`;
