/** How near faces of strangers must be to be taken for one person's: each pack's own. */
import { distanceAt } from '../../identity/odds.js';
import type { ReadyPack } from '../../models/types.js';
import type { JoinLimits } from './cluster.js';

/** The FMR of the distance below which two single faces of strangers are one person's. */
export const JOIN_RATE = 1e-5;
/** How much farther two groups of very many faces may be on average. */
const SLACK = 1.05;

/**
 * Stricter than identification: a name that is wrong is read and forgotten, but a stranger who is in the wrong group stays
 * there. Where the pack was not measured, its distance for "sure".
 */
export function joinLimits({ curve, thresholds }: Pick<ReadyPack, 'curve' | 'thresholds'>): JoinLimits {
  const single = curve ? distanceAt(curve, JOIN_RATE) : thresholds.sure;
  return { single, many: single * SLACK };
}
