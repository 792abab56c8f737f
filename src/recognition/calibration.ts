/** What thresholds cost, from pictures of people who are known: pure functions over embeddings. */
import { squaredDistance } from './distance.js';

/** A face whose person is known. */
export interface LabelledFace {
  person: string;
  /** Unit length. */
  embedding: Float32Array;
}

/** Squared L2 distances, each list ascending. */
export interface PairDistances {
  /** Two pictures of one person. */
  genuine: Float64Array;
  /** Two pictures of different people. */
  impostor: Float64Array;
}

/** What a threshold would do to those pairs. */
export interface ThresholdRow {
  threshold: number;
  /** Part of the genuine pairs at or above the threshold, 0 to 1: not recognised. */
  missed: number;
  /** Part of the impostor pairs below it, 0 to 1: taken for one another. */
  confused: number;
  /** As many impostor pairs are below it. */
  confusedPairs: number;
}

/**
 * Distances of every pair of faces.
 * @param strangers compared with `faces`, not with each other: two of them may be one person
 */
export function pairDistances(
  faces: readonly LabelledFace[],
  strangers: readonly Float32Array[] = [],
): PairDistances {
  const genuine: number[] = [];
  const impostor: number[] = [];
  faces.forEach((face, i) => {
    for (const other of faces.slice(i + 1)) {
      const distance = squaredDistance(face.embedding, other.embedding);
      (face.person === other.person ? genuine : impostor).push(distance);
    }
    for (const stranger of strangers) impostor.push(squaredDistance(face.embedding, stranger));
  });
  return { genuine: Float64Array.from(genuine).sort(), impostor: Float64Array.from(impostor).sort() };
}

/** The row of one threshold. */
export function costOf(threshold: number, { genuine, impostor }: PairDistances): ThresholdRow {
  const confusedPairs = countBelow(impostor, threshold);
  return {
    threshold,
    missed: genuine.length === 0 ? 0 : 1 - countBelow(genuine, threshold) / genuine.length,
    confused: impostor.length === 0 ? 0 : confusedPairs / impostor.length,
    confusedPairs,
  };
}

/**
 * The largest threshold, in steps of 0.005, that confuses at most so large a part of the impostor pairs.
 * @param part 0 to 1
 * @returns 0 when there are no impostor pairs to tell by
 */
export function thresholdFor(part: number, { impostor }: PairDistances): number {
  if (impostor.length === 0) return 0;
  const first = impostor[Math.min(impostor.length - 1, Math.floor(part * impostor.length))];
  return Math.floor(first * 200) / 200;
}

/**
 * Thresholds of a pack by these pairs: `identical` confuses at most one impostor pair in 1,000, `sure` lies a fifth
 * below the nearest impostor pair.
 */
export function proposeThresholds(pairs: PairDistances): { identical: number; sure: number } {
  const identical = thresholdFor(1 / 1000, pairs);
  return { identical, sure: Math.min(identical, Math.floor(0.8 * (pairs.impostor.at(0) ?? 0) * 200) / 200) };
}

/** What a gallery of the first picture of everyone answers to the others. */
export interface ProbeFigures {
  probes: number;
  /** Probes whose nearest person is the right one. */
  rightNearest: number;
  /** Those that are below the threshold, too. */
  named: number;
  /** Probes that are named as somebody else. */
  misnamed: number;
  strangers: number;
  /** Strangers named as somebody. */
  strangersNamed: number;
}

/**
 * Enrols the first face of each person and probes with the others and with the strangers.
 * @param faces in the order in which each person's are enrolled
 */
export function probe(
  faces: readonly LabelledFace[],
  strangers: readonly Float32Array[],
  threshold: number,
): ProbeFigures {
  const enrolled = new Map<string, LabelledFace>();
  for (const face of faces) if (!enrolled.has(face.person)) enrolled.set(face.person, face);
  const gallery = [...enrolled.values()];
  const nearest = (embedding: Float32Array) =>
    gallery.reduce(
      (best, { person, embedding: known }) => {
        const distance = squaredDistance(embedding, known);
        return distance < best.distance ? { person, distance } : best;
      },
      { person: '', distance: Infinity },
    );
  const figures: ProbeFigures = {
    probes: 0,
    rightNearest: 0,
    named: 0,
    misnamed: 0,
    strangers: strangers.length,
    strangersNamed: strangers.filter((stranger) => nearest(stranger).distance < threshold).length,
  };
  for (const face of faces) {
    if (enrolled.get(face.person) === face) continue;
    const { person, distance } = nearest(face.embedding);
    const right = person === face.person;
    figures.probes += 1;
    if (right) figures.rightNearest += 1;
    if (distance < threshold) figures[right ? 'named' : 'misnamed'] += 1;
  }
  return figures;
}

/** @param sorted ascending */
function countBelow(sorted: Float64Array, threshold: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < threshold) low = middle + 1;
    else high = middle;
  }
  return low;
}
