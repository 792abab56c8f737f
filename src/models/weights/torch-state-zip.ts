import { KaomonError } from '../../platform/errors.js';
import type { ReadPickle } from './torch-state-legacy.js';
import { unpickle } from './torch-state-pickle.js';
import { stateDictHandlers } from './torch-state-storage.js';

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
/** The end record and the longest comment behind it. */
const END_REACH = 22 + 65535;
/** In a 16- or 32-bit field: the number stands in the zip64 extra. */
const SEE_64_COUNT = 0xffff;
const SEE_64 = 0xffffffff;
const ZIP64_EXTRA = 1;

interface Entry {
  /** First byte of the content. */
  start: number;
  bytes: number;
}

export function isZip(bytes: Buffer): boolean {
  return bytes.length >= 4 && bytes.readUInt32LE(0) === LOCAL;
}

/**
 * Reads torch.save's format since 2020: a zip file of stored entries, `<name>/data.pkl` and one `<name>/data/<key>`
 * a storage.
 * @param bytes the whole file
 * @throws KaomonError SETUP naming what is wrong
 */
export function readZip(bytes: Buffer, source: string): ReadPickle {
  const refuse = (reason: string): never => {
    throw new KaomonError('SETUP', `${source} is not read: ${reason}.`);
  };
  let entries: Map<string, Entry>;
  try {
    entries = listEntries(bytes);
  } catch (error) {
    // Buffer's own check of every read stands for a length beyond the file.
    if (error instanceof RangeError)
      return refuse('its zip directory points behind its end: it is cut off or damaged');
    if (error instanceof ZipProblem) return refuse(error.message);
    throw error;
  }
  const pickles = [...entries].filter(([name]) => name.endsWith('/data.pkl'));
  if (pickles.length !== 1) return refuse(`it holds ${pickles.length} files data.pkl instead of one`);
  const [[main, pickle]] = pickles;
  const folder = main.slice(0, -'data.pkl'.length);
  const order = entries.get(`${folder}byteorder`);
  if (order && bytes.toString('latin1', order.start, order.start + order.bytes) !== 'little') {
    return refuse('it was written by a big-endian machine');
  }

  const handlers = stateDictHandlers(source);
  const { value } = unpickle(bytes.subarray(0, pickle.start + pickle.bytes), pickle.start, source, handlers);
  for (const storage of handlers.storages.values()) {
    const entry = entries.get(`${folder}data/${storage.key}`);
    if (!entry) return refuse(`the storage ${storage.key} is not in it`);
    if (entry.bytes !== storage.length * storage.bytesPerElement) {
      return refuse(
        `the storage ${storage.key} has ${entry.bytes} bytes where ${storage.length} elements were announced`,
      );
    }
    storage.start = entry.start;
  }
  return { root: value, storages: handlers.storages };
}

class ZipProblem extends Error {}

/** The entries by name (APPNOTE.TXT 4.3 and 4.5.3; offsets as published there). */
function listEntries(bytes: Buffer): Map<string, Entry> {
  const { count, directory } = findDirectory(bytes);
  const entries = new Map<string, Entry>();
  let at = directory;
  for (let i = 0; i < count; i++) {
    if (bytes.readUInt32LE(at) !== CENTRAL) throw new ZipProblem('its zip directory is damaged');
    const [flags, method] = [bytes.readUInt16LE(at + 8), bytes.readUInt16LE(at + 10)];
    const nameEnd = at + 46 + bytes.readUInt16LE(at + 28);
    const extraEnd = nameEnd + bytes.readUInt16LE(at + 30);
    const name = bytes.toString('utf8', at + 46, nameEnd);
    const wide = readExtra64(bytes.subarray(nameEnd, extraEnd));
    // The extra holds only those of the four numbers that did not fit, in this order.
    const size = (field: number) => {
      const short = bytes.readUInt32LE(field);
      return short === SEE_64 ? wide() : short;
    };
    const unpacked = size(at + 24);
    const packed = size(at + 20);
    const header = size(at + 42);
    if (method !== 0 || packed !== unpacked)
      throw new ZipProblem(`its entry ${name} is compressed, which torch.save does not do`);
    if ((flags & 1) !== 0) throw new ZipProblem(`its entry ${name} is encrypted`);
    if (entries.has(name)) throw new ZipProblem(`its entry ${name} is there twice`);
    if (bytes.readUInt32LE(header) !== LOCAL) throw new ZipProblem(`its entry ${name} has no header`);
    const start = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28);
    if (start + unpacked > bytes.length)
      throw new ZipProblem(`its entry ${name} ends behind the end of the file`);
    entries.set(name, { start, bytes: unpacked });
    at = extraEnd + bytes.readUInt16LE(at + 32);
  }
  return entries;
}

function findDirectory(bytes: Buffer): { count: number; directory: number } {
  for (let at = bytes.length - 22; at >= Math.max(0, bytes.length - END_REACH); at--) {
    if (bytes.readUInt32LE(at) !== END) continue;
    const count = bytes.readUInt16LE(at + 10);
    const directory = bytes.readUInt32LE(at + 16);
    if (count !== SEE_64_COUNT && directory !== SEE_64) return { count, directory };
    if (bytes.readUInt32LE(at - 20) !== LOCATOR_64) throw new ZipProblem('its zip64 directory is missing');
    const end64 = toNumber(bytes.readBigUInt64LE(at - 12));
    if (bytes.readUInt32LE(end64) !== END_64) throw new ZipProblem('its zip64 directory is damaged');
    return {
      count: toNumber(bytes.readBigUInt64LE(end64 + 32)),
      directory: toNumber(bytes.readBigUInt64LE(end64 + 48)),
    };
  }
  throw new ZipProblem('its zip directory is missing: it is cut off');
}

/** Answers the numbers of a zip64 extra one after the other. */
function readExtra64(extra: Buffer): () => number {
  let at = 0;
  while (at + 4 <= extra.length && extra.readUInt16LE(at) !== ZIP64_EXTRA)
    at += 4 + extra.readUInt16LE(at + 2);
  at += 4;
  return () => {
    at += 8;
    return toNumber(extra.readBigUInt64LE(at - 8));
  };
}

function toNumber(value: bigint): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER))
    throw new ZipProblem('its zip directory names an impossible size');
  return Number(value);
}
