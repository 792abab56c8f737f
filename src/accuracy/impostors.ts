/** The distances between different people: all of them counted, the nearest kept one by one. */

/** Steps of the counted distances, 0 to 4. */
const STEPS = 1 << 16;
const STEP = 4 / STEPS;

/** Pairs of different people that lie nearest, ascending, and what is known of the others. */
export interface Impostors {
  /** Pairs in all. */
  readonly pairs: number;
  /** Up to this distance every pair is in `nearest`; Infinity: all are. */
  readonly complete: number;
  /** Distances of the nearest, ascending. */
  readonly nearest: Float64Array;
  /** Rows of each of those: the enrolled one and the probe. */
  readonly rows: Int32Array;
  readonly probes: Int32Array;
  /** The part of the pairs that is below a distance (FMR), 0 to 1. */
  rateBelow(distance: number): number;
  /**
   * The largest distance at which the rate is not above `rate`.
   * @returns undefined where there are too few pairs to tell: not one would be below it
   */
  distanceAt(rate: number): number | undefined;
}

/** Gathers impostor pairs; those above `cut` are only counted, to steps of 0.00006. */
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

  /** No more pairs come. */
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
        // Rates such as 0.001 times 3,000 pairs come out a hair under the whole number.
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

/** @param sorted ascending */
export function countBelow(sorted: Float64Array, limit: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < limit) low = middle + 1;
    else high = middle;
  }
  return low;
}
