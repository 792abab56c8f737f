/** When a face is named, and how sure that is: for every surface, stream and command. */
import type { Config } from '../settings/config.js';
import type { Gallery } from '../gallery/types.js';
import type { ReadyPack } from '../models/types.js';
import {
  distanceAt,
  falseMatchRateFor,
  falsePositiveRate,
  leastRate,
  type Odds,
  oddsAt,
  rateAt,
  toDigits,
  toldRateAt,
} from './odds.js';

/**
 * No threshold is looser than this FMR. With few faces enrolled FALSE_NAMES alone would allow one stranger in a hundred a
 * name, though faces beyond this rate are hardly ever the right person's (docs/thresholds.md).
 */
export const LOOSEST_RATE = 1e-3;
/** A name is sure where only one stranger in 10,000 would come as near to somebody in the gallery. */
export const SURE_RATE = 1e-4;
/** The FMR of the default threshold of a verification. */
export const PAIR_RATE = 1e-4;
/** The FMR of the distance from which on two pictures are taken for those of two people at an enrolment (docs/ways-in.md). */
export const APART_RATE = 1e-3;

export interface DecisionDeps {
  pack: Pick<ReadyPack, 'id' | 'thresholds' | 'curve'>;
  config: Pick<Config, 'IDENTICAL_DISTANCE' | 'FALSE_NAMES'>;
  /** Without `threshold`, as in a measurement, nobody chooses one. */
  gallery: Pick<Gallery, 'searched'> & Partial<Pick<Gallery, 'threshold'>>;
}

/** The threshold in force and what it means. Distances are squared L2. */
export interface Meaning {
  /** A face is named below it. */
  identical: number;
  /** Below it the name is sure. */
  sure: number;
  /** Two single faces are one person's below it: the default of a verification. */
  pair: number;
  /** How many faces are searched: a person with three gives a stranger three chances (docs/accuracy.md). */
  faces: number;
  /** What sets `identical`: the faces searched, LOOSEST_RATE, IDENTICAL_DISTANCE, the pack, or somebody on /check. */
  by: 'faces' | 'limit' | 'setting' | 'pack' | 'chosen';
  /** The share of strangers who are named at most (FPIR), 0 to 1; null when it was not measured. */
  falseNames: number | null;
  /** The FMR at `identical` at most; null when it was not measured. */
  falseMatchRate: number | null;
  /** Impostor pairs behind these rates. */
  pairs: number | null;
  /** There were too few pairs to measure the rates at this threshold: the rates are upper bounds. */
  beyondPairs: boolean;
  /** All of this in words. */
  sentence: string;
}

/** See {@link createDecision}. */
export type Decision = ReturnType<typeof createDecision>;

/**
 * Where the pack has a curve, thresholds follow from it and from how many faces are searched at the time of the call;
 * IDENTICAL_DISTANCE, or what somebody chose while running, fixes the one below which a face is named. Without a curve
 * they are the pack's.
 */
export function createDecision({ pack, config, gallery }: DecisionDeps) {
  const { curve, thresholds } = pack;
  const { IDENTICAL_DISTANCE: setting, FALSE_NAMES } = config;
  const pair = setting ?? (curve ? distanceAt(curve, PAIR_RATE) : thresholds.identical);
  const leastApart = curve ? distanceAt(curve, APART_RATE) : thresholds.identical;
  let last = { faces: -1, fixed: undefined as number | undefined, identical: 0, sure: 0 };

  /** What was chosen while running comes before the setting. */
  const fixedAt = () => gallery.threshold?.() ?? setting;

  function thresholdsFor(faces: number): { identical: number; sure: number } {
    const fixed = fixedAt();
    if (!curve) {
      const identical = fixed ?? thresholds.identical;
      return { identical, sure: Math.min(thresholds.sure, identical) };
    }
    // Cached, because a camera asks for every face and enrolments are rare.
    if (last.faces !== faces || last.fixed !== fixed) {
      const rateOf = (part: number) => Math.min(LOOSEST_RATE, falseMatchRateFor(part, Math.max(1, faces)));
      const identical = fixed ?? distanceAt(curve, rateOf(FALSE_NAMES));
      last = { faces, fixed, identical, sure: Math.min(identical, distanceAt(curve, rateOf(SURE_RATE))) };
    }
    return last;
  }

  function setBy(faces: number): Meaning['by'] {
    if (gallery.threshold?.() !== undefined) return 'chosen';
    if (setting !== undefined) return 'setting';
    if (!curve) return 'pack';
    return falseMatchRateFor(FALSE_NAMES, Math.max(1, faces)) > LOOSEST_RATE ? 'limit' : 'faces';
  }

  return {
    /** A face is named below this distance to the nearest face searched. @param groups undefined: all */
    threshold: (groups?: ReadonlySet<string>): number => thresholdsFor(gallery.searched(groups)).identical,

    /** What the threshold would be if nobody had chosen one. */
    unchosen: (groups?: ReadonlySet<string>): number => {
      const faces = Math.max(1, gallery.searched(groups));
      if (setting !== undefined) return setting;
      if (!curve) return thresholds.identical;
      return distanceAt(curve, Math.min(LOOSEST_RATE, falseMatchRateFor(FALSE_NAMES, faces)));
    },

    /** Below this distance the name is sure; never above the threshold. */
    sure: (groups?: ReadonlySet<string>): number => thresholdsFor(gallery.searched(groups)).sure,

    /** How many strangers would come as near to somebody searched; undefined when the pack was not measured. */
    odds: (distance: number, groups?: ReadonlySet<string>): Odds | undefined =>
      curve && oddsAt(curve, distance, Math.max(1, gallery.searched(groups))),

    /** The default threshold of a verification, whoever is enrolled. */
    pair: (): number => pair,

    /**
     * A new picture of a person that is as far from all of theirs, or farther, is refused: it shows somebody else. Never
     * below what IDENTICAL_DISTANCE asks for, or what was chosen in its place; otherwise it does not follow that, which
     * says who is named.
     */
    apart: (): number => Math.max(fixedAt() ?? 0, leastApart),

    /** The FMR at a distance, whoever is enrolled; undefined when the pack was not measured. */
    pairRate: (distance: number): { rate: number; atMost: boolean } | undefined =>
      curve && toldRateAt(curve, distance),

    meaning(groups?: ReadonlySet<string>): Meaning {
      const faces = gallery.searched(groups);
      const { identical, sure } = thresholdsFor(faces);
      const told = curve && toldRateAt(curve, identical);
      const figures = {
        faces,
        by: setBy(faces),
        pairs: curve?.pairs ?? null,
        falseNames: told ? toDigits(falsePositiveRate(told.rate, faces), 4) : null,
        falseMatchRate: told ? toDigits(told.rate, 4) : null,
        beyondPairs: curve !== undefined && rateAt(curve, identical) < leastRate(curve),
      };
      return { identical, sure, pair, ...figures, sentence: explain(figures, pack.id) };
    },
  };
}

const FIXED: Partial<Record<Meaning['by'], string>> = {
  setting: 'IDENTICAL_DISTANCE fixes the threshold. ',
  chosen: 'The threshold was chosen on the page /check. ',
};

const count = (value: number) => value.toLocaleString('en');

function explain(
  { faces, by, falseNames, pairs, beyondPairs }: Omit<Meaning, 'identical' | 'sure' | 'pair' | 'sentence'>,
  pack: string,
): string {
  const fixed = FIXED[by] ?? '';
  if (falseNames === null || pairs === null) {
    return `${fixed || 'The pack fixes the threshold. '}How many strangers it names was not measured for ${pack}.`;
  }
  if (faces === 0) return `${fixed}Nobody is enrolled, so nobody is named.`;
  const enrolled = faces === 1 ? '1 face' : `${count(faces)} faces`;
  const named =
    falseNames >= 0.1
      ? `${Math.ceil(falseNames * 100 - 1e-9)} of 100 strangers are`
      : `1 of ${count(Math.floor(1 / falseNames + 1e-9))} strangers is`;
  const limit =
    by === 'limit' ? ` No threshold is looser than an FMR of 1 in ${count(1 / LOOSEST_RATE)}.` : '';
  const beyond = beyondPairs ? ` The ${count(pairs)} pairs that were measured cannot tell of fewer.` : '';
  return `${fixed}With ${enrolled} enrolled at most ${named} given a name.${limit}${beyond}`;
}
