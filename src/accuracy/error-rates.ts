/** Identification error rates: FPIR and FNIR of searches, at given rates and at given thresholds. */
import { bootstrap, type Interval, orRuleOfThree } from './bootstrap.js';
import { countBelow } from './impostors.js';
import { type GallerySize, type Reference, REFERENCES, type Searches } from './identification.js';

/** False positive identification rates that are reported. */
export const FPIR_LEVELS = [0.001, 0.01, 0.05] as const;
const POINTS_PER_DECADE = 16;
/** A level is reported only if it stands for at least this many people. */
const MIN_PEOPLE = 0.5;

/** The error rates at one threshold. */
export interface IdentificationPoint {
  /** The FPIR asked for; undefined for a given threshold. */
  level?: number;
  threshold: number;
  /** Fraction of the searches for people who are not enrolled that name somebody. */
  fpir: number;
  /** Fraction of the searches for enrolled people that do not name them: too far, another one nearer, or no face found. */
  fnir: number;
  /** Fraction of the searches for enrolled people that name somebody else. */
  misnamed: number;
  fpirInterval?: Interval;
  fnirInterval?: Interval;
}

/** One gallery size with one reference. */
export interface Identification {
  size: GallerySize;
  reference: Reference;
  /** The searches in all galleries together, and how many different people they are for. */
  nonMated: { searches: number; people: number };
  mated: { searches: number; people: number };
  points: IdentificationPoint[];
  det: { fpir: number; fnir: number }[];
}

/**
 * The error rates of the searches.
 * @param units number of units, see Faces
 * @param thresholds reported besides the levels
 */
export function identificationOf(
  searches: Searches,
  reference: Reference,
  units: number,
  thresholds: readonly number[] = [],
): Identification {
  const { size } = searches;
  const trial = arrange(searches, REFERENCES.indexOf(reference));
  const points: IdentificationPoint[] = [
    ...FPIR_LEVELS.filter((level) => level * differentPeople(trial.strangers.units) >= MIN_PEOPLE).map(
      (level) => ({ level, ...rates(trial, thresholdAt(trial, level)) }),
    ),
    ...thresholds.map((threshold) => rates(trial, threshold)),
  ];
  const hasBoth = trial.strangers.distances.length > 0 && trial.people.length > 0;
  if (hasBoth) addIntervals(points, trial, units);
  return {
    size,
    reference,
    nonMated: { searches: trial.strangers.units.length, people: differentPeople(trial.strangers.units) },
    mated: { searches: trial.people.length, people: differentPeople(trial.people.map(({ unit }) => unit)) },
    points: hasBoth ? points : [],
    det: hasBoth ? detOf(trial) : [],
  };
}

const differentPeople = (units: Iterable<number>) => new Set(units).size;

interface Trial {
  /** Distances to the nearest person, ascending, and the unit that each search was for. */
  strangers: { distances: Float64Array; units: Int32Array };
  /** Distance to the right person, and to the nearest other one. */
  people: readonly { unit: number; own: number; other: number }[];
}

function arrange({ nonMated, mated }: Searches, column: number): Trial {
  const distances = nonMated.distances[column];
  const order = Array.from(distances.keys()).sort((a, b) => distances[a] - distances[b]);
  return {
    strangers: {
      distances: Float64Array.from(order, (i) => distances[i]),
      units: Int32Array.from(order, (i) => nonMated.units[i]),
    },
    people: Array.from(mated.units, (unit, i) => ({
      unit,
      own: mated.own[column][i],
      other: mated.other[column][i],
    })),
  };
}

/** The largest threshold whose FPIR is not above `level`. */
function thresholdAt({ strangers: { distances } }: Trial, level: number): number {
  if (distances.length === 0) return 0;
  return distances[Math.min(distances.length - 1, Math.floor(level * distances.length + 1e-9))];
}

const isNamed = (threshold: number) => (one: { own: number; other: number }) =>
  one.own < threshold && one.own <= one.other;

function rates(trial: Trial, threshold: number): IdentificationPoint {
  const { strangers, people } = trial;
  const fraction = (count: number, of: number) => (of === 0 ? NaN : count / of);
  const missed = people.length - people.filter(isNamed(threshold)).length;
  const misnamed = people.filter(({ own, other }) => other < threshold && other < own).length;
  return {
    threshold,
    fpir: fraction(countBelow(strangers.distances, threshold), strangers.distances.length),
    fnir: fraction(missed, people.length),
    misnamed: fraction(misnamed, people.length),
  };
}

function addIntervals(points: IdentificationPoint[], { strangers, people }: Trial, units: number): void {
  const searchesOf = new Float64Array(units);
  for (const unit of strangers.units) searchesOf[unit] += 1;
  const { distances } = strangers;

  /** The FPIR of a resample at a threshold, and the threshold of a FPIR. */
  function resample(weights: Int32Array) {
    const all = weights.reduce((sum, weight, unit) => sum + weight * searchesOf[unit], 0);
    return {
      thresholdAt(level: number): number {
        let below = 0;
        for (let i = 0; i < distances.length; i++) {
          below += weights[strangers.units[i]];
          if (below > level * all) return distances[i];
        }
        return distances.at(-1) ?? 0;
      },
      rateBelow(threshold: number): number {
        const end = countBelow(distances, threshold);
        let below = 0;
        for (let i = 0; i < end; i++) below += weights[strangers.units[i]];
        return all === 0 ? NaN : below / all;
      },
    };
  }

  function missed(weights: Int32Array, threshold: number): number {
    const named = isNamed(threshold);
    let all = 0;
    let misses = 0;
    for (const one of people) {
      const weight = weights[one.unit];
      all += weight;
      if (!named(one)) misses += weight;
    }
    return all === 0 ? NaN : misses / all;
  }

  const intervals = bootstrap(units, (weights) => {
    const drawn = resample(weights);
    return points.flatMap(({ level, threshold }) =>
      level === undefined
        ? [drawn.rateBelow(threshold), missed(weights, threshold)]
        : [level, missed(weights, drawn.thresholdAt(level))],
    );
  });
  points.forEach((point, i) => {
    const fpir = orRuleOfThree(intervals.at(2 * i), point.fpir, differentPeople(strangers.units));
    const fnir = orRuleOfThree(
      intervals.at(2 * i + 1),
      point.fnir,
      differentPeople(people.map(({ unit }) => unit)),
    );
    if (fpir && point.level === undefined) point.fpirInterval = fpir;
    if (fnir) point.fnirInterval = fnir;
  });
}

/** The DET curve on a logarithmic grid of the FPIR, from one search to all. */
function detOf(trial: Trial): Identification['det'] {
  const decades = Math.log10(trial.strangers.distances.length);
  const det: Identification['det'] = [];
  for (let i = Math.ceil(decades * POINTS_PER_DECADE); i >= 0; i--) {
    const level = 10 ** (-i / POINTS_PER_DECADE);
    const { fpir, fnir } = rates(trial, thresholdAt(trial, level));
    if (fpir > 0 && fpir !== det.at(-1)?.fpir) det.push({ fpir, fnir });
  }
  return det;
}
