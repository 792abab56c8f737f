import { readFileSync } from 'node:fs';
import path from 'node:path';
import { PROJECT_ROOT } from '../../src/platform/root.js';

/** What PyTorch answers for the seeded weights: test/golden/make_goldens.py writes it and says how. */
export interface SeededGolden {
  /** The first 64 of 512 numbers, by the name of the made picture. */
  embeddings: Record<string, number[]>;
  pnet: [probability: number[], regression: number[]];
  rnet: [probability: number[], regression: number[]];
  onet: [probability: number[], regression: number[], landmarks: number[]];
  cascade: {
    width: number;
    height: number;
    minFaceSize: number;
    thresholds: [number, number, number];
    faces: { box: [number, number, number, number]; probability: number; landmarks: number[] }[];
  };
}

export function seededGolden(): SeededGolden {
  const file = path.join(PROJECT_ROOT, 'test', 'golden', 'seeded.json');
  return JSON.parse(readFileSync(file, 'utf8')) as SeededGolden;
}

/** Largest difference of two lists; NaN when they are not of one length. */
export function largestDifference(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  if (actual.length !== expected.length) return NaN;
  let largest = 0;
  for (let i = 0; i < actual.length; i++) {
    const difference = Math.abs(actual[i] - expected[i]);
    if (!(difference <= largest)) largest = difference;
  }
  return largest;
}
