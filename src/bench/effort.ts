import type { Row } from './report.js';

/** How much a run measures. */
export interface Effort {
  /** Samples of what takes a frame's time. */
  readonly repeats: number;
  /** Seconds of each case under load. */
  readonly seconds: number;
  /** Clients at once, through HTTP and the stream. */
  readonly clients: readonly number[];
  /** Gallery sizes. */
  readonly sizes: readonly number[];
  /** Searches one after another, and probes for the recall. */
  readonly searches: number;
  /** People enrolled where a server runs. */
  readonly people: number;
  /** Enrolments that another worker must come to know. */
  readonly enrolments: number;
  /** Frames of a soak. */
  readonly soakFrames: number;
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
};

/** What every section is given. */
export interface BenchContext {
  readonly effort: Effort;
  /** Folder of what the sections make and keep. */
  readonly folder: string;
  readonly add: (row: Row) => void;
  /** What stood in for what, what was left out and why. */
  readonly note: (note: string) => void;
}

/** Times `work` `repeats` times after two runs that do not count; milliseconds. */
export async function timeEach(repeats: number, work: () => unknown): Promise<number[]> {
  const samples: number[] = [];
  for (let i = -2; i < repeats; i++) {
    const start = performance.now();
    await work();
    if (i >= 0) samples.push(performance.now() - start);
  }
  return samples;
}

/** Several workers do `work` over and over for `seconds`. @returns milliseconds of each, and how many ended a second */
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
      // Requests come by the event loop: a work that ends without waiting must not keep everything else from running.
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  await Promise.all(Array.from({ length: workers }, (_, worker) => loop(worker)));
  return { samples, perSecond: (samples.length * 1000) / (performance.now() - begin) };
}
