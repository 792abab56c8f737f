/** Reads headers of Linux libraries (ELF; `man 5 elf` has the tables), in pieces: CUDA's is 272 MB. */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const X86_64 = 62;
const LOAD = 1;
const DYNAMIC = 2;
const NEEDED = 1;
const STRING_TABLE = 5;
const STRING_TABLE_SIZE = 10;

/**
 * @param {string} file
 * @returns {string[] | undefined} the libraries that it needs (`DT_NEEDED`); undefined when it is not a complete
 *   library for x86-64
 */
export function neededBy(file) {
  const handle = openSync(file, 'r');
  try {
    const { size } = fstatSync(handle);
    /** @param {number} from @param {number} length */
    const read = (from, length) => {
      if (from + length > size || length > 1 << 24) throw new RangeError('cut off');
      const bytes = Buffer.alloc(length);
      readSync(handle, bytes, 0, length, from);
      return bytes;
    };
    return neededIn(read);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  } finally {
    closeSync(handle);
  }
}

/** @param {(from: number, length: number) => Buffer} read @throws {RangeError} when it is cut off */
function neededIn(read) {
  const head = read(0, 64);
  const isLibrary = head.subarray(0, 6).equals(Buffer.from('\x7fELF\x02\x01', 'latin1'));
  if (!isLibrary || head.readUInt16LE(18) !== X86_64) return undefined;
  // The table of sections is the last thing in a file.
  read(number(head, 40), head.readUInt16LE(58) * head.readUInt16LE(60));

  const [size, count] = [head.readUInt16LE(54), head.readUInt16LE(56)];
  const table = read(number(head, 32), size * count);
  const segments = Array.from({ length: count }, (_, i) => {
    const at = i * size;
    return {
      type: table.readUInt32LE(at),
      offset: number(table, at + 8),
      address: number(table, at + 16),
      length: number(table, at + 32),
    };
  });
  const dynamic = segments.find(({ type }) => type === DYNAMIC);
  if (!dynamic) return undefined;
  const entries = read(dynamic.offset, dynamic.length);
  /** @type {number[]} */
  const names = [];
  let strings = 0;
  let stringsLength = 0;
  for (let at = 0; at + 16 <= entries.length; at += 16) {
    const [tag, value] = [number(entries, at), number(entries, at + 8)];
    if (tag === NEEDED) names.push(value);
    else if (tag === STRING_TABLE) strings = value;
    else if (tag === STRING_TABLE_SIZE) stringsLength = value;
  }
  const home = segments.find(
    ({ type, address, length }) => type === LOAD && strings >= address && strings < address + length,
  );
  if (!home) return undefined;
  const text = read(strings - home.address + home.offset, stringsLength).toString('latin1');
  return names.map((from) => text.slice(from, text.indexOf('\0', from)));
}

/** A 64-bit number, none of which is larger than a file here. @param {Buffer} bytes @param {number} at */
function number(bytes, at) {
  return Number(bytes.readBigUInt64LE(at));
}

/** Whether a file contains a text. @param {string} file @param {string} text */
export function holdsText(file, text) {
  const wanted = Buffer.from(text, 'latin1');
  const piece = Buffer.alloc(1 << 24);
  const handle = openSync(file, 'r');
  try {
    for (let from = 0; ; from += piece.length - wanted.length) {
      const length = readSync(handle, piece, 0, piece.length, from);
      if (piece.subarray(0, length).includes(wanted)) return true;
      if (length < piece.length) return false;
    }
  } finally {
    closeSync(handle);
  }
}
