import type { Fingerprint } from '../models/types.js';
import { toPlanes } from './resample.js';

/** Least cosine of an answer to its fingerprint; working providers and processors reach 0.99999. */
export const LEAST_COSINE = 0.999;
/** The most numbers in a sketch. */
const SKETCH = 32;
/** A larger picture whose side 4 divides is made at a quarter of it and enlarged, to save time at each start. */
const LARGE = 256;
/** About how many numbers of an input its hash covers. */
const NAMED_BY = 65_536;
/** Answers that differ by less than this share of their length are equal. */
const SAME = 1e-6;

/**
 * An artificial picture that resembles a face in front of a wall, made by sums, products and quotients alone, so that it is
 * the same to the bit on every machine.
 * @param index which of several
 * @returns RGB, interleaved, `side * side * 3` bytes
 */
export function madeFace(side: number, index = 0): Uint8Array {
  if (side > LARGE && side % 4 === 0) return enlarged(madeFace(side / 4, index), side);
  const face = new Uint8Array(3 * side * side);
  /** 1 inside an ellipse, 0 outside, smoothly. */
  const inside = (x: number, y: number, width: number, height: number) => {
    // Products, because powers differ in the last bits between machines.
    const across = x / width;
    const down = y / height;
    const square = across * across + down * down;
    return 1 / (1 + square * square * square);
  };
  for (let row = 0, at = 0; row < side; row++) {
    for (let column = 0; column < side; column++) {
      const x = (column + 0.5) / side - 0.5;
      const y = (row + 0.5) / side - 0.5;
      const head = inside(x, y, 0.33, 0.43);
      const dark =
        0.8 * (inside(x + 0.14, y + 0.09, 0.07, 0.04) + inside(x - 0.14, y + 0.09, 0.07, 0.04)) +
        0.4 * inside(x, y - 0.07, 0.03, 0.09) +
        0.6 * inside(x, y - 0.22, 0.13, 0.03);
      for (let channel = 0; channel < 3; channel++, at++) {
        const wall = 110 + (40 * (channel - 1) + 60 * (index % 2)) * x - 50 * y;
        const skin = (210 - 30 * channel) * (1 - 0.9 * Math.min(1, dark)) + 40 * x;
        const value = wall + (skin - wall) * head + 16 * (noise(at + 7919 * index) - 0.5);
        face[at] = Math.max(0, Math.min(255, value));
      }
    }
  }
  return face;
}

/** Repeats each pixel four times across and down. */
function enlarged(face: Uint8Array, side: number): Uint8Array {
  const large = new Uint8Array(3 * side * side);
  for (let row = 0, at = 0; row < side; row++) {
    const line = (row >> 2) * (side >> 2);
    for (let column = 0; column < side; column++) {
      const from = 3 * (line + (column >> 2));
      for (let channel = 0; channel < 3; channel++, at++) large[at] = face[from + channel];
    }
  }
  return large;
}

/** A pseudo-random value from 0 to 1 for a number (MurmurHash3's finaliser). */
function noise(number: number): number {
  let bits = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2ae35);
  return ((bits ^ (bits >>> 16)) >>> 0) / 4294967296;
}

/** Made faces as input of our networks: [count, 3, side, side], 0 to 255. */
export function madeFaces(side: number, count = 1): { data: Float32Array; shape: readonly number[] } {
  const face = 3 * side * side;
  const data = new Float32Array(count * face);
  for (let index = 0; index < count; index++)
    toPlanes(madeFace(side, index), side, side, data, { side, start: index * face });
  return { data, shape: [count, 3, side, side] };
}

type Inputs = Readonly<Record<string, { data: Float32Array; shape: readonly number[] }>>;
type Answers = Readonly<Record<string, Float32Array>>;

/** Identifies a network's input by its content (FNV-1a over the bits of its numbers, or of some of them). */
export function nameInput(inputs: Inputs): string {
  return Object.entries(inputs)
    .map(([name, { data, shape }]) => {
      const bits = new Int32Array(data.buffer, data.byteOffset, data.length);
      const step = Math.ceil(bits.length / NAMED_BY);
      let hash = 0x811c9dc5;
      for (let i = 0; i < bits.length; i += step) hash = Math.imul(hash ^ bits[i], 0x01000193);
      return `${name} ${shape.join('x')} ${(hash >>> 0).toString(16).padStart(8, '0')}`;
    })
    .join(', ');
}

/** Summarises an answer. */
export function fingerprintOf(input: string, answers: Answers): Fingerprint {
  const outputs = Object.entries(answers).map(([name, numbers]): [string, Fingerprint['outputs'][string]] => [
    name,
    {
      length: numbers.length,
      sketch: Array.from(sketchOf(numbers), (value) => Number(value.toPrecision(7))),
    },
  ]);
  return { input, outputs: Object.fromEntries(outputs) };
}

/**
 * A count sketch (Charikar, Chen and Farach-Colton 2002): each number is added to or subtracted from one of 32 sums. The
 * distance of two sketches is that of the answers, to within about a quarter.
 */
function sketchOf(numbers: Float32Array): Float64Array {
  const sums = new Float64Array(Math.min(SKETCH, numbers.length));
  for (let i = 0; i < numbers.length; i++) sums[i % SKETCH] += noise(i) < 0.5 ? numbers[i] : -numbers[i];
  return sums;
}

/** A fault that shows without a fingerprint, such as "answers zeros"; undefined when there is none. */
export function plainFault(answers: Answers): string | undefined {
  for (const numbers of Object.values(answers)) {
    if (numbers.length === 0) return 'answers nothing';
    if (numbers.some(Number.isNaN)) return 'answers NaN';
    if (!numbers.every(Number.isFinite)) return 'answers infinity';
    const [first] = numbers;
    if (numbers.every((value) => value === 0)) return 'answers zeros';
    if (numbers.length > 1 && numbers.every((value) => value === first))
      return `answers nothing but ${Number(first.toPrecision(3))}`;
  }
  return undefined;
}

/** @returns how an answer differs from its fingerprint ("answers something else ..."); undefined when it does not */
export function strangeness(
  answers: Answers,
  expected: Fingerprint,
  least = LEAST_COSINE,
): string | undefined {
  for (const [name, { length, sketch }] of Object.entries(expected.outputs)) {
    const numbers = answers[name] as Float32Array | undefined;
    if (numbers?.length !== length)
      return `answers ${numbers?.length ?? 'no'} numbers as "${name}" instead of ${length}`;
    const found = sketchOf(numbers);
    // By distance and not by angle, so that an answer of twice the size is also wrong.
    if (distance(found, sketch) <= Math.sqrt(2 - 2 * least) * size(sketch)) continue;
    const cosine = product(found, sketch) / (size(found) * size(sketch));
    return `answers something else than it should (cosine ${cosine.toFixed(3)}, ${(size(found) / size(sketch)).toFixed(2)} times as long, as "${name}")`;
  }
  return undefined;
}

/** Whether two answers of a network are equal. */
export function areSame(answers: Answers, others: Answers): boolean {
  return Object.entries(answers).every(
    ([name, numbers]) => distance(numbers, others[name]) <= SAME * size(numbers),
  );
}

type Vector = ArrayLike<number>;

function product(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

const size = (a: Vector) => Math.sqrt(product(a, a));

function distance(a: Vector, b: Vector): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2;
  return Math.sqrt(sum);
}
