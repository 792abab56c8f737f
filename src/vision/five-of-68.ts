import type { Landmarks } from './types.js';

/** The iBUG order: 36 to 41 one eye, 42 to 47 the other, 30 the nose's tip, 48 and 54 the mouth's corners. */
const LEFT_EYE = [36, 41] as const;
const RIGHT_EYE = [42, 47] as const;
const NOSE_TIP = 30;
const MOUTH_LEFT = 48;
const MOUTH_RIGHT = 54;

/**
 * The five points that every alignment needs, out of 68: eye centres, nose tip, mouth corners.
 * @param points `[x, y] * 68`
 * @returns a new array in the order of {@link Landmarks}
 */
export function fiveOf68(points: Float32Array): Landmarks {
  const centre = ([from, to]: readonly [number, number], axis: number) => {
    let sum = 0;
    for (let i = from; i <= to; i++) sum += points[i * 2 + axis];
    return sum / (to - from + 1);
  };
  const at = (i: number) => [points[i * 2], points[i * 2 + 1]];
  const eyes = [centre(LEFT_EYE, 0), centre(LEFT_EYE, 1), centre(RIGHT_EYE, 0), centre(RIGHT_EYE, 1)];
  return Float32Array.of(...eyes, ...at(NOSE_TIP), ...at(MOUTH_LEFT), ...at(MOUTH_RIGHT));
}
