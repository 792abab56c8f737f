import type { FastifyBaseLogger } from 'fastify';
import type { Face, Gallery, Match, Person } from '../gallery/types.js';
import { squaredDistance } from '../gallery/distance.js';
import { KaomonError } from '../platform/errors.js';
import type { Enroller } from './enrol.js';
import type { Probe } from './types.js';

const DAY = 86_400_000;

export interface AutoEnrollerDeps {
  gallery: Pick<Gallery, 'vectors'>;
  enroller: Pick<Enroller, 'enrolFace'>;
  /** Squared L2: only a face nearer than this to one that a person enrolled is saved. Asked for each face. */
  distance: () => number;
  /** Days: another face is saved when the newest one is older. */
  interval: number;
  /** People with fewer faces get another one whatever the age of the newest. */
  minimum: number;
  /** The most faces that are saved automatically for one person. */
  maximum: number;
  log: Pick<FastifyBaseLogger, 'warn' | 'info'>;
  /** Told of each face that was saved. */
  onSaved?: (face: Face) => void;
}

export type AutoEnroller = ReturnType<typeof createAutoEnroller>;

/**
 * Automatic enrolment, as maiface has it: people change, and a face that is recognised beyond doubt is saved as
 * another one of theirs. Two things keep it from drifting away from the person: a face must be near to one that
 * somebody enrolled by hand (a chain of automatic ones counts for nothing), and there is a most. Its embedding is the
 * frame's, of one look: the picture is gone, and who has one made by hand is looked at in all views there. What holds for
 * every enrolment holds for it, too (enrol.ts).
 */
export function createAutoEnroller(deps: AutoEnrollerDeps) {
  const { gallery, enroller, interval, minimum, maximum, log } = deps;
  /** faceids that are being looked at: the next frame of a camera comes before the first is saved. */
  const underWay = new Set<string>();

  function wants({ faces }: Person, now: number): boolean {
    const newest = faces.at(-1);
    if (!newest || faces.filter(({ automatic }) => automatic).length >= maximum) return false;
    return faces.length < minimum || now - Date.parse(newest.enrolledAt) > interval * DAY;
  }

  async function save(person: Person, face: Probe, embedding: Float32Array, distance: number): Promise<void> {
    const stored = await gallery.vectors(person.faceid);
    const near = stored.some(
      ({ face, vector }) => !face.automatic && squaredDistance(vector, embedding) < distance,
    );
    if (!near) return;
    const { groupid, userid } = person;
    // Everybody is searched: a face that is nearer to somebody of another group is not this person's.
    const saved = await enroller.enrolFace({ groupid, userid, automatic: true }, { ...face, embedding });
    // The same frame again, as from a camera that hangs or a film in a loop, is nothing new of the person.
    if (saved.already) return;
    deps.onSaved?.(saved.face);
    log.info({ faceid: person.faceid, face: saved.face.id }, 'Enrolled automatically');
  }

  return {
    /**
     * Enrols a recognised face where that is worth it and the face is fit for it. Returns at once and never throws.
     * @param match who is nearest; near enough to be named or not
     */
    consider(face: Probe, match: Match, now = Date.now()): void {
      const { person } = match;
      const { box, quality, unfit, embedding } = face;
      const distance = deps.distance();
      // Of an embedding without its picture nobody knows how fit the face is.
      if (!box || !embedding || match.distance >= distance) return;
      if (underWay.has(person.faceid) || !wants(person, now)) return;
      underWay.add(person.faceid);
      save(person, { box, quality, unfit }, embedding.slice(), distance)
        .catch((error: unknown) => {
          // A face that is not fit, or somebody else's, is what most are.
          if (error instanceof KaomonError && error.statusCode < 500) return;
          log.warn({ err: error }, 'A face could not be enrolled automatically');
        })
        .finally(() => underWay.delete(person.faceid));
    },

    /** Faces that are being saved. */
    pending: () => underWay.size,
  };
}
