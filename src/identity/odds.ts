/**
 * How rare a distance is among strangers: pure functions of a pack's measured curve. Distances are squared L2 of unit
 * vectors, 0 to 4. Rates are shares, 0 to 1: the FMR (false match rate, of one comparison of two people) and the FPIR
 * (false positive identification rate, of a search through a gallery), as ISO/IEC 19795-1 and NIST's FRTE name them.
 */
import type { Curve } from '../models/types.js';

/** The distance of opposite unit vectors. */
const FARTHEST = 4;

/** How many strangers would come as near; see {@link oddsAt}. */
export interface Odds {
  /** How many of a million strangers would come as near to somebody in the gallery; three digits. */
  readonly perMillion: number;
  /** `perMillion` is an upper bound: the curve has too few pairs to tell. */
  readonly atMost: boolean;
}

/**
 * The lowest FMR that a curve can prove. Where none of n pairs came as near, the rate lies below 3 / n with 95 %
 * confidence (the rule of three: Hanley and Lippman-Hand, JAMA 1983; ISO/IEC 19795-1).
 */
export function leastRate({ pairs }: Pick<Curve, 'pairs'>): number {
  return Math.min(1, 3 / pairs);
}

/**
 * The FMR at a distance. Between the measured points log10 of the rate is interpolated. Outside of them the curve is
 * extrapolated so that a rate is too high rather than too low: downwards along the flattest line from its first point to
 * one at least ten times as frequent, upwards along the steepest such line. 0 at distance 0, strictly rising up to 1.
 */
export function rateAt({ points }: Pick<Curve, 'points'>, distance: number): number {
  const [first, last] = [points[0], points[points.length - 1]];
  if (!(distance > 0)) return 0;
  if (distance < first[0]) {
    // The last factor makes it 0 at distance 0, where the line does not end.
    return first[1] * 10 ** ((distance - first[0]) / spanBelow(points)) * (distance / first[0]);
  }
  if (distance >= last[0]) return Math.min(1, last[1] * 10 ** ((distance - last[0]) / spanAbove(points)));
  const i = points.findIndex(([at]) => at > distance);
  const [[d0, r0], [d1, r1]] = [points[i - 1], points[i]];
  return r0 * (r1 / r0) ** ((distance - d0) / (d1 - d0));
}

/** The distance below which the FMR is under `rate`: the inverse of {@link rateAt}, 0 to 4. */
export function distanceAt(curve: Pick<Curve, 'points'>, rate: number): number {
  const { points } = curve;
  const [first, last] = [points[0], points[points.length - 1]];
  if (!(rate > 0)) return 0;
  if (rate >= 1) return FARTHEST;
  if (rate < first[1]) return tailDistance(curve, rate);
  if (rate >= last[1]) {
    return Math.min(FARTHEST, last[0] + spanAbove(points) * Math.log10(rate / last[1]));
  }
  const i = points.findIndex(([, at]) => at > rate);
  const [[d0, r0], [d1, r1]] = [points[i - 1], points[i]];
  return d0 + (d1 - d0) * (Math.log(rate / r0) / Math.log(r1 / r0));
}

/** Below the first point the inverse has no closed form: bisected to the precision of a float64. */
function tailDistance(curve: Pick<Curve, 'points'>, rate: number): number {
  let [low, high] = [0, curve.points[0][0]];
  for (let middle = high / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (rateAt(curve, middle) <= rate) low = middle;
    else high = middle;
  }
  return low;
}

/** Distance per decade of the rate, on the flattest line from the first point to one ten times as frequent, or to the last. */
function spanBelow(points: Curve['points']): number {
  const [d1, r1] = points[0];
  const far = points.filter(([, rate]) => rate >= 10 * r1);
  const to = far.length > 0 ? far : points.slice(-1);
  return Math.max(...to.map(([distance, rate]) => (distance - d1) / Math.log10(rate / r1)));
}

/** As {@link spanBelow}, from the last point: the steepest line. */
function spanAbove(points: Curve['points']): number {
  const [dn, rn] = points[points.length - 1];
  const far = points.filter(([, rate]) => rate <= rn / 10);
  const to = far.length > 0 ? far : points.slice(0, 1);
  return Math.min(...to.map(([distance, rate]) => (dn - distance) / Math.log10(rn / rate)));
}

/**
 * FPIR = 1 - (1 - FMR)^faces: the share of strangers who come nearer than a distance to somebody.
 * @param faces how many are searched
 */
export function falsePositiveRate(falseMatchRate: number, faces: number): number {
  if (faces <= 0) return 0;
  // As 1 - (1 - 1e-9) ** 3 it would lose half of its digits.
  return -Math.expm1(faces * Math.log1p(-Math.min(1, falseMatchRate)));
}

/** The FMR that gives an FPIR among so many faces: the inverse of {@link falsePositiveRate}. @param faces 1 or more */
export function falseMatchRateFor(falsePositives: number, faces: number): number {
  return -Math.expm1(Math.log1p(-Math.min(1, falsePositives)) / faces);
}

/** The FMR at a distance, or the lowest one that the curve can prove. */
export function toldRateAt(curve: Curve, distance: number): { rate: number; atMost: boolean } {
  const rate = rateAt(curve, distance);
  const least = leastRate(curve);
  return { rate: Math.max(rate, least), atMost: rate < least };
}

/**
 * How many of a million strangers would come as near as `distance` to somebody in a gallery of so many faces, but no fewer
 * than {@link leastRate} allows.
 */
export function oddsAt(curve: Curve, distance: number, faces: number): Odds {
  const { rate, atMost } = toldRateAt(curve, distance);
  return { perMillion: toDigits(1e6 * falsePositiveRate(rate, faces), 3), atMost };
}

/** Odds as every surface answers them. */
export function tellOdds(odds: Odds | undefined): { odds: number | null; oddsAtMost: boolean } {
  return { odds: odds?.perMillion ?? null, oddsAtMost: odds?.atMost ?? false };
}

/** Rounds to so many significant digits: more would suggest a precision that was not measured. */
export const toDigits = (value: number, digits: number): number => Number(value.toPrecision(digits));
