import { KaomonError } from '../platform/errors.js';

/** The most results (faces or vectors, times people for each) that one call may ask for: an answer of 1 to 3 MB. */
export const MOST_RESULTS = 10_000;
/** The most embeddings in the answer to one call: 10 MB where they have 512 numbers. */
export const MOST_EMBEDDINGS = 1000;

/** What a call that consists of several pictures may still ask for, of either kind. */
export interface CallLimits {
  results: number;
  embeddings: number;
}

export const limitsOfCall = (): CallLimits => ({ results: MOST_RESULTS, embeddings: MOST_EMBEDDINGS });

/**
 * Counts the results of a part of a call.
 * @param faces how many faces or vectors are searched
 * @param people the most people for each
 * @throws KaomonError TOO_MANY_RESULTS; then nothing is counted
 */
export function takeResults(left: CallLimits, faces: number, people: number): void {
  const asked = faces * people;
  if (asked > left.results) {
    throw new KaomonError(
      'TOO_MANY_RESULTS',
      `One call has at most ${MOST_RESULTS} results, faces times people: ${faces} faces with up to ${people} people each are too many. Ask for fewer people a face, or send fewer faces.`,
      { details: { limit: MOST_RESULTS, faces, people } },
    );
  }
  left.results -= asked;
}

/** As {@link takeResults}, of faces that are answered with their embeddings. */
export function takeEmbeddings(left: CallLimits, faces: number): void {
  if (faces > left.embeddings) {
    throw new KaomonError(
      'TOO_MANY_RESULTS',
      `One call has at most ${MOST_EMBEDDINGS} embeddings, and these pictures have more faces: send fewer pictures, or ask for the largest faces only.`,
      { details: { limit: MOST_EMBEDDINGS, faces } },
    );
  }
  left.embeddings -= faces;
}
