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
  /** Squared L2: a face is saved only when it is nearer than this to one enrolled by hand. Called for each face. */
  distance: () => number;
  /** Another face is saved when the newest one is older, days. */
  interval: number;
  /** People with fewer faces get another one whatever the newest one's age. */
  minimum: number;
  /** The most automatic faces of a person. */
  maximum: number;
  log: Pick<FastifyBaseLogger, 'warn' | 'info'>;
  /** Called for each face that was saved. */
  onSaved?: (face: Face) => void;
}

export type AutoEnroller = ReturnType<typeof createAutoEnroller>;

/**
 * Automatic enrolment, as in maiface: people change, so a face that is identified beyond doubt is saved as another one of
 * theirs. Two things keep the faces from drifting away from the person: each must be near to one that was enrolled by hand
 * (being near to automatic ones does not count), and their number is limited. The embedding is the frame's, of one view,
 * because the picture is gone. The rules for every enrolment apply as well (enrol.ts).
 */
export function createAutoEnroller(deps: AutoEnrollerDeps) {
  const { gallery, enroller, interval, minimum, maximum, log } = deps;
  /** faceids being considered: a camera's next frame comes before the first is saved. */
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
    // Without groups, so that people of all groups are compared: a face may be nearer to somebody of another one.
    const saved = await enroller.enrolFace({ groupid, userid, automatic: true }, { ...face, embedding });
    // The same frame again: a frozen camera, or a video in a loop.
    if (saved.already) return;
    deps.onSaved?.(saved.face);
    log.info({ faceid: person.faceid, face: saved.face.id }, 'Enrolled automatically');
  }

  return {
    /**
     * Enrols an identified face where it is worth it and fit for it. Returns at once and never throws.
     * @param match the nearest person, near enough to be named or not
     */
    consider(face: Probe, match: Match, now = Date.now()): void {
      const { person } = match;
      const { box, quality, unfit, embedding } = face;
      const distance = deps.distance();
      // Without its picture the quality of a face is not known.
      if (!box || !embedding || match.distance >= distance) return;
      if (underWay.has(person.faceid) || !wants(person, now)) return;
      underWay.add(person.faceid);
      save(person, { box, quality, unfit }, embedding.slice(), distance)
        .catch((error: unknown) => {
          // Most refusals are for an unfit face or somebody else's: not worth a warning. Nor is a busy server, because the
          // person comes again.
          if (error instanceof KaomonError && (error.statusCode < 500 || error.code === 'BUSY')) return;
          log.warn({ err: error }, 'A face could not be enrolled automatically');
        })
        .finally(() => underWay.delete(person.faceid));
    },

    /** How many faces are being saved. */
    pending: () => underWay.size,
  };
}
