/** How near faces of strangers must be to be taken for one person's: each pack's own. */
import { distanceAt, falseMatchRateFor } from '../../identity/odds.js';
import type { ReadyPack } from '../../models/types.js';
import type { JoinLimits } from './cluster.js';

/** What of a pack decides. */
export type Measured = Pick<ReadyPack, 'curve' | 'thresholds'>;

/**
 * The FMR of the distance below which two single faces of strangers are one person's, at most: a twelfth of the loosest at
 * which a face is named, because a wrong name is gone with the next frame, but a face in a wrong group stays there. These
 * figures were chosen on one half of the people that docs/unknowns.md tells of.
 */
export const JOIN_RATE = 8e-5;
/** At most this part of the strangers who come for the first time are taken for another, however many there are. */
export const FALSE_JOINS = 0.008;
/** The mean distance of very many faces scatters less than one distance does: it may be the one of a rate so much higher. */
const MANY = 5;
/** The same where the pack was not measured: so much farther. */
const FARTHER = 1.1;

/**
 * The limits among so many groups. Where the pack was not measured they follow from its distance for "sure", however many
 * there are.
 */
export function joinLimits({ curve, thresholds }: Measured, groups: number): JoinLimits {
  if (!curve) return { single: thresholds.sure, many: thresholds.sure * FARTHER };
  const rate = Math.min(JOIN_RATE, falseMatchRateFor(FALSE_JOINS, Math.max(1, groups)));
  return { single: distanceAt(curve, rate), many: distanceAt(curve, MANY * rate) };
}
