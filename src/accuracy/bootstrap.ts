/** What chance does to a figure: drawn anew, person by person. */
import { mulberry32 } from './seeded-weights.js';

/** Numbers in [0, 1), the same ones for the same seed. */
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

/** 95 %: so often the truth lies within, if the people measured are drawn from those it is to hold for. */
export interface Interval {
  low: number;
  high: number;
}

/** Draws; more of them move the ends of an interval by less than is printed. */
const DRAWS = 1000;
const SEED = 20260;

/**
 * The interval of a figure by bootstrap over units (people): pictures of one person are alike, so that drawing pairs
 * would make every figure look surer than it is (ISO/IEC 19795-1, annex B; Bolle, Ratha and Pankanti 2004).
 * @param units how many there are
 * @param figures the figures when unit u was drawn `weights[u]` times; NaN where a draw cannot tell
 * @returns an interval a figure; undefined where fewer than half of the draws told it
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
    const told = values.filter((value) => !Number.isNaN(value)).sort((a, b) => a - b);
    if (told.length < draws / 2) return undefined;
    const at = (part: number) => told[Math.round(part * (told.length - 1))];
    return { low: at(0.025), high: at(0.975) };
  });
}

/**
 * Where not one of n failed, drawing anew tells nothing: every draw has none, too. The rate then lies below 3 / n with 95 %
 * confidence (the rule of three: Hanley and Lippman-Hand, JAMA 1983; ISO/IEC 19795-1), n being what was tried
 * independently of one another.
 */
export function orRuleOfThree(
  interval: Interval | undefined,
  rate: number,
  tried: number,
): Interval | undefined {
  if (!interval || rate > 0 || tried === 0) return interval;
  return { low: 0, high: Math.max(interval.high, Math.min(1, 3 / tried)) };
}
