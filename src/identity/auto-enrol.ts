import type { FastifyBaseLogger } from 'fastify';
import type { Face, Gallery, Match, Person } from '../gallery/types.js';
import { squaredDistance } from '../gallery/distance.js';
import type { Probe } from './identify.js';

const DAY = 86_400_000;

export interface AutoEnrollerDeps {
  gallery: Pick<Gallery, 'enrolOnce' | 'vectors'>;
  /** Squared L2: only a face nearer than this to one that a person enrolled is saved. Asked for each face. */
  distance: () => number;
  /** Days: another face is saved when the newest one is older. */
  interval: number;
  /** People with fewer faces get another one whatever the age of the newest. */
  minimum: number;
  /** The most faces that are saved automatically for one person. */
  maximum: number;
  /** Shorter side of the smallest face to save, pixels. */
  minSize: number;
  log: Pick<FastifyBaseLogger, 'warn' | 'info'>;
  /** Told of each face that was saved. */
  onSaved?: (face: Face) => void;
}

export type AutoEnroller = ReturnType<typeof createAutoEnroller>;

/**
 * Automatic enrolment, as maiface has it: people change, and a face that is recognised beyond doubt is saved as
 * another one of theirs. Two things keep it from drifting away from the person: a face must be near to one that
 * somebody enrolled by hand (a chain of automatic ones counts for nothing), and there is a most. Its embedding is the
 * frame's, of one look: the picture is gone, and who has one made by hand is looked at in all views there.
 */
export function createAutoEnroller(deps: AutoEnrollerDeps) {
  const { gallery, interval, minimum, maximum, minSize, log } = deps;
  /** faceids that are being looked at: the next frame of a camera comes before the first is saved. */
  const underWay = new Set<string>();

  function wants({ faces }: Person, now: number): boolean {
    const newest = faces.at(-1);
    if (!newest || faces.filter(({ automatic }) => automatic).length >= maximum) return false;
    return faces.length < minimum || now - Date.parse(newest.enrolledAt) > interval * DAY;
  }

  async function save(person: Person, embedding: Float32Array, distance: number): Promise<void> {
    const stored = await gallery.vectors(person.faceid);
    const near = stored.some(
      ({ face, vector }) => !face.automatic && squaredDistance(vector, embedding) < distance,
    );
    if (!near) return;
    const { groupid, userid } = person;
    // The same frame again, as from a camera that hangs or a film in a loop, is nothing new of the person.
    const { face, already } = await gallery.enrolOnce({ groupid, userid, automatic: true }, embedding);
    if (already) return;
    deps.onSaved?.(face);
    log.info({ faceid: person.faceid, face: face.id }, 'Enrolled automatically');
  }

  return {
    /**
     * Saves a recognised face where it is worth it. Returns at once and never throws.
     * @param match who is nearest; near enough to be named or not
     * @param embedding unit length; copied
     */
    consider({ box, embedding }: Probe, match: Match, now = Date.now()): void {
      // An embedding alone may be of any picture.
      if (!box) return;
      const { person } = match;
      const distance = deps.distance();
      const size = Math.min(box.x2 - box.x1, box.y2 - box.y1);
      if (!embedding || match.distance >= distance || size < minSize) return;
      if (underWay.has(person.faceid) || !wants(person, now)) return;
      underWay.add(person.faceid);
      save(person, embedding.slice(), distance)
        .catch((error: unknown) => log.warn({ err: error }, 'A face could not be enrolled automatically'))
        .finally(() => underWay.delete(person.faceid));
    },

    /** Faces that are being saved. */
    pending: () => underWay.size,
  };
}
