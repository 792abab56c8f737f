/** A pack's measured curve, as src/models/packs/curves.ts and a manifest carry it. */
import type { Curve, Thresholds } from '../models/types.js';
import type { Impostors } from './impostors.js';

const LARGEST_RATE = 0.1;
const A_DECADE = 8;
/**
 * A point of the curve has at least so many false matches behind it: then its rate is right to 30 % with 90 % confidence
 * (the rule of 30: Doddington et al., The NIST speaker recognition evaluation, 2000). Below, a curve is continued, on the
 * careful side (recognition/odds.ts); the nearest few pairs of a set are often two pictures of one person.
 */
const PAIRS_A_POINT = 30;
/** With fewer there is hardly a curve to draw. */
const FEWEST_PAIRS = 1000;

/**
 * FMR against distance on a logarithmic grid from 0.1 down to 30 pairs of all.
 * @param source what was measured, by which command
 * @returns undefined with fewer than a thousand pairs
 */
export function curveOf(impostors: Impostors, source: string): Curve | undefined {
  const { pairs } = impostors;
  if (pairs < FEWEST_PAIRS) return undefined;
  const smallest = PAIRS_A_POINT / pairs;
  const points: [number, number][] = [];
  const decades = Math.log10(LARGEST_RATE / smallest);
  const steps = Math.max(1, Math.round(decades * A_DECADE));
  for (let i = steps; i >= 0; i--) {
    const rate = LARGEST_RATE * 10 ** ((-decades * i) / steps);
    const distance = rounded(impostors.distanceAt(rate) ?? 0, 6);
    // Two people at the very same point are one, or a network that answers a constant.
    if (distance === 0) continue;
    const last = points.at(-1);
    // Both must ascend: where several rates end at one distance, the largest is true of it.
    if (last?.[0] === distance) last[1] = rounded(rate, 4);
    else points.push([distance, rounded(rate, 4)]);
  }
  return { pairs, source, points };
}

/** Fixed thresholds by these pairs: `identical` at FMR 1e-3, `sure` a fifth below the nearest pair; in steps of 0.005. */
export function proposeThresholds(impostors: Impostors): Thresholds | undefined {
  const at = impostors.distanceAt(1e-3) ?? impostors.nearest.at(0);
  if (at === undefined) return undefined;
  const inSteps = (distance: number) => Math.floor(distance * 200) / 200;
  const identical = inSteps(at);
  return { identical, sure: Math.min(identical, inSteps(0.8 * (impostors.nearest.at(0) ?? 0))) };
}

const rounded = (value: number, digits: number) => Number(value.toPrecision(digits));
