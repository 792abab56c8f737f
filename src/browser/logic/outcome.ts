/** How many faces fell into each step of distance, from 0 to {@link FARTHEST}. */
export type Histogram = readonly number[];

/** The squared L2 distance of opposite unit vectors. */
export const FARTHEST = 4;

/** Every enrolled picture, left out in turn and looked for among the others; see src/checkup/types.ts. */
export interface Tally {
  same: Histogram;
  different: Histogram;
  wrong: Histogram;
  right: Histogram;
}

/** What would become of the pictures at a threshold. */
export interface Outcome {
  /** Pictures of people who have others. */
  own: number;
  /** Of those: given somebody else's name. */
  wrong: number;
  /** Given no name. */
  missed: number;
  /** Pictures for which somebody else is enrolled. */
  strangers: number;
  /** Of those: given a name if their own person were not enrolled. */
  named: number;
}

/** @param threshold squared L2; rounded to a step */
export function outcomeAt({ same, different, wrong, right }: Tally, threshold: number): Outcome {
  const below = stepsBelow(same.length, threshold);
  const own = sum(same);
  const wrongNames = sum(wrong, below);
  return {
    own,
    wrong: wrongNames,
    missed: own - wrongNames - sum(right, below),
    strangers: sum(different),
    named: sum(different, below),
  };
}

const stepsBelow = (steps: number, threshold: number) => Math.round((threshold / FARTHEST) * steps);

function sum(histogram: Histogram, end = histogram.length): number {
  let all = 0;
  for (let i = 0; i < end; i++) all += histogram[i];
  return all;
}

/** How many of a thousand: a whole number, or a digit more where that would be 0. */
export function perThousand(part: number, whole: number): number {
  if (whole === 0) return 0;
  const exact = (1000 * part) / whole;
  return exact >= 1 || exact === 0 ? Math.round(exact) : Math.max(0.1, Math.round(exact * 10) / 10);
}
