import type { InferenceSession } from 'onnxruntime-node';

export interface SessionPlace {
  /** Execution provider: one alone, since a list in which the first is missing throws instead of falling back. */
  provider: string;
  /** Threads inside a run. */
  threads: number;
  /** Which GPU, where one is used: 0 is the first. */
  gpuDevice?: number;
}

/** How every network here is opened. @param session more of ONNX Runtime's `session.*` settings */
export function sessionOptions(
  { provider, threads, gpuDevice = 0 }: SessionPlace,
  session: Readonly<Record<string, string>> = {},
): InferenceSession.SessionOptions {
  return {
    executionProviders: [provider === 'cuda' ? { name: 'cuda', deviceId: gpuDevice } : provider],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    // Plans of memory are kept for every shape that was ever seen: 25 MB for the shapes of a pyramid, and no faster.
    enableMemPattern: false,
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
    // Spinning threads of one session slow every other one in the process three- to sevenfold.
    extra: { session: { intra_op: { allow_spinning: '0' }, ...session } },
  };
}
