import type { InferenceSession } from 'onnxruntime-node';
import { inTurn, type WebgpuTurns } from './webgpu-turns.js';

/** Where a session of ONNX Runtime runs. */
export interface SessionPlace {
  /** One execution provider: given a list, ONNX Runtime throws if the first is missing instead of falling back. */
  provider: string;
  /** Threads within a run. */
  threads: number;
  /** Which GPU, where one is used: 0 is the first. */
  gpuDevice?: number;
}

/** How a session differs from the others. */
export interface SessionExtras {
  /** False: the network is run as it is. Default true. */
  optimised?: boolean;
  /** More of ONNX Runtime's `session.*` settings. */
  settings?: Readonly<Record<string, string>>;
}

/** The options of every session of ONNX Runtime, in vision threads and the index. */
export function sessionOptions(
  { provider, threads, gpuDevice = 0 }: SessionPlace,
  { optimised = true, settings = {} }: SessionExtras = {},
): InferenceSession.SessionOptions {
  return {
    executionProviders: [provider === 'cuda' ? { name: 'cuda', deviceId: gpuDevice } : provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // ONNX Runtime would keep a memory plan for every input shape: 25 MB for those of a pyramid, without being faster.
    enableMemPattern: false,
    graphOptimizationLevel: optimised ? 'all' : 'disabled',
    logSeverityLevel: 3,
    // Spinning threads of one session make every other session in the process three to seven times slower.
    extra: { session: { intra_op: { allow_spinning: '0' }, ...settings } },
  };
}

/**
 * Creates, runs or releases a session: on WebGPU when it is this thread's turn, elsewhere at once.
 * @param turns shared by all threads of the process
 */
export function onProvider<T>(provider: string, turns: WebgpuTurns, work: () => Promise<T>): Promise<T> {
  return provider === 'webgpu' ? inTurn(turns, work) : work();
}
