/** Reads the entropy-coded data of a sequential JPEG (ITU-T T.81, annexes C and F); in C++: native/pixels/blocks.h. */

/** Codes of up to so many bits are found by one look. */
const QUICK = 9;
const LONGEST = 16;
/** Bits of a code that is found by one look, and of the number behind it. */
const LONGEST_STEP = QUICK + 15;
/** Coefficients of a block, its mean among them. */
const BLOCK = 64;
/** Values of coefficients: the rest of the block is zero; sixteen zeros follow one another. */
const [END, ZEROS] = [0, 0xf0];

/** Where the parts of a table begin that is packed into one array, and how long it is. */
const [AT_STEPS, AT_LIMITS] = [1 << QUICK, 2 << QUICK];
const [AT_OFFSETS, AT_VALUES] = [AT_LIMITS + LONGEST + 1, AT_LIMITS + 2 * (LONGEST + 1)];
export const TABLE_LENGTH = AT_VALUES + 256;

/** The codes of one class; the parts are views of `packed`. */
export interface HuffmanTable {
  packed: Int32Array;
  /** By the next 9 bits: length of the code times 256, and its value; 0: the code is longer. */
  quick: Int32Array;
  /** As that, of coefficients: how many it passes over times 256 ({@link END}: more than there are), and all bits it takes. */
  steps: Int32Array;
  /** By the length of a code: the first code that is longer, left in 16 bits; and where its values begin, less its first. */
  limits: Int32Array;
  offsets: Int32Array;
  values: Int32Array;
}

/** @param packed {@link TABLE_LENGTH} numbers; kept */
export const tableOf = (packed: Int32Array): HuffmanTable => ({
  packed,
  quick: packed.subarray(0, AT_STEPS),
  steps: packed.subarray(AT_STEPS, AT_LIMITS),
  limits: packed.subarray(AT_LIMITS, AT_OFFSETS),
  offsets: packed.subarray(AT_OFFSETS, AT_VALUES),
  values: packed.subarray(AT_VALUES, TABLE_LENGTH),
});

export const NO_CODES = tableOf(new Int32Array(TABLE_LENGTH));

/**
 * @param segment how many codes there are of 1 to 16 bits, then their values
 * @returns the table, and how many bytes describe it; undefined where that is none
 */
export function huffmanTable(segment: Uint8Array): { table: HuffmanTable; length: number } | undefined {
  const counts = segment.subarray(0, LONGEST);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const length = LONGEST + total;
  if (total > 256 || segment.length < length) return undefined;
  const table = tableOf(new Int32Array(TABLE_LENGTH));
  const { quick, steps, limits, offsets, values } = table;
  values.set(segment.subarray(LONGEST, length));
  let code = 0;
  let at = 0;
  for (let bits = 1; bits <= LONGEST; bits++, code <<= 1) {
    const count = counts[bits - 1];
    // More codes than so many bits can tell apart.
    if (code + count > 1 << bits) return undefined;
    offsets[bits] = at - code;
    if (bits <= QUICK)
      for (let i = 0; i < count; i++) {
        const value = values[at + i];
        const from = (code + i) << (QUICK - bits);
        const to = from + (1 << (QUICK - bits));
        quick.fill((bits << 8) | value, from, to);
        steps.fill((passedBy(value) << 8) | (bits + (value & 15)), from, to);
      }
    code += count;
    at += count;
    limits[bits] = code << (LONGEST - bits);
  }
  return { table, length };
}

/** How many coefficients a value passes over: those that are zero and the one behind them. */
function passedBy(value: number): number {
  if (value === END) return 2 * BLOCK;
  // A number of no bits.
  if ((value & 15) === 0 && value !== ZEROS) return BLOCK;
  return (value >> 4) + 1;
}

/** @param at where the data begin, which end at the next marker */
export function createBitReader(bytes: Uint8Array, at: number) {
  let next = at;
  /** The next bits, from the highest on, and how many there are. */
  let bits = 0;
  let count = 0;
  /** How many of them are no data: the data are over. */
  let padding = 0;

  /** Makes 25 bits or more. */
  function fill(): void {
    while (count <= 24) {
      let byte = 0;
      if (next < bytes.length && bytes[next] !== 0xff) byte = bytes[next++];
      else if (next + 1 < bytes.length && bytes[next + 1] === 0) {
        byte = 0xff;
        next += 2;
      } else padding += 8;
      bits |= byte << (24 - count);
      count += 8;
    }
  }

  /** @returns the code's value; -1: there is no such code */
  function symbol({ quick, limits, offsets, values }: HuffmanTable): number {
    if (count < LONGEST) fill();
    const found = quick[bits >>> (32 - QUICK)];
    if (found !== 0) {
      bits <<= found >> 8;
      count -= found >> 8;
      return found & 255;
    }
    const ahead = bits >>> LONGEST;
    for (let length = QUICK + 1; length <= LONGEST; length++) {
      if (ahead >= limits[length]) continue;
      bits <<= length;
      count -= length;
      return values[offsets[length] + (ahead >> (LONGEST - length))] ?? -1;
    }
    return -1;
  }

  function drop(length: number): void {
    if (count < length) fill();
    bits <<= length;
    count -= length;
  }

  return {
    /** How far a block's mean is from the last one's; NaN: that is no number. */
    difference(table: HuffmanTable): number {
      const length = symbol(table);
      if (length < 0 || length > LONGEST) return NaN;
      if (length === 0) return 0;
      if (count < length) fill();
      const value = bits >>> (32 - length);
      drop(length);
      // Half of the numbers of so many bits are negative.
      return value < 1 << (length - 1) ? value - (1 << length) + 1 : value;
    },

    /** Passes over a block's other coefficients. @returns whether that was possible */
    skipBlock(table: HuffmanTable): boolean {
      const { steps } = table;
      let k = 1;
      while (k < BLOCK) {
        // The innermost loop: what it needs lies in variables of its own.
        let [ahead, held] = [bits, count];
        while (held >= LONGEST_STEP && k < BLOCK) {
          const step = steps[ahead >>> (32 - QUICK)];
          if (step === 0) break;
          k += step >> 8;
          ahead <<= step & 255;
          held -= step & 255;
        }
        const isLong = held >= LONGEST_STEP && k < BLOCK;
        [bits, count] = [ahead, held];
        if (isLong) {
          const value = symbol(table);
          if (value < 0) return false;
          k += passedBy(value);
          drop(value & 15);
        } else if (k < BLOCK) fill();
      }
      return k === BLOCK || k > 2 * BLOCK;
    },

    /** Whether more was read than there is. */
    isOver: (): boolean => count < padding,

    /** Goes on behind the marker that must come now, after less than a byte. @returns whether it came */
    restart(): boolean {
      if (count < padding || count - padding >= 8) return false;
      bits = count = padding = 0;
      while (bytes[next] === 0xff && bytes[next + 1] === 0xff) next += 1;
      const isThere = bytes[next] === 0xff && (bytes[next + 1] & 0xf8) === 0xd0;
      next += 2;
      return isThere;
    },
  };
}
