import type { Gallery, Match, Person } from '../gallery/types.js';
import { inTurns } from '../platform/turns.js';
import type { AnalysedFace, Analysis, AnalyzeOptions, StageTimes, VisionPool } from '../vision/types.js';
import type { AutoEnroller } from './auto-enrol.js';
import type { Decision } from './decision.js';
import type { DetectLog } from './detect-log.js';
import type { Sightings } from './sightings.js';
import type { IdentifiedFace, Probe } from './types.js';

/** Where a request's time went, milliseconds. */
export interface Times extends StageTimes {
  /** Searching the gallery, all faces. */
  search: number;
}

/** A picture whose faces were identified. */
export interface Identification extends Pick<Analysis, 'width' | 'height' | 'leftOut'> {
  /** Largest first. */
  faces: IdentifiedFace[];
  times: Times;
}

/** Whom to look for among the enrolled, and who is told. */
export interface IdentifyOptions<F = AnalysedFace> {
  /** At most so many people a face, 1 or more. Default 1. */
  k?: number;
  /** A face is named below this squared L2 distance. Default: the threshold in force. The odds do not depend on it. */
  threshold?: number;
  /** Only people of these groups are searched. Default: everyone. */
  groups?: ReadonlySet<string>;
  /** The camera, where the caller names one: distances are logged under it (docs/detections.md). */
  deviceid?: string;
  signal?: AbortSignal;
  /**
   * Has the last word on who is told of, where more is known than this one picture: a camera's tracks. From the call to
   * its return nothing waits. @param threshold the one in force @returns who was seen
   */
  settle?: (found: IdentifiedFace<F>[], threshold: number) => readonly Pick<IdentifiedFace, 'match'>[];
}

export interface IdentifierDeps {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: Pick<Gallery, 'current'>;
  /** The gallery's, or one that is measured. */
  nearest: Gallery['nearest'];
  decision: Pick<Decision, 'threshold' | 'odds'>;
  sightings: Pick<Sightings, 'announce'>;
  /** Left out: nobody is enrolled automatically. */
  autoEnroller?: Pick<AutoEnroller, 'consider'>;
  /** Left out: distances are not logged. */
  detectLog?: Pick<DetectLog, 'record'>;
}

/** Tells who is in a picture. */
export type Identifier = ReturnType<typeof createIdentifier>;

/**
 * The one place where faces are given names, for every way in: unfit faces get none, the threshold and the odds are those
 * of the people searched, and whoever follows who was seen (sightings, the detect log, automatic enrolment) is told.
 */
export function createIdentifier(deps: IdentifierDeps) {
  const { vision, gallery, nearest, decision, sightings, autoEnroller, detectLog } = deps;

  /** @throws KaomonError CLIENT_GONE */
  async function identify<F extends Probe>(
    faces: readonly F[],
    { k = 1, groups, deviceid, signal, settle, ...options }: IdentifyOptions<F> = {},
  ): Promise<IdentifiedFace<F>[]> {
    const found = await inTurns(
      faces,
      async ({ embedding, unfit }) => (embedding && !unfit ? await nearest(embedding, k, { groups }) : []),
      signal,
    );
    const threshold = options.threshold ?? decision.threshold(groups);
    // Whoever was moved or merged while the others were searched is so for all of them.
    const current = currentIn(gallery, groups);
    const identified = faces.map((face, i): IdentifiedFace<F> => {
      const candidates = found[i].flatMap((match) => {
        const now = renewed(match, current);
        return now ? { ...now, odds: decision.odds(now.distance, groups) } : [];
      });
      const matches = candidates.filter(({ distance }) => distance < threshold);
      return { face, candidates, matches, match: matches.at(0) };
    });
    const seen = settle ? settle(identified, threshold) : identified;
    sightings.announce(seen);
    for (const { match } of seen)
      if (match && deviceid !== undefined) detectLog?.record(deviceid, match.person.faceid, match.distance);
    for (const { face, candidates } of identified)
      if (candidates.length > 0) autoEnroller?.consider(face, candidates[0]);
    return identified;
  }

  return {
    /** Identifies faces that were looked at, or embeddings. */
    identify,

    /**
     * Looks at a picture and identifies its faces.
     * @param bytes an encoded picture; handed over (see VisionPool.analyze)
     * @throws KaomonError as VisionPool.analyze
     */
    async identifyPicture(
      bytes: Uint8Array,
      look: AnalyzeOptions,
      options: IdentifyOptions = {},
    ): Promise<Identification> {
      const { width, height, faces, leftOut, times } = await vision.analyze(bytes, look);
      const started = performance.now();
      const identified = await identify(faces, { signal: look.signal, ...options });
      const search = performance.now() - started;
      return { width, height, faces: identified, leftOut, times: { ...times, search } };
    },
  };
}

/** Who a person is now, of these groups: undefined when deleted, or moved out of them. */
export function currentIn(gallery: Pick<Gallery, 'current'>, groups: ReadonlySet<string> | undefined) {
  return (person: Person): Person | undefined => {
    const now = gallery.current(person);
    return now && (!groups || groups.has(now.groupid)) ? now : undefined;
  };
}

/** A match with the person as they are now. @param current undefined: nobody any more */
export function renewed<M extends Match>(
  match: M | undefined,
  current: (person: Person) => Person | undefined,
): M | undefined {
  const person = match && current(match.person);
  if (!match || match.person === person) return match;
  return person && { ...match, person };
}
