import type { Row } from './report.js';

/** How much a run measures. */
export interface Effort {
  /** Samples of each stage of a frame. */
  readonly repeats: number;
  /** Duration of each case under load, seconds. */
  readonly seconds: number;
  /** Numbers of concurrent clients, over HTTP and the stream. */
  readonly clients: readonly number[];
  /** Gallery sizes. */
  readonly sizes: readonly number[];
  /** Searches, one after the other, and probes for the recall. */
  readonly searches: number;
  /** People enrolled in the servers that are measured. */
  readonly people: number;
  /** Enrolments that another worker has to learn of. */
  readonly enrolments: number;
  /** Frames of a soak. */
  readonly soakFrames: number;
  /** Workers over one Milvus, and cameras that ask them. */
  readonly workers: number;
  readonly cameras: number;
}

export const FULL: Effort = {
  repeats: 40,
  seconds: 6,
  clients: [1, 2, 4, 8],
  sizes: [1_000, 10_000, 100_000, 1_000_000],
  searches: 300,
  people: 1000,
  enrolments: 200,
  soakFrames: 100_000,
  workers: 20,
  cameras: 100,
};

export const QUICK: Effort = {
  repeats: 8,
  seconds: 2,
  clients: [1, 4],
  sizes: [1_000, 10_000],
  searches: 100,
  people: 200,
  enrolments: 20,
  soakFrames: 3000,
  workers: 3,
  cameras: 12,
};

/** What every section gets. */
export interface BenchContext {
  readonly effort: Effort;
  /** Folder for the files that the sections make. */
  readonly folder: string;
  readonly add: (row: Row) => void;
  /** Notes a substitute that was used, or what was left out and why. */
  readonly note: (note: string) => void;
}

/** Runs `work` over and over, several at a time, for `seconds`. @returns milliseconds of each run, and runs per second */
export async function underLoad(
  workers: number,
  seconds: number,
  work: (worker: number) => Promise<unknown>,
): Promise<{ samples: number[]; perSecond: number }> {
  const samples: number[] = [];
  const begin = performance.now();
  const end = begin + seconds * 1000;
  const loop = async (worker: number) => {
    while (performance.now() < end) {
      const start = performance.now();
      await work(worker);
      samples.push(performance.now() - start);
      // Work that finishes without waiting must still let the event loop run.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => loop(worker)));
  return { samples, perSecond: (samples.length * 1000) / (performance.now() - begin) };
}
