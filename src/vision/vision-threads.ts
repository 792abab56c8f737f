import { randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import { fromPlainError } from '../platform/errors.js';
import { endTurnOf, webgpuTurns } from '../platform/webgpu-turns.js';
import type { AnalyzerSettings } from './analyzer.js';
import type { FromThread, PictureResult, ThreadSettings, ToThread } from './messages.js';
import type { DetectorRuns } from './face-finder.js';
import type { RefusedProvider } from './ort.js';
import type { PictureTask } from './queue.js';
import { BUSY, IDLE, sharedInts } from './work-sharing.js';

/** After so many deaths in a row threads are not replaced any more: the pictures are not the cause. */
const MAX_DEATHS = 5;
/** A GPU is no longer used when so many threads in a row have failed on it, though it passed each start's self-check. */
const MAX_FAULTS = 3;

/**
 * Memory for a thread's short-lived objects, MB; V8's default is 48. A frame needs little besides its picture, which is
 * freed after the answer.
 */
const YOUNG = 4;

const PROGRAM = new URL('./thread.js', import.meta.url);

/** A vision thread, as seen by the main thread. */
export interface VisionThread {
  readonly worker: Worker;
  /** Its index among the threads that share work; reused after it has ended. */
  readonly slot: number;
  /** Its current tasks; empty when it is idle. */
  tasks: PictureTask[];
  startedAt: number;
  isReady: boolean;
  /** Once it is ready. */
  provider?: string;
  /** It is about to end by itself. */
  isLeaving: boolean;
  /** Resolved once the thread has ended. */
  ended: Promise<void>;
}

export interface ThreadsOptions {
  analyzer: AnalyzerSettings;
  /** 1 or more; on WebGPU it is one whatever is asked for, see {@link createVisionThreads}. */
  count: number;
  /** Called for each thread that ended unexpectedly, with how many are left. */
  onDeath: ((cause: Error, left: number) => void) | undefined;
  /** The program of a thread. Default: thread.ts. */
  program: URL | undefined;
  /** A thread can take its first picture. */
  onReady: (thread: VisionThread) => void;
  /** A thread has answered all of its tasks, in their order. */
  onResults: (thread: VisionThread, results: PictureResult[]) => void;
  /** A thread has died with these tasks. @param cause what it died of */
  onLost: (tasks: PictureTask[], cause: Error) => void;
  /** No thread is left and none can be started. */
  onNone: (cause: unknown) => void;
}

export const isIdle = ({ isReady, isLeaving, tasks }: VisionThread) =>
  isReady && !isLeaving && tasks.length === 0;

/**
 * Starts vision threads, replaces those that die, and ends them.
 *
 * On WebGPU there is only one: a process may use it from one thread at a time (webgpu-turns.ts), so more would wait for
 * each other, hold each network in the GPU's memory once more, and leave batches half full. Instead several pictures go
 * into one batch, and several processes (`WORKERS`) run in parallel. The first thread finds out which provider works. The
 * others start after it and try only that provider and the CPU, so that a second thread never uses WebGPU, not even by
 * falling back from CUDA.
 */
export function createVisionThreads(options: ThreadsOptions) {
  const { analyzer, count, onDeath, program = PROGRAM, onReady, onResults, onLost, onNone } = options;
  const threads = new Set<VisionThread>();
  const sharing = { channel: `vision ${randomUUID()}`, states: sharedInts(count) };
  const preferred = [...new Set([...analyzer.providers, 'cpu'])];
  const mayBeWebgpu = analyzer.providers.includes('webgpu');
  /** The most preferred of the providers that threads use, or used last; undefined until a thread is ready. */
  let provider: string | undefined;
  /** Providers that are no longer tried. */
  const excluded = new Set<string>();
  const refused = new Map<string, RefusedProvider>();
  /** What runs the detector of the thread that was ready last. */
  let detector: DetectorRuns | undefined;
  let deathsInARow = 0;
  let deaths = 0;
  /** How many threads in a row ended because of their GPU. */
  let faultsInARow = 0;
  let isClosing = false;

  const wantedCount = () => (mayBeWebgpu && (provider ?? 'webgpu') === 'webgpu' ? 1 : count);

  /** The providers that a new thread may try. */
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
    ({ detector } = message);
  }

  /** A thread ends because its GPU fails. */
  function noteFault(thread: VisionThread): void {
    thread.isLeaving = true;
    faultsInARow += 1;
    if (faultsInARow < MAX_FAULTS || thread.provider === undefined) return;
    excluded.add(thread.provider);
    const reason = 'it answered correctly at the start, but failed later';
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
    // An idle thread that ends while the pool closes was told to.
    if (!isClosing || thread.tasks.length > 0) noteDeath(cause);
    onLost(thread.tasks, cause);
    if (!isClosing) deathsInARow += 1;
    if (isClosing || deathsInARow >= MAX_DEATHS) {
      giveUp(cause);
      return;
    }
    // After the only thread on WebGPU the new one may use the CPU, which allows several.
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
    /** The running threads. */
    all: threads as ReadonlySet<VisionThread>,
    /** The provider in use; undefined until a thread is ready. */
    provider: () => provider,
    /** @throws the error of the first thread that could not start */
    async open(): Promise<void> {
      if (mayBeWebgpu) await start();
      await fill();
    },

    /** Gives a thread its tasks. Without any it helps the others, or ends when the threads are being closed. */
    hand(thread: VisionThread, tasks: PictureTask[]): void {
      thread.tasks = tasks;
      Atomics.store(sharing.states, thread.slot, tasks.length === 0 && !isClosing ? IDLE : BUSY);
      if (tasks.length === 0) {
        if (isClosing) end(thread);
        return;
      }
      thread.startedAt = performance.now();
      const pictures = tasks.map(({ bytes, options: asked, stop }) => ({ bytes, options: asked, stop }));
      // A buffer that holds nothing else is transferred. A slice of a larger one (as of small Buffers) is copied, and so
      // are several pictures, which may have to be tried again.
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
      kernels: detector?.kernels,
      note: provider === 'webgpu' && count > 1 ? oneThread(count) : slowDetector(detector),
    }),

    /** Lets current work finish, then ends the threads. */
    async close(): Promise<void> {
      isClosing = true;
      sharing.states.fill(BUSY);
      for (const thread of threads) if (isIdle(thread)) end(thread);
      await Promise.all([...threads].map((thread) => thread.ended));
    },
  };
}

/** Why a thread ended without an error. */
function causeOf({ isLeaving, provider }: VisionThread, code: number): Error {
  return new Error(
    isLeaving
      ? `It ended because ${provider ?? 'its provider'} failed.`
      : `It ended with the exit code ${code}.`,
  );
}

const oneThread = (asked: number) =>
  `WebGPU serves one thread of a process: there is one vision thread, not ${asked} (VISION_THREADS). Pictures that wait go together (VISION_BATCH); more processes (WORKERS) run beside each other.`;

function slowDetector(detector: DetectorRuns | undefined): string | undefined {
  if (detector?.refusal === undefined) return undefined;
  return `ONNX Runtime looks for faces, in twice the time, because ${detector.refusal}.`;
}
