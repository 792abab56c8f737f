/** Distances between different people: all are counted, and the nearest are kept one by one. */

/** Bins of the histogram of distances, from 0 to 4. */
const STEPS = 1 << 16;
const STEP = 4 / STEPS;

/** The nearest impostor pairs (pairs of different people), and the counts of the others. */
export interface Impostors {
  /** Number of all pairs. */
  readonly pairs: number;
  /** Every pair up to this distance is in `nearest`; Infinity: all pairs are. */
  readonly complete: number;
  /** Distances of the nearest, ascending. */
  readonly nearest: Float64Array;
  /** For each of `nearest`, the row that is enrolled and the row of the probe. */
  readonly rows: Int32Array;
  readonly probes: Int32Array;
  /** The fraction of the pairs below a distance (the FMR), 0 to 1. */
  rateBelow(distance: number): number;
  /**
   * The largest distance at which the rate is not above `rate`.
   * @returns undefined where there are too few pairs: not one would be below it
   */
  distanceAt(rate: number): number | undefined;
}

/** Gathers impostor pairs; those farther than `cut` are only counted, in bins of 0.00006. */
export class ImpostorCounter {
  readonly #cut: number;
  readonly #counts = new Float64Array(STEPS);
  #pairs = 0;
  #size = 0;
  #distances = new Float32Array(1024);
  #rows = new Int32Array(1024);
  #probes = new Int32Array(1024);

  constructor(cut: number) {
    this.#cut = cut;
  }

  add(distance: number, row: number, probe: number): void {
    this.#pairs += 1;
    this.#counts[Math.min(STEPS - 1, Math.floor(distance / STEP))] += 1;
    if (distance >= this.#cut) return;
    if (this.#size === this.#distances.length) this.#grow();
    this.#distances[this.#size] = distance;
    this.#rows[this.#size] = row;
    this.#probes[this.#size] = probe;
    this.#size += 1;
  }

  #grow(): void {
    const larger = <T extends Float32Array | Int32Array>(into: T, from: T): T => (into.set(from), into);
    const size = this.#size * 2;
    this.#distances = larger(new Float32Array(size), this.#distances);
    this.#rows = larger(new Int32Array(size), this.#rows);
    this.#probes = larger(new Int32Array(size), this.#probes);
  }

  /** Call once, after the last pair. */
  finish(): Impostors {
    const order = Uint32Array.from({ length: this.#size }, (_, i) => i);
    const distances = this.#distances;
    order.sort((a, b) => distances[a] - distances[b]);
    const nearest = Float64Array.from(order, (i) => distances[i]);
    const counts = this.#counts;
    const pairs = this.#pairs;
    const cut = this.#cut;
    return {
      pairs,
      complete: cut,
      nearest,
      rows: Int32Array.from(order, (i) => this.#rows[i]),
      probes: Int32Array.from(order, (i) => this.#probes[i]),
      rateBelow(distance) {
        if (pairs === 0) return 0;
        if (distance <= cut) return countBelow(nearest, distance) / pairs;
        let below = 0;
        const steps = Math.min(STEPS, Math.round(distance / STEP));
        for (let i = 0; i < steps; i++) below += counts[i];
        return below / pairs;
      },
      distanceAt(rate) {
        // 0.001 times 3,000 pairs, for example, is a trifle below 3 in floating point.
        const allowed = Math.floor(rate * pairs + 1e-9);
        if (allowed < 1) return undefined;
        if (allowed < nearest.length) return nearest[allowed];
        let below = 0;
        for (let i = 0; i < STEPS; i++) {
          below += counts[i];
          if (below > allowed) return i * STEP;
        }
        return 4;
      },
    };
  }
}

/** How many values are below a limit. @param sorted ascending */
export function countBelow(sorted: Float64Array, limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
