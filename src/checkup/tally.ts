import { FARTHEST, type Histogram, STEPS, type Tally } from './types.js';

export const emptyTally = (): Tally => ({
  same: empty(),
  different: empty(),
  wrong: empty(),
  right: empty(),
});

const empty = (): Histogram => new Array<number>(STEPS).fill(0);

const stepOf = (distance: number): number =>
  Math.min(STEPS - 1, Math.max(0, Math.floor((distance / FARTHEST) * STEPS)));

/**
 * Counts a picture.
 * @param own squared L2 to the person's nearest other picture; undefined: there is none
 * @param other to the nearest of anybody else; undefined: there is nobody
 */
export function count(tally: Tally, own: number | undefined, other: number | undefined): void {
  if (other !== undefined) tally.different[stepOf(other)] += 1;
  if (own === undefined) return;
  tally.same[stepOf(own)] += 1;
  if (other !== undefined && other < own) tally.wrong[stepOf(other)] += 1;
  else tally.right[stepOf(own)] += 1;
}
