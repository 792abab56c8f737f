import { type ErrorCode, KaomonError } from '../platform/errors.js';
import type { Gallery, Match } from '../gallery/types.js';
import type { AnalysedFace, AnalyzeOptions, StageTimes, VisionPool } from '../vision/types.js';
import { squaredDistance } from '../gallery/distance.js';
import { toUnitLength } from '../gallery/embedding.js';
import type { CountedWork } from './counted-work.js';
import type { Decision } from './decision.js';
import { chooseFace, refuseUnfit } from './fit-to-enrol.js';
import { toDigits } from './odds.js';

/** One of the two that are compared. */
export type Side =
  /** An encoded picture with one face; handed over (see VisionPool.analyze). */
  | { bytes: Uint8Array }
  /** An embedding of any length, and the pack that made it. */
  | { vector: readonly number[]; pack: string }
  /** An enrolled person: their nearest face counts. */
  | { faceid: string };

/** What was compared of a side: the face of a picture, or the match with a person. */
export interface Seen {
  width?: number;
  height?: number;
  face?: AnalysedFace;
  match?: Match;
}

export interface Verification {
  same: boolean;
  /** Somebody said that a face like this is not the person's: they are not the same, however near. */
  corrected: boolean;
  /** Squared L2. */
  distance: number;
  threshold: number;
  /**
   * The FMR at the distance, 0 to 1: the share of pairs of two different people that are as near, whoever is enrolled;
   * undefined when the pack was not measured.
   */
  falseMatchRate: number | undefined;
  /** `falseMatchRate` is an upper bound: the pack has too few pairs to tell. */
  falseMatchRateAtMost: boolean;
  probe: Seen;
  against: Seen;
  times: StageTimes & { search: number };
}

export interface VerifierDeps {
  vision: Pick<VisionPool, 'analyze'>;
  /** The gallery's `nearest`, perhaps wrapped for metrics. */
  nearest: Gallery['nearest'];
  searches: Pick<CountedWork, 'admit' | 'one'>;
  decision: Pick<Decision, 'pair' | 'pairRate'>;
  pack: { id: string; length: number };
}

type OnBehalf = Pick<AnalyzeOptions, 'caller' | 'signal'>;

export interface VerifyOptions extends OnBehalf {
  /** Squared L2. Default: the one in force. */
  threshold?: number;
}

/** Tells whether two faces are the same person's. */
export type Verifier = ReturnType<typeof createVerifier>;

export function createVerifier({ vision, nearest, searches, decision, pack }: VerifierDeps) {
  interface Embedded extends Seen {
    embedding: Float32Array;
    times: StageTimes;
  }

  /** @param asked `views`: whether the side takes the place of an enrolled face, and is embedded like one */
  async function embed(side: Exclude<Side, { faceid: string }>, asked: AnalyzeOptions): Promise<Embedded> {
    if ('vector' in side) {
      return { embedding: toEmbedding(side, pack), times: { queue: 0, decode: 0, detect: 0, embed: 0 } };
    }
    const analysis = await vision.analyze(side.bytes, asked);
    const { width, height, times } = analysis;
    const face = chooseFace(analysis);
    refuseUnfit(face);
    if (!face.embedding) throw new Error('The vision thread answered a face without its embedding.');
    return { width, height, face, embedding: face.embedding, times };
  }

  async function nearestOf(embedding: Float32Array, faceid: string, whose: OnBehalf): Promise<Match> {
    const search = () => nearest(embedding, 1, { faceid });
    const match = (await searches.one(search, { ...whose, isAdmitted: true })).at(0);
    if (match) return match;
    throw new KaomonError('PERSON_UNKNOWN', 'Nobody with a picture is enrolled under this faceid.', {
      details: { field: 'faceid' },
    });
  }

  return {
    /**
     * @throws KaomonError BUSY, TOO_MANY_REQUESTS, NO_FACE, SEVERAL_FACES, FACE_TOO_SMALL, FACE_BLURRED, FACE_TURNED, PERSON_UNKNOWN, OTHER_PACK, FIELD_INVALID and what
     *   VisionPool.analyze throws
     */
    async verify(
      probe: Exclude<Side, { faceid: string }>,
      against: Side,
      { threshold = decision.pair(), ...whose }: VerifyOptions = {},
    ): Promise<Verification> {
      if ('faceid' in against) searches.admit(whose.caller);
      const sides = [embed(probe, { ...whose, views: false })];
      if (!('faceid' in against)) sides.push(embed(against, { ...whose, views: true }));
      const [first, second] = sidesOf(await Promise.allSettled(sides)) as [Embedded, Embedded?];
      const started = performance.now();
      const match = 'faceid' in against ? await nearestOf(first.embedding, against.faceid, whose) : undefined;
      const distance =
        match?.distance ?? (second ? squaredDistance(first.embedding, second.embedding) : Infinity);
      const search = performance.now() - started;
      const told = decision.pairRate(distance);
      return {
        same: distance < threshold && match?.correction === undefined,
        corrected: match?.correction !== undefined,
        distance,
        threshold,
        falseMatchRate: told && toDigits(told.rate, 3),
        falseMatchRateAtMost: told?.atMost ?? false,
        probe: first,
        against: second ?? { match },
        times: { ...addTimes(first.times, second?.times), search },
      };
    },
  };
}

/** Errors of one picture or vector, for which the message names the side. */
const OF_A_SIDE = new Set<ErrorCode>([
  'NO_FACE',
  'SEVERAL_FACES',
  'FACE_TOO_SMALL',
  'FIELD_INVALID',
  'OTHER_PACK',
  'IMAGE_UNREADABLE',
  'IMAGE_FORMAT_UNKNOWN',
  'IMAGE_TOO_LARGE',
]);
const SIDES = { probe: 'The probe', against: 'What it is compared with', both: 'Both sides' } as const;

/** @throws KaomonError the error of a side, with `details.side`: `probe`, `against` or `both` */
function sidesOf<T>(sides: readonly PromiseSettledResult<T>[]): T[] {
  const errors: unknown[] = sides.map((side) =>
    side.status === 'rejected' ? (side.reason as unknown) : undefined,
  );
  const at = errors.findIndex((error) => error !== undefined);
  if (at < 0) return sides.flatMap((side) => (side.status === 'fulfilled' ? [side.value] : []));
  const error = errors[at];
  if (!(error instanceof KaomonError) || !OF_A_SIDE.has(error.code)) throw error;
  const { code, message, details, cause } = error;
  const isBoth = errors.every((other) => other instanceof KaomonError && other.code === code);
  const side = isBoth && errors.length > 1 ? 'both' : at === 0 ? 'probe' : 'against';
  throw new KaomonError(code, `${SIDES[side]}: ${message}`, { details: { ...details, side }, cause });
}

/**
 * Makes an embedding of this pack from a caller's numbers.
 * @throws KaomonError OTHER_PACK when another pack made it, FIELD_INVALID when it has the wrong length or no direction
 */
export function toEmbedding(
  { vector, pack: madeBy }: { vector: readonly number[]; pack: string },
  pack: { id: string; length: number },
): Float32Array {
  if (madeBy !== pack.id) {
    throw new KaomonError(
      'OTHER_PACK',
      `This vector was made by the pack "${madeBy.slice(0, 64)}"; this server compares those of "${pack.id}" only.`,
      { details: { pack: pack.id } },
    );
  }
  const embedding = vector.length === pack.length ? toUnitLength(vector) : undefined;
  if (!embedding) {
    throw new KaomonError(
      'FIELD_INVALID',
      `The field "vector" must hold ${pack.length} numbers that are not all 0.`,
      { details: { field: 'vector', length: pack.length } },
    );
  }
  return embedding;
}

function addTimes(a: StageTimes, b: StageTimes | undefined): StageTimes {
  if (!b) return a;
  return {
    queue: a.queue + b.queue,
    decode: a.decode + b.decode,
    detect: a.detect + b.detect,
    embed: a.embed + b.embed,
  };
}
