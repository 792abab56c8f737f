import { monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Milliseconds between two looks. Each wakes the processor: 250 a second, as there were with a watch of each who asks, cost
 * an idle server 2 % of a core (docs/performance.md).
 */
export const LOOK_EVERY = 50;

/** One for the whole process. It does not keep it alive. */
const loop = monitorEventLoopDelay({ resolution: LOOK_EVERY });
loop.enable();

// What is recorded is the time from one look to the next.
const less = (milliseconds: number) => Math.max(0, milliseconds - LOOK_EVERY);

/** How late the event loop turned in the worst 1 % of the looks since the start, milliseconds. */
export function loopDelayP99(): number {
  return loop.count === 0 ? 0 : less(loop.percentile(99) / 1e6);
}

/** @returns how late it turned on average since the last call, milliseconds */
export function createLoopDelay(): () => number {
  const take = () => ({
    count: loop.count,
    sum: loop.count === 0 ? 0 : loop.mean * loop.count,
    at: performance.now(),
  });
  let before = take();
  return () => {
    const now = take();
    const turns = now.count - before.count;
    // Where the loop did not turn at all, what is late has not been recorded yet.
    const mean = turns === 0 ? now.at - before.at : (now.sum - before.sum) / turns / 1e6;
    before = now;
    return less(mean);
  };
}
