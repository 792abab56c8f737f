/** NumPy's .npy format (format version 1.0 written, 1.0 to 3.0 read), for one vector of floats; its header for a matrix. */
import { endianness } from 'node:os';

const IS_LITTLE = endianness() === 'LE';
const MAGIC = Buffer.from('\x93NUMPY', 'latin1');
/** The header is padded so that the numbers begin at a multiple of this. */
const ALIGNMENT = 64;

/** Why a file cannot be used as a vector. Its message follows the file's name. */
export class NpyError extends Error {}

let lastHeader: { length: number; header: Buffer } = { length: -1, header: Buffer.alloc(0) };

/** @param vector copied as little-endian float32, shape (length,) */
export function encodeNpy(vector: Float32Array): Buffer {
  const { length, byteLength } = vector;
  // All vectors of a gallery have the same.
  if (lastHeader.length !== length) lastHeader = { length, header: encodeNpyHeader(`${length},`) };
  const { header } = lastHeader;
  const file = Buffer.alloc(header.length + byteLength);
  file.set(header);
  if (IS_LITTLE) file.set(new Uint8Array(vector.buffer, vector.byteOffset, byteLength), header.length);
  else vector.forEach((value, i) => file.writeFloatLE(value, header.length + i * 4));
  return file;
}

/** What comes before the numbers: little-endian float32. @param shape as between Python's brackets */
export function encodeNpyHeader(shape: string): Buffer {
  const text = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape}), }`;
  const preamble = MAGIC.length + 4;
  const padding = ALIGNMENT - ((preamble + text.length + 1) % ALIGNMENT);
  const header = Buffer.from(`${text}${' '.repeat(padding % ALIGNMENT)}\n`, 'latin1');
  const length = Buffer.alloc(2);
  length.writeUInt16LE(header.length);
  return Buffer.concat([MAGIC, Buffer.from([1, 0]), length, header]);
}

/** What a .npy file says of its numbers. */
export interface NpyHeader {
  /** Where the numbers begin, bytes. */
  start: number;
  shape: number[];
  /** Bytes of a number: 4 or 8. */
  width: number;
  isLittle: boolean;
}

/**
 * @param file its beginning, with the whole header
 * @throws NpyError naming what is wrong
 */
export function decodeNpyHeader(file: Buffer): NpyHeader {
  if (file.length < 12 || !file.subarray(0, 6).equals(MAGIC)) throw new NpyError('it is not a .npy file');
  const [major] = file.subarray(6);
  if (major < 1 || major > 3) throw new NpyError(`its format version ${major} is not known`);
  const wide = major > 1;
  const begin = wide ? 12 : 10;
  const start = begin + (wide ? file.readUInt32LE(8) : file.readUInt16LE(8));
  if (start > file.length) throw new NpyError('its header is cut off');
  const header = file.toString('latin1', begin, start);
  const [, order, width] = /'descr':\s*'([<>|=])f([48])'/.exec(header) ?? [];
  if (!width) throw new NpyError('it does not hold floats');
  if (/'fortran_order':\s*True/.test(header)) throw new NpyError('it is in Fortran order');
  const sizes = /'shape':\s*\(([\d,\s]*)\)/.exec(header)?.at(1) ?? '';
  const shape = sizes
    .split(',')
    .filter((part) => part.trim() !== '')
    .map(Number);
  return { start, shape, width: Number(width), isLittle: order !== '>' };
}

/**
 * Reads float32 or float64 of either byte order, of shape (n,) or (1, n).
 * @returns a new array
 * @throws NpyError naming what is wrong
 */
export function decodeNpy(file: Buffer): Float32Array {
  const { start, shape, width, isLittle } = decodeNpyHeader(file);
  const count = shape.at(-1);
  const isVector = count !== undefined && shape.slice(0, -1).every((size) => size === 1);
  if (!isVector) throw new NpyError(`its shape (${shape.join(', ')}) is not a vector's`);
  if (file.length !== start + count * width)
    throw new NpyError(`it does not hold the ${count} numbers it names`);
  const view = new DataView(file.buffer, file.byteOffset + start);
  return Float32Array.from({ length: count }, (_, i) =>
    width === 4 ? view.getFloat32(i * 4, isLittle) : view.getFloat64(i * 8, isLittle),
  );
}
