/** A set of numbers from 0 on, a bit each. */
export interface Bits {
  /** How many are in it. */
  readonly size: number;
  add(number: number): void;
  has(number: number): boolean;
}

/** @param most every number is below it */
export function createBits(most: number): Bits {
  const bytes = new Uint8Array(Math.ceil(most / 8));
  let size = 0;
  // Not `number >> 3`, which is wrong from 2 ** 31 on.
  const has = (number: number) => (bytes[Math.floor(number / 8)] & (1 << (number % 8))) !== 0;
  return {
    get size() {
      return size;
    },
    add(number) {
      if (has(number)) return;
      bytes[Math.floor(number / 8)] |= 1 << (number % 8);
      size += 1;
    },
    has,
  };
}
