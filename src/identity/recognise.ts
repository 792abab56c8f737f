import type { Gallery, Match } from '../gallery/types.js';
import type { Decision } from './decision.js';
import type { Odds } from './odds.js';
import type { AnalysedFace, Analysis, AnalyzeOptions, StageTimes, VisionPool } from '../vision/types.js';

/** Where a request's time went, milliseconds. */
export interface Times extends StageTimes {
  /** Searching the gallery, all faces. */
  search: number;
}

/** A match with the odds that it is a stranger's. */
export interface RatedMatch extends Match {
  /** undefined: nobody measured this pack. */
  odds: Odds | undefined;
}

/** A face and who it is. */
export interface RecognisedFace {
  face: AnalysedFace;
  /** The nearest enrolled person, however far; undefined when nobody is enrolled, and of a face that is unfit. */
  nearest: RatedMatch | undefined;
  /** `nearest` when it is near enough to be named. */
  match: RatedMatch | undefined;
  /** All who are near enough, at most `k`, nearest first: `match` and those behind it. */
  matches: RatedMatch[];
}

export interface Recognition {
  /** Of the upright picture, pixels. */
  width: number;
  height: number;
  /** Largest first. */
  faces: RecognisedFace[];
  /** See Analysis. */
  leftOut?: number;
  times: Times;
}

/** Whom to look for among the enrolled. */
export interface SearchOptions {
  /** At most so many people a face, 1 or more. Default 1. */
  k?: number;
  /** A face is named below this squared L2 distance. Default: the threshold in force. The odds do not hang on it. */
  threshold?: number;
  /** Only people of these groups are searched. Default: everyone. */
  groups?: ReadonlySet<string>;
}

export interface RecogniserDeps {
  vision: Pick<VisionPool, 'analyze'>;
  gallery: Pick<Gallery, 'nearest'>;
  decision: Pick<Decision, 'threshold' | 'odds'>;
  /** Told of those who were named; not waited for. */
  onRecognised?: (faces: readonly RecognisedFace[]) => void;
}

/** Tells who is in a picture. */
export type Recogniser = ReturnType<typeof createRecogniser>;

export function createRecogniser({ vision, gallery, decision, onRecognised }: RecogniserDeps) {
  async function search(
    face: AnalysedFace,
    { k = 1, threshold, groups }: SearchOptions,
  ): Promise<RecognisedFace> {
    const found =
      face.embedding && !face.unfit
        ? await gallery.nearest(face.embedding, k, { ...(groups && { groups }) })
        : [];
    const rated = found.map((match) => ({ ...match, odds: decision.odds(match.distance, groups) }));
    const below = threshold ?? decision.threshold(groups);
    const matches = rated.filter(({ distance }) => distance < below);
    return { face, nearest: rated.at(0), match: matches.at(0), matches };
  }

  return {
    /**
     * @param bytes an encoded picture; handed over (see VisionPool.analyze)
     * @throws KaomonError as VisionPool.analyze
     */
    async recognise(bytes: Uint8Array, options: AnalyzeOptions & SearchOptions = {}): Promise<Recognition> {
      const { k, threshold, groups, ...look } = options;
      const whom: SearchOptions = {
        ...(k !== undefined && { k }),
        ...(threshold !== undefined && { threshold }),
        ...(groups && { groups }),
      };
      const { width, height, faces, leftOut, times }: Analysis = await vision.analyze(bytes, look);
      const started = performance.now();
      const recognised = await Promise.all(faces.map((face) => search(face, whom)));
      onRecognised?.(recognised);
      return {
        width,
        height,
        faces: recognised,
        ...(leftOut && { leftOut }),
        times: { ...times, search: performance.now() - started },
      };
    },
  };
}
