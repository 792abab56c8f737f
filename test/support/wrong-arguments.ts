import assert from 'node:assert/strict';
import { seededRandom } from './vectors.js';

/** How an addon is called by somebody whom no type holds back. */
export type Call = (...args: unknown[]) => unknown;
export type Numbers = Uint8Array | Int32Array | Float32Array;

export const random = seededRandom(2);
export const below = (n: number) => Math.floor(random() * n);
export const oneOf = <T>(values: readonly T[]): T => values[below(values.length)];

/** TypeScript knows none that takes every buffer. */
type AnyArray = (new (buffer: ArrayBufferLike | number, offset?: number, length?: number) => Numbers) & {
  BYTES_PER_ELEMENT: number;
  from(items: { length: number }, make: () => number): Numbers;
};
const ARRAYS = [
  ...[Uint8Array, Uint8ClampedArray, Int8Array, Uint16Array, Int16Array, Uint32Array, Int32Array],
  ...[Float32Array, Float64Array],
] as unknown as AnyArray[];

/** A buffer that can be given another size; TypeScript knows it from ES2024 on. */
function resizable(size: number, most: number): ArrayBuffer & { resize(size: number): void } {
  const Resizable = ArrayBuffer as unknown as new (
    size: number,
    options: { maxByteLength: number },
  ) => ArrayBuffer & { resize(size: number): void };
  return new Resizable(size, { maxByteLength: most });
}

export function detached<T extends Numbers>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer as ArrayBuffer] });
  return array;
}

function anyArray(): unknown {
  const Kind = oneOf(ARRAYS);
  const length = oneOf([0, 1, 3, 12, 13, 100, 2000]);
  const bytes = length * Kind.BYTES_PER_ELEMENT;
  switch (below(6)) {
    case 0:
      return new Kind(new SharedArrayBuffer(bytes));
    case 1:
      return new Kind(new ArrayBuffer(bytes + 64), oneOf([0, 8, 64]));
    case 2:
      return detached(new Kind(length));
    case 3: {
      // As long as its buffer, and with a length of its own that the buffer no longer has.
      const buffer = resizable(bytes, 2 * bytes + 64);
      const array = random() < 0.5 ? new Kind(buffer) : new Kind(buffer, 0, length);
      buffer.resize(oneOf([0, (bytes >> 4) << 3, 2 * bytes]));
      return array;
    }
    default:
      return Kind.from({ length }, () => below(3) - (random() < 0.1 ? 2 : 0));
  }
}

const NUMBERS = [0, -0, 1, 2, 3, 5, 7, 64, 255, 256, 4095, 65_536, -1, 0.5, NaN, Infinity, -Infinity];
const HUGE = [2 ** 22, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, -(2 ** 31), 1e300, Number.MIN_VALUE];
const THINGS: unknown[] = [
  ...[undefined, null, true, '', '3', 'a\0b', 5n, Symbol('s'), {}, [], [1, 2, 3], new Date(0), /x/],
  ...[() => 1, new ArrayBuffer(64), new DataView(new ArrayBuffer(64)), new Proxy(new Uint8Array(99), {})],
  { valueOf: () => assert.fail('never asked'), toString: () => assert.fail('never asked') },
];

export function anything(): unknown {
  const roll = random();
  if (roll < 0.45) return oneOf(NUMBERS);
  if (roll < 0.55) return oneOf(HUGE);
  return roll < 0.85 ? anyArray() : oneOf(THINGS);
}

/** @returns whether the call was refused; by anything but a RangeError the test fails */
export function isRefused(call: () => unknown): boolean {
  try {
    call();
    return false;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return true;
  }
}

/** What no argument of a kind may be. An array must have its whole length. */
export function wrongOnes(right: unknown, isWhole: boolean): unknown[] {
  const never = [undefined, null, '1', 1n, {}, [1], true];
  if (typeof right === 'number') return isWhole ? [...never, -1, 0.5, NaN, Infinity, 2 ** 31, 1e300] : never;
  const array = right as Numbers;
  const other = array instanceof Float32Array ? Int32Array : Float32Array;
  return [
    ...[...never, 3, new other(array.length), new DataView(new ArrayBuffer(array.byteLength))],
    ...(array.length > 0 ? [array.slice(0, -1), detached(array.slice())] : []),
  ];
}
