/** Verification, 1:1 (ISO/IEC 19795-1): is this picture of that person? */
import { bootstrap, createRandom, type Interval, orRuleOfThree } from './bootstrap.js';
import { distanceOf, type Faces, type Visitor } from './faces.js';
import { countBelow, ImpostorCounter, type Impostors } from './impostors.js';

/** False match rates that are reported. */
export const FMR_LEVELS = [1e-2, 1e-3, 1e-4, 1e-5] as const;
/** The fraction of the impostor pairs that are kept one by one: more than the largest level needs in any resample. */
const KEPT = 0.05;
/** With fewer pairs than this all are kept. */
const FEW = 200_000;
const SAMPLE = 100_000;
/** A level that fewer false matches than this would decide is not reported. */
const LEAST_PAIRS = 3;
/** Points of a DET curve per decade. */
const A_DECADE = 16;

/** Genuine pairs: two pictures of one person. */
export interface Genuine {
  /** Ascending. */
  readonly distances: Float64Array;
  /** The person of each pair: a unit of {@link Faces}. */
  readonly units: Int32Array;
}

/** The error rates at one threshold. */
export interface VerificationPoint {
  /** The level asked for; undefined for a given threshold. */
  level?: number;
  threshold: number;
  /** Fraction of the impostor pairs below it. */
  fmr: number;
  /** Fraction of the genuine pairs not below it. */
  fnmr: number;
  /** True accept rate: (1 - FTA)(1 - FNMR). */
  tar: number;
  /** 95 % intervals, by bootstrap over people. */
  fmrInterval?: Interval;
  fnmrInterval?: Interval;
  tarInterval?: Interval;
}

export interface Verification {
  pairs: { genuine: number; impostor: number };
  /** Failure to acquire: the fraction of all pictures in which no face was found. */
  fta: number;
  /** Equal error rate, where FMR and FNMR are the same; undefined without pairs of both kinds. */
  eer: number | undefined;
  /** At those of {@link FMR_LEVELS} for which there are enough pairs, then at the given thresholds. */
  points: VerificationPoint[];
  /** FMR ascending. */
  det: { fmr: number; fnmr: number }[];
}

/**
 * Gathers the pairs while {@link compareAll} goes through them. Two pictures of different people are compared once, one as
 * enrolled and one as a probe; two pictures of the same person are compared both ways.
 */
export function gatherPairs(faces: Faces): {
  visit: Visitor;
  finish: () => { genuine: Genuine; impostors: Impostors };
} {
  const { label, unit, people } = faces;
  const counter = new ImpostorCounter(cutFor(faces));
  const genuine: { distance: number; unit: number }[] = [];
  return {
    visit(probe, distances) {
      const own = label[probe];
      for (let row = 0; row < distances.length; row++) {
        if (label[row] !== own) {
          if (row < probe) counter.add(distances[row], row, probe);
        } else if (row !== probe && probe < people) {
          genuine.push({ distance: distances[row], unit: unit[probe] });
        }
      }
    },
    finish() {
      genuine.sort((a, b) => a.distance - b.distance);
      return {
        impostors: counter.finish(),
        genuine: {
          distances: Float64Array.from(genuine, ({ distance }) => distance),
          units: Int32Array.from(genuine, (pair) => pair.unit),
        },
      };
    },
  };
}

/** Roughly the distance below which {@link KEPT} of the impostor pairs are, estimated from a sample. */
function cutFor(faces: Faces): number {
  const { count, label } = faces;
  if ((count * (count - 1)) / 2 < FEW) return Infinity;
  const random = createRandom(count);
  const sample: number[] = [];
  for (let i = 0; i < SAMPLE; i++) {
    const [row, probe] = [Math.floor(random() * count), Math.floor(random() * count)];
    if (label[row] !== label[probe]) sample.push(distanceOf(faces, row, probe));
  }
  sample.sort((a, b) => a - b);
  return sample.at(Math.floor(KEPT * sample.length)) ?? Infinity;
}

/**
 * The error rates of gathered pairs.
 * @param thresholds reported besides the levels
 */
export function verify(
  faces: Faces,
  { genuine, impostors }: { genuine: Genuine; impostors: Impostors },
  thresholds: readonly number[] = [],
): Verification {
  const fta = faces.missing.length / Math.max(1, faces.count + faces.missing.length);
  const fnmrAt = (threshold: number) =>
    genuine.distances.length === 0
      ? NaN
      : 1 - countBelow(genuine.distances, threshold) / genuine.distances.length;
  const point = (threshold: number, level?: number): VerificationPoint => {
    const fnmr = fnmrAt(threshold);
    const fmr = impostors.rateBelow(threshold);
    return { ...(level !== undefined && { level }), threshold, fmr, fnmr, tar: (1 - fta) * (1 - fnmr) };
  };
  const told = FMR_LEVELS.flatMap((level) => {
    const threshold = level * impostors.pairs < LEAST_PAIRS ? undefined : impostors.distanceAt(level);
    return threshold === undefined ? [] : [point(threshold, level)];
  });
  const points = [...told, ...thresholds.map((threshold) => point(threshold))];
  addIntervals(points, faces, genuine, impostors, fta);
  return {
    pairs: { genuine: genuine.distances.length, impostor: impostors.pairs },
    fta,
    eer: equalErrorRate(genuine, impostors),
    points,
    det: detOf(impostors, fnmrAt),
  };
}

/** In each resample the threshold of a level is found again; a given threshold stays. */
function addIntervals(
  points: VerificationPoint[],
  faces: Faces,
  genuine: Genuine,
  impostors: Impostors,
  fta: number,
): void {
  if (points.length === 0 || genuine.distances.length === 0) return;
  const weigh = impostorWeights(faces, impostors);
  const intervals = bootstrap(faces.units, (weights) => {
    const drawn = weigh(weights);
    return points.flatMap(({ level, threshold }) => {
      const isGiven = level === undefined;
      const fnmr = weightedMisses(genuine, weights, isGiven ? threshold : drawn.distanceAt(level));
      return [isGiven ? drawn.rateBelow(threshold) : level, fnmr];
    });
  });
  const people = new Set(genuine.units).size;
  points.forEach((point, i) => {
    const fmr = orRuleOfThree(intervals.at(2 * i), point.fmr, impostors.pairs);
    const fnmr = orRuleOfThree(intervals.at(2 * i + 1), point.fnmr, people);
    if (fmr && point.level === undefined) point.fmrInterval = fmr;
    if (!fnmr) return;
    point.fnmrInterval = fnmr;
    point.tarInterval = { low: (1 - fta) * (1 - fnmr.high), high: (1 - fta) * (1 - fnmr.low) };
  });
}

function weightedMisses({ distances, units }: Genuine, weights: Int32Array, limit: number): number {
  const below = countBelow(distances, limit);
  let [all, missed] = [0, 0];
  for (let i = 0; i < units.length; i++) {
    const weight = weights[units[i]];
    all += weight;
    if (i >= below) missed += weight;
  }
  return all === 0 ? NaN : missed / all;
}

/**
 * The impostor pairs of a resample: a pair of two units counts as often as the product of their weights; a unit that was
 * drawn twice makes no pair with itself, since it is one person.
 */
function impostorWeights(
  { count, label, unit, units }: Faces,
  { complete, nearest, rows, probes }: Impostors,
) {
  const sizes = new Float64Array(units);
  const labels = new Int32Array(units);
  for (let row = 0; row < count; row++) {
    sizes[unit[row]] += 1;
    labels[unit[row]] = label[row];
  }
  const sums = new Float64Array(label.reduce((most, value) => Math.max(most, value + 1), 0));
  return (weights: Int32Array) => {
    sums.fill(0);
    let [all, alike] = [0, 0];
    for (let u = 0; u < units; u++) {
      all += weights[u] * sizes[u];
      sums[labels[u]] += weights[u] * sizes[u];
    }
    for (const sum of sums) alike += sum * sum;
    const pairs = (all * all - alike) / 2;
    const weightOf = (i: number) => weights[unit[rows[i]]] * weights[unit[probes[i]]];
    return {
      distanceAt(rate: number): number {
        const allowed = rate * pairs;
        let below = 0;
        for (let i = 0; i < nearest.length; i++) {
          below += weightOf(i);
          if (below > allowed) return nearest[i];
        }
        return nearest.at(-1) ?? 0;
      },
      /** NaN beyond the pairs that are kept one by one. */
      rateBelow(threshold: number): number {
        if (pairs === 0 || threshold > complete) return NaN;
        const end = countBelow(nearest, threshold);
        let below = 0;
        for (let i = 0; i < end; i++) below += weightOf(i);
        return below / pairs;
      },
    };
  };
}

function equalErrorRate({ distances }: Genuine, impostors: Impostors): number | undefined {
  if (distances.length === 0 || impostors.pairs === 0) return undefined;
  let [low, high] = [0, 4];
  for (let i = 0; i < 40; i++) {
    const middle = (low + high) / 2;
    const fnmr = 1 - countBelow(distances, middle) / distances.length;
    if (impostors.rateBelow(middle) < fnmr) low = middle;
    else high = middle;
  }
  return (impostors.rateBelow(high) + 1 - countBelow(distances, high) / distances.length) / 2;
}

/** The DET curve on a logarithmic grid of the FMR, from one pair to all. */
function detOf(impostors: Impostors, fnmrAt: (threshold: number) => number): Verification['det'] {
  const decades = Math.log10(Math.max(1, impostors.pairs));
  const det: Verification['det'] = [];
  for (let i = Math.ceil(decades * A_DECADE); i >= 0; i--) {
    const fmr = 10 ** (-i / A_DECADE);
    const threshold = impostors.distanceAt(fmr);
    if (threshold === undefined) continue;
    const fnmr = fnmrAt(threshold);
    if (!Number.isNaN(fnmr)) det.push({ fmr, fnmr });
  }
  return det;
}
