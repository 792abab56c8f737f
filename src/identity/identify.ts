import type { Gallery, Match, Person } from '../gallery/types.js';
import type { AnalysedFace, Analysis, AnalyzeOptions, StageTimes, VisionPool } from '../vision/types.js';
import { mapInSlices } from '../platform/turns.js';
import type { AutoEnroller } from './auto-enrol.js';
import type { CountedWork, Whose } from './counted-work.js';
import type { Decision } from './decision.js';
import type { DetectLog } from './detect-log.js';
import { type CallLimits, limitsOfCall, takeResults } from './results.js';
import type { Announcer } from './recognised.js';
import type { IdentifiedFace, ObservedFace, Observer, Place, Probe } from './types.js';

/** Where a request's time went, milliseconds. */
export interface Times extends StageTimes {
  /** Searching the gallery, all faces. */
  search: number;
}

export interface Identification extends Pick<Analysis, 'width' | 'height' | 'leftOut'> {
  /** Largest first. */
  faces: IdentifiedFace[];
  times: Times;
}

/** Whom to search for. */
export interface IdentifyOptions<F = AnalysedFace> extends Whose {
  /** The most people per face, 1 or more. Default 1. */
  k?: number;
  /** Squared L2 distance below which a face is named. Default: the threshold in force. The odds do not depend on it. */
  threshold?: number;
  /** Search only people of these groups. Default: everyone. */
  groups?: ReadonlySet<string>;
  /** The camera, where the caller names one: distances are logged under it (docs/detections.md). */
  deviceid?: string;
  /** Where the faces were seen, for who keeps who came by. Without it nobody is kept. */
  place?: Place | undefined;
  /** Of the call that this is a part of. Default: this is all of it. */
  limits?: CallLimits;
  /**
   * Decides who was seen, for a caller who knows more than this picture, as a stream with its tracks. Synchronous.
   * @param threshold the one in force
   * @returns who was seen, to be announced, logged and kept
   */
  settle?: (found: IdentifiedFace<F>[], threshold: number) => readonly ObservedFace[];
}

export interface IdentifierDeps {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: Pick<Gallery, 'current' | 'ruledOut'>;
  /** The gallery's `nearest`, perhaps wrapped for metrics. */
  nearest: Gallery['nearest'];
  searches: Pick<CountedWork, 'admit' | 'each'>;
  decision: Pick<Decision, 'threshold' | 'odds'>;
  announcer: Pick<Announcer, 'announce'>;
  /** Without it nobody is enrolled automatically. */
  autoEnroller?: Pick<AutoEnroller, 'consider'>;
  /** Without it distances are not logged. */
  detectLog?: Pick<DetectLog, 'record'>;
  /** Without it nobody who came by is kept. */
  observer?: Observer;
}

/** See {@link createIdentifier}. */
export type Identifier = ReturnType<typeof createIdentifier>;

/**
 * The one place where faces are named, for every way in: unfit faces get no name, threshold and odds are those of the
 * people searched, and listeners, the detect log, the sightings and automatic enrolment are informed.
 */
export function createIdentifier(deps: IdentifierDeps) {
  const { vision, gallery, nearest, searches, decision, announcer, autoEnroller, detectLog, observer } = deps;

  /** @throws KaomonError TOO_MANY_RESULTS, BUSY, TOO_MANY_REQUESTS, CLIENT_GONE */
  async function identify<F extends Probe>(
    faces: readonly F[],
    { k = 1, groups, deviceid, place, settle, limits = limitsOfCall(), ...options }: IdentifyOptions<F> = {},
  ): Promise<IdentifiedFace<F>[]> {
    const probes = faces.flatMap(({ embedding, unfit }) => (embedding && !unfit ? [embedding] : []));
    takeResults(limits, probes.length, k);
    const nearestOf = await searches.each(
      probes,
      (probe, _index, isOfMany) => nearest(probe, k, { groups, isOfMany }),
      options,
    );
    const found = new Map(probes.map((probe, i) => [probe, nearestOf[i]]));
    const threshold = options.threshold ?? decision.threshold(groups);
    // People may have been moved or merged during the searches.
    const current = currentIn(gallery, groups);
    const identified = await mapInSlices(
      faces,
      (face): IdentifiedFace<F> => {
        const matchesOf = face.embedding && !face.unfit ? found.get(face.embedding) : undefined;
        const candidates = (matchesOf ?? []).flatMap((match) => {
          const now = renewed(match, current);
          // It may have been said while the other faces were searched.
          const isOut =
            now && face.embedding && gallery.ruledOut(now.person.faceid, face.embedding, now.distance);
          return now && !isOut ? { ...now, odds: decision.odds(now.distance, groups) } : [];
        });
        const matches = candidates.filter(({ distance }) => distance < threshold);
        return { face, candidates, matches, match: matches.at(0) };
      },
      options.signal,
      k,
    );
    const settled = settle?.(identified, threshold);
    const seen = settled ?? identified;
    announcer.announce(seen);
    for (const { match } of seen)
      if (match && deviceid !== undefined) detectLog?.record(deviceid, match.person.faceid, match.distance);
    if (observer && place) observer.observe(place, settled ?? identified.map(observed));
    for (const { face, candidates } of identified)
      if (candidates.length > 0) autoEnroller?.consider(face, candidates[0]);
    return identified;
  }

  return {
    /** Identifies faces of an analysed picture, or embeddings. */
    identify,

    /** For whoever analyses a picture before: whether the aligned faces are kept where a place is given. */
    wantsPictures: observer?.wantsPictures ?? false,

    /** For whoever analyses a picture before: see {@link CountedWork.admit}. */
    admit: (caller?: string) => searches.admit(caller),

    /**
     * Analyses a picture and identifies its faces.
     * @param bytes an encoded picture; handed over (see VisionPool.analyze)
     * @throws KaomonError as `identify` and VisionPool.analyze
     */
    async identifyPicture(
      bytes: Uint8Array,
      asked: AnalyzeOptions,
      options: IdentifyOptions = {},
    ): Promise<Identification> {
      const { caller, signal } = asked;
      searches.admit(caller);
      const aligned = observer?.wantsPictures === true && options.place !== undefined;
      const { width, height, faces, leftOut, times } = await vision.analyze(bytes, { ...asked, aligned });
      const started = performance.now();
      const identified = await identify(faces, { caller, signal, isAdmitted: true, ...options });
      const search = performance.now() - started;
      return { width, height, faces: identified, leftOut, times: { ...times, search } };
    },
  };
}

/** What is kept of an identified face. */
export function observed<F extends Probe & Partial<Pick<AnalysedFace, 'aligned'>>>({
  face,
  match,
}: Pick<IdentifiedFace<F>, 'face' | 'match'>): ObservedFace {
  const { box, embedding, unfit, quality, aligned } = face;
  const seen: ObservedFace = { match, embedding, unfit, quality, aligned };
  if (box) seen.area = (box.x2 - box.x1) * (box.y2 - box.y1);
  return seen;
}

/** Looks up a person as they are now; undefined when deleted, or moved out of these groups. */
export function currentIn(gallery: Pick<Gallery, 'current'>, groups: ReadonlySet<string> | undefined) {
  return (person: Person): Person | undefined => {
    const now = gallery.current(person);
    return now && (!groups || groups.has(now.groupid)) ? now : undefined;
  };
}

/** A match with the person as they are now; undefined when `current` finds none. */
export function renewed<M extends Match>(
  match: M | undefined,
  current: (person: Person) => Person | undefined,
): M | undefined {
  const person = match && current(match.person);
  if (!match || match.person === person) return match;
  return person && { ...match, person };
}
