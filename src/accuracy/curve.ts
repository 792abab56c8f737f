/** A pack's measured curve, as src/models/curves.ts and a manifest carry it. */
import type { Curve, Thresholds } from '../models/types.js';
import type { Impostors } from './impostors.js';

const LARGEST_RATE = 0.1;
const A_DECADE = 8;
/** A rate of which fewer pairs than this tell nothing but chance. */
const PAIRS_A_POINT = 3;

/**
 * FMR against distance on a logarithmic grid from 0.1 down to 3 pairs of all.
 * @param source what was measured, by which command
 * @returns undefined with fewer than a hundred pairs
 */
export function curveOf(impostors: Impostors, source: string): Curve | undefined {
  const { pairs } = impostors;
  if (pairs < 100) return undefined;
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
