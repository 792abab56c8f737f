import type { Vote } from './types.js';

/**
 * The part of a visit's weight that a name must have. A stranger is named in one search of a hundred at most (FALSE_NAMES),
 * so a single frame of a long visit must not name one; a person at a bad camera is named in far more than a fifth.
 */
export const LEAST_SHARE = 0.2;

/**
 * Who was seen, by the frames' votes, each weighing as much as the face was large: a near face is told apart better.
 * Whoever has most is named; a tie names nobody.
 * @param nobody the weight of the fit faces that had no name
 */
export function winnerOf(votes: readonly Vote[], nobody: number): Vote | undefined {
  let best: Vote | undefined;
  let second: Vote | undefined;
  let all = nobody;
  for (const vote of votes) {
    all += vote.weight;
    if (!best || vote.weight > best.weight) [best, second] = [vote, best];
    else if (!second || vote.weight > second.weight) second = vote;
  }
  if (!best || best.weight === second?.weight || best.weight < LEAST_SHARE * all) return undefined;
  return best;
}

/** Adds one vote to the others, which it changes. */
export function addVote(votes: Vote[], vote: Vote): void {
  const same = votes.find(({ faceid }) => faceid === vote.faceid);
  if (!same) {
    votes.push({ ...vote });
    return;
  }
  same.weight += vote.weight;
  if (vote.distance >= same.distance) return;
  const { distance, odds, oddsAtMost } = vote;
  Object.assign(same, { distance, odds, oddsAtMost });
}
