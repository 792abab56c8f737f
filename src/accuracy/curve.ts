/** A pack's measured curve, in the form of src/models/packs/curves.ts and of a manifest. */
import type { Curve, Thresholds } from '../models/types.js';
import type { Impostors } from './impostors.js';

const LARGEST_RATE = 0.1;
const POINTS_PER_DECADE = 8;
/**
 * Each point of the curve rests on at least this many false matches: its rate is then within 30 % of the truth with 90 %
 * confidence (the rule of 30: Doddington et al., The NIST speaker recognition evaluation, 2000). Below that a curve is
 * extrapolated conservatively (identity/odds.ts): the nearest few pairs of a set are often two pictures of one person.
 */
const MIN_FALSE_MATCHES = 30;
/** With fewer pairs there is hardly a curve. */
const MIN_PAIRS = 1000;

/**
 * FMR against distance on a logarithmic grid, from 0.1 down to the rate of 30 pairs.
 * @param source what was measured, by which command
 * @returns undefined with fewer than a thousand pairs
 */
export function curveOf(impostors: Impostors, source: string): Curve | undefined {
  const { pairs } = impostors;
  if (pairs < MIN_PAIRS) return undefined;
  const smallest = MIN_FALSE_MATCHES / pairs;
  const points: [number, number][] = [];
  const decades = Math.log10(LARGEST_RATE / smallest);
  const steps = Math.max(1, Math.round(decades * POINTS_PER_DECADE));
  for (let i = steps; i >= 0; i--) {
    const rate = LARGEST_RATE * 10 ** ((-decades * i) / steps);
    const distance = rounded(impostors.distanceAt(rate) ?? 0, 6);
    // Two people with identical embeddings are one person, or the network answers a constant.
    if (distance === 0) continue;
    const last = points.at(-1);
    // Both must ascend: where several rates have the same distance, the largest one holds.
    if (last?.[0] === distance) last[1] = rounded(rate, 4);
    else points.push([distance, rounded(rate, 4)]);
  }
  return { pairs, source, points };
}

/** Fixed thresholds from these pairs: `identical` at FMR 1e-3, `sure` a fifth below the nearest pair; in steps of 0.005. */
export function proposeThresholds(impostors: Impostors): Thresholds | undefined {
  const at = impostors.distanceAt(1e-3) ?? impostors.nearest.at(0);
  if (at === undefined) return undefined;
  const inSteps = (distance: number) => Math.floor(distance * 200) / 200;
  const identical = inSteps(at);
  return { identical, sure: Math.min(identical, inSteps(0.8 * (impostors.nearest.at(0) ?? 0))) };
}

const rounded = (value: number, digits: number) => Number(value.toPrecision(digits));
