/**
 * How rare a distance is among strangers: pure functions over a pack's measured curve. Distances are squared L2 of unit
 * vectors, 0 to 4. Rates are parts, 0 to 1: the FMR (false match rate, of one comparison of two people) and the FPIR
 * (false positive identification rate, of a search through a gallery), as ISO/IEC 19795-1 and NIST's FRTE name them.
 */
import type { Curve } from '../models/types.js';

/** Opposite unit vectors lie so far apart. */
const FARTHEST = 4;

/** How many strangers would come as near; see {@link oddsAt}. */
export interface Odds {
  /** Of a million strangers so many would come as near to somebody in the gallery; three digits. */
  readonly perMillion: number;
  /** The curve's pairs can tell no more: it is so many or fewer. */
  readonly atMost: boolean;
}

/**
 * The lowest FMR that a curve can vouch for. Where none of n pairs came as near, the rate lies below 3 / n with 95 %
 * confidence (the rule of three: Hanley and Lippman-Hand, JAMA 1983; ISO/IEC 19795-1).
 */
export function leastRate({ pairs }: Pick<Curve, 'pairs'>): number {
  return Math.min(1, 3 / pairs);
}

/**
 * The FMR at a distance: between the measured points log10 of the rate is interpolated. Outside of them the curve goes
 * on as carefully as it itself allows: downwards on the flattest line that joins its first point to one at least ten
 * times as frequent, upwards on the steepest of the kind; so a rate is rather told too high. At distance 0 it is 0.
 * Strictly rising until it is 1.
 */
export function rateAt({ points }: Pick<Curve, 'points'>, distance: number): number {
  const [first, last] = [points[0], points[points.length - 1]];
  if (!(distance > 0)) return 0;
  if (distance < first[0]) {
    // The line alone would leave two people at the very same point.
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

/** Below the first point the rate has no inverse in plain terms: halved until a float64 is told from its neighbour. */
function tailDistance(curve: Pick<Curve, 'points'>, rate: number): number {
  let [low, high] = [0, curve.points[0][0]];
  for (let middle = high / 2; middle > low && middle < high; middle = (low + high) / 2) {
    if (rateAt(curve, middle) <= rate) low = middle;
    else high = middle;
  }
  return low;
}

/** Distance a decade of the rate on the flattest line from the first point to one ten times as frequent, or to the last. */
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
 * FPIR = 1 - (1 - FMR)^faces: the part of strangers who come nearer than a distance to somebody.
 * @param faces so many are searched
 */
export function falsePositiveRate(falseMatchRate: number, faces: number): number {
  if (faces <= 0) return 0;
  // 1 - (1 - 1e-9) ** 3 would have lost half of its digits.
  return -Math.expm1(faces * Math.log1p(-Math.min(1, falseMatchRate)));
}

/** The FMR that gives an FPIR among so many faces: the inverse of {@link falsePositiveRate}. @param faces 1 or more */
export function falseMatchRateFor(falsePositives: number, faces: number): number {
  return -Math.expm1(Math.log1p(-Math.min(1, falsePositives)) / faces);
}

/** The FMR of a distance as far as the curve can vouch for it. */
export function toldRateAt(curve: Curve, distance: number): { rate: number; atMost: boolean } {
  const rate = rateAt(curve, distance);
  const least = leastRate(curve);
  return { rate: Math.max(rate, least), atMost: rate < least };
}

/**
 * How many of a million strangers would come as near as `distance` to somebody in a gallery of so many faces. Never
 * better than {@link leastRate} allows.
 */
export function oddsAt(curve: Curve, distance: number, faces: number): Odds {
  const { rate, atMost } = toldRateAt(curve, distance);
  return { perMillion: toDigits(1e6 * falsePositiveRate(rate, faces), 3), atMost };
}

/** Odds as every surface answers them. */
export function tellOdds(odds: Odds | undefined): { odds: number | null; oddsAtMost: boolean } {
  return { odds: odds?.perMillion ?? null, oddsAtMost: odds?.atMost ?? false };
}

/** A number cut to so many digits: more of them would promise what no measurement holds. */
export const toDigits = (value: number, digits: number): number => Number(value.toPrecision(digits));
