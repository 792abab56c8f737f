/** Confidence intervals by resampling people. */
import { mulberry32 } from './seeded-weights.js';

/** Random numbers in [0, 1), the same for the same seed. */
export function createRandom(seed: number): () => number {
  let drawn = 0;
  return () => mulberry32(seed, drawn++);
}

/** The first `wanted` of a seeded shuffle. @returns a new array */
export function drawSome<T>(items: readonly T[], wanted: number, random: () => number): T[] {
  const left = [...items];
  const most = Math.min(wanted, left.length);
  for (let i = 0; i < most; i++) {
    const other = i + Math.floor(random() * (left.length - i));
    [left[i], left[other]] = [left[other], left[i]];
  }
  return left.slice(0, most);
}

/** A 95 % confidence interval, provided that the people measured are a random sample of those whom it is to hold for. */
export interface Interval {
  low: number;
  high: number;
}

/** More resamples would move the ends of an interval by less than is printed. */
const DRAWS = 1000;
const SEED = 20260;

/**
 * The intervals of figures by bootstrap over units (people). Pictures of one person resemble each other, so that drawing
 * pairs would give intervals that are too narrow (ISO/IEC 19795-1, annex B; Bolle, Ratha and Pankanti 2004).
 * @param units number of units
 * @param figures computes the figures when unit u was drawn `weights[u]` times; NaN where a draw has no such figure
 * @returns one interval per figure; undefined where fewer than half of the draws have the figure
 */
export function bootstrap(
  units: number,
  figures: (weights: Int32Array) => readonly number[],
  draws = DRAWS,
): (Interval | undefined)[] {
  const random = createRandom(SEED);
  const weights = new Int32Array(units);
  const drawn: number[][] = [];
  for (let draw = 0; draw < draws; draw++) {
    weights.fill(0);
    for (let i = 0; i < units; i++) weights[Math.floor(random() * units)] += 1;
    figures(weights).forEach((figure, i) => {
      (drawn[i] ??= []).push(figure);
    });
  }
  return drawn.map((values) => {
    const known = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
    if (known.length < draws / 2) return undefined;
    const quantile = (q: number) => known[Math.round(q * (known.length - 1))];
    return { low: quantile(0.025), high: quantile(0.975) };
  });
}

/**
 * Where not one of n trials failed, resampling tells nothing, because no resample has a failure either. The rate is then
 * below 3 / n with 95 % confidence (the rule of three: Hanley and Lippman-Hand, JAMA 1983; ISO/IEC 19795-1), where n counts
 * independent trials.
 */
export function orRuleOfThree(
  interval: Interval | undefined,
  rate: number,
  tried: number,
): Interval | undefined {
  if (!interval || rate > 0 || tried === 0) return interval;
  return { low: 0, high: Math.max(interval.high, Math.min(1, 3 / tried)) };
}
