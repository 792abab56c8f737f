/** People searched for in pictures that were made worse. */
import { createRandom, drawSome } from './bootstrap.js';
import {
  applies,
  type Condition,
  CONDITIONS,
  type ConditionFigures,
  type ConditionSearch,
  countSearches,
  describeCondition,
  worsen,
} from './conditions.js';
import { dot, type Faces } from './faces.js';
import { lookAtAll, type LookSettings, type Task } from './looks.js';
import type { Sample } from './samples.js';

/** So many searches tell a tenth from a fifth, and take a minute. */
const MOST = { mated: 240, nonMated: 160 };
/** The smallest face that the detectors can be asked for, pixels: `MIN_FACE_SIZE` may be as low. */
const SMALLEST_FACE = 12;
const SEED = 7;

export interface WorsenedInput {
  faces: Faces;
  threshold: number;
  sampleOf: (row: number) => Sample;
  /** Distance of the eyes in a row's picture, pixels. */
  eyesOf: (row: number) => number | undefined;
}

/**
 * The first picture of each person is enrolled as it is; others, and strangers', are made worse and searched for.
 * @param onLook called after each picture
 * @returns one line a condition; empty where the detector gives no eyes
 */
export async function searchWorsened(
  { faces, threshold, sampleOf, eyesOf }: WorsenedInput,
  looks: Omit<LookSettings, 'onLook'>,
  onLook: (done: number, of: number) => void,
): Promise<ConditionFigures[]> {
  const { enrolled, probes } = choose(faces, (row) => eyesOf(row) !== undefined);
  if (probes.length === 0) return [];
  const jobs = CONDITIONS.flatMap((condition) =>
    probes
      .filter((row) => applies(condition, eyesOf(row) ?? 0))
      .map((row) => ({ condition, row, task: taskFor(condition, sampleOf(row), eyesOf(row) ?? 0) })),
  );
  const found = await lookAtAll(
    jobs.map(({ task }) => task),
    { ...looks, onLook },
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

/** Who is enrolled (the first row of each person), and who is searched for. */
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
    probes: [...drawSome(mated, MOST.mated, random), ...drawSome(nonMated, MOST.nonMated, random)],
  };
}

function taskFor(condition: Condition, { file, sha256 }: Sample, eyes: number): Task {
  if (condition.kind === 'none')
    return { read: () => worsen(file, condition, eyes), key: sha256, options: {} };
  return {
    read: () => worsen(file, condition, eyes),
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
