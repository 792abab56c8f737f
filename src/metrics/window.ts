/**
 * Keeps the last samples of a figure for its percentiles.
 * @param size samples kept, the oldest forgotten first
 * @param maxAge milliseconds after which a sample no longer counts
 */
export function createWindow(size: number, maxAge: number, now: () => number = () => performance.now()) {
  const values = new Float64Array(size);
  const times = new Float64Array(size).fill(-Infinity);
  let next = 0;

  return {
    add(value: number): void {
      values[next] = value;
      times[next] = now();
      next = (next + 1) % size;
    },

    /** Nearest-rank percentiles of the samples that count; null without any. */
    summary(): { count: number; p50: number | null; p95: number | null } {
      const since = now() - maxAge;
      const recent = values.filter((_value, i) => times[i] > since).sort();
      const rank = (part: number) =>
        recent.length === 0 ? null : recent[Math.max(0, Math.ceil(recent.length * part) - 1)];
      return { count: recent.length, p50: rank(0.5), p95: rank(0.95) };
    },
  };
}

/** Counts events per second, for a rate over the last `seconds`. */
export function createRate(seconds: number, now: () => number = () => performance.now()) {
  const counts = new Uint32Array(seconds);
  const began = now();
  let current = second();

  function second(): number {
    return Math.floor(now() / 1000);
  }

  function forget(): void {
    const at = second();
    for (let gone = Math.max(current + 1, at - seconds + 1); gone <= at; gone += 1)
      counts[gone % seconds] = 0;
    current = at;
  }

  return {
    add(): void {
      forget();
      counts[current % seconds] += 1;
    },
    /** Events a second over the window, or since it began if that is shorter. */
    perSecond(): number {
      forget();
      const covered = Math.min(seconds, Math.max(1, (now() - began) / 1000));
      return counts.reduce((sum, count) => sum + count, 0) / covered;
    },
  };
}
