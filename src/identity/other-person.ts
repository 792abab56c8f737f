import type { Gallery } from '../gallery/types.js';
import { KaomonError } from '../platform/errors.js';
import type { CountedWork, Whose } from './counted-work.js';
import type { Decision } from './decision.js';

export interface OtherPersonDeps {
  /** The gallery's `nearest`, perhaps wrapped for metrics. */
  nearest: Gallery['nearest'];
  searches: Pick<CountedWork, 'one'>;
  decision: Pick<Decision, 'threshold'>;
}

/** See {@link createOtherPersonCheck}. */
export type OtherPersonCheck = ReturnType<typeof createOtherPersonCheck>;

/** Makes the check of an enrolment that the face is nobody else's. */
export function createOtherPersonCheck({ nearest, searches, decision }: OtherPersonDeps) {
  /**
   * Refuses a face that would be named as somebody else, unless it is as near to the person it is for.
   * @param groups only people of these are compared; undefined: all
   * @throws KaomonError OTHER_PERSON, and what `searches.one` throws
   */
  return async (
    faceid: string,
    embedding: Float32Array,
    groups: ReadonlySet<string> | undefined,
    whose: Whose,
  ): Promise<void> => {
    const near = await searches.one(() => nearest(embedding, 2, { groups }), whose);
    const other = near.find(({ person }) => person.faceid !== faceid);
    const own = near.find(({ person }) => person.faceid === faceid);
    if (!other || other.distance >= decision.threshold(groups)) return;
    // A person may resemble somebody else.
    if (own && own.distance <= other.distance) return;
    const { person, distance } = other;
    throw new KaomonError(
      'OTHER_PERSON',
      `This face is enrolled as ${person.username} (${person.faceid}): enrol it there, or say that it is meant.`,
      { details: { faceid: person.faceid, distance } },
    );
  };
}
