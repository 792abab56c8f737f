/** Searches for people with degraded pictures. */
import { createRandom, drawSome } from './bootstrap.js';
import {
  applies,
  type Condition,
  CONDITIONS,
  type ConditionFigures,
  type ConditionSearch,
  countSearches,
  describeCondition,
  degrade,
} from './conditions.js';
import { dot, type Faces } from './faces.js';
import { analyseAll, type AnalysisSettings, type AnalysisTask } from './analyses.js';
import type { Sample } from './samples.js';

/** Enough searches to tell a rate of a tenth from a fifth; they take a minute. */
const MAX_PROBES = { mated: 240, nonMated: 160 };
/** The smallest face that the detectors can find, pixels, and the lower bound of `MIN_FACE_SIZE`. */
const SMALLEST_FACE = 12;
const SEED = 7;

interface DegradedInput {
  faces: Faces;
  threshold: number;
  sampleOf: (row: number) => Sample;
  /** Distance between the eyes in a row's picture, pixels. */
  eyesOf: (row: number) => number | undefined;
}

/**
 * Enrols the first picture of each person as it is, and searches with degraded ones of the others and of strangers.
 * @param onAnalysed called after each picture
 * @returns one entry per condition; empty where the detector gives no landmarks
 */
export async function searchDegraded(
  { faces, threshold, sampleOf, eyesOf }: DegradedInput,
  analysis: Omit<AnalysisSettings, 'onAnalysed'>,
  onAnalysed: (done: number, of: number) => void,
): Promise<ConditionFigures[]> {
  const { enrolled, probes } = choose(faces, (row) => eyesOf(row) !== undefined);
  if (probes.length === 0) return [];
  const jobs = CONDITIONS.flatMap((condition) =>
    probes
      .filter((row) => applies(condition, eyesOf(row) ?? 0))
      .map((row) => ({ condition, row, task: taskFor(condition, sampleOf(row), eyesOf(row) ?? 0) })),
  );
  const found = await analyseAll(
    jobs.map(({ task }) => task),
    { ...analysis, onAnalysed },
  );
  const searches = new Map<Condition, ConditionSearch[]>();
  jobs.forEach(({ condition, row }, i) => {
    const right =
      row < faces.people ? enrolled.findIndex((other) => faces.label[other] === faces.label[row]) : undefined;
    const { embedding } = found[i];
    const list = searches.get(condition) ?? [];
    list.push({ right, distances: embedding && distancesTo(faces, enrolled, embedding) });
    searches.set(condition, list);
  });
  return [...searches].map(([condition, list]) => countSearches(condition, list, threshold));
}

/** The rows to enrol (the first one of each person) and those to search with. */
function choose({ count, people, label }: Faces, hasEyes: (row: number) => boolean) {
  const firsts = new Map<number, number>();
  for (let row = 0; row < people; row++) if (!firsts.has(label[row])) firsts.set(label[row], row);
  const enrolled = [...firsts.values()];
  const isFirst = new Set(enrolled);
  const rows = Array.from({ length: count }, (_, row) => row).filter(
    (row) => !isFirst.has(row) && hasEyes(row),
  );
  const random = createRandom(SEED);
  const mated = rows.filter((row) => row < people);
  const nonMated = rows.filter((row) => row >= people);
  return {
    enrolled,
    probes: [
      ...drawSome(mated, MAX_PROBES.mated, random),
      ...drawSome(nonMated, MAX_PROBES.nonMated, random),
    ],
  };
}

function taskFor(condition: Condition, { file, sha256 }: Sample, eyes: number): AnalysisTask {
  if (condition.kind === 'none')
    return { read: () => degrade(file, condition, eyes), key: sha256, options: {} };
  return {
    read: () => degrade(file, condition, eyes),
    key: `${sha256} ${describeCondition(condition)} ${eyes.toFixed(2)}`,
    options: { minFaceSize: SMALLEST_FACE },
  };
}

function distancesTo(
  { enrolled, length }: Faces,
  rows: readonly number[],
  probe: Float32Array,
): Float32Array {
  return Float32Array.from(rows, (row) => 2 - 2 * dot(enrolled, row * length, probe, 0, length));
}
