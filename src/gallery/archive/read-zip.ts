/** Opens zips that may be made to harm: what an entry says of itself must be what the list of entries says of it. */
import { fstat } from 'node:fs';
import { open } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { promisify } from 'node:util';
import { crc32, createInflateRaw, inflateRaw } from 'node:zlib';
import { refuseArchive } from './format.js';
import { readAt, readRange } from './nameless.js';
import { ENCRYPTED, listEntries, LOCAL, NAME_BYTES, STORED } from './zip-list.js';

const LOCAL_SIGNATURE = 0x04034b50;
/** Bit 3: checksum and sizes follow the content, so the header may have zeros. */
const FOLLOWING = 0x8;
const FULL32 = 0xffffffff;

const inflate = promisify(inflateRaw);

/** A zip whose list of entries was checked: no name twice, no two in the same place, no size beyond the file's. */
export interface Zip {
  /** Bytes of the archive. */
  readonly size: number;
  /** Name -> number of the entry, for {@link Zip.read} and others; in the archive's order. */
  readonly names: ReadonlyMap<string, number>;
  /** Row -> number of the entry `pictures/<row>.png`; they are not among the names. */
  readonly pictures: ReadonlyMap<number, number>;
  /** Unpacked, bytes. */
  bytesOf(entry: number): number;
  /** A whole entry. @throws KaomonError ARCHIVE_INVALID when it is damaged, or longer than allowed */
  read(entry: number, mostBytes: number): Promise<Buffer>;
  /** An entry, a piece at a time; fails at its end where its checksum differs. @throws KaomonError ARCHIVE_INVALID */
  stream(entry: number): AsyncGenerator<Buffer>;
  /** Reads a part of an entry that is not compressed. @throws KaomonError ARCHIVE_INVALID */
  opener(entry: number): Promise<(from: number, length: number) => Promise<Buffer>>;
  close(): Promise<void>;
}

/**
 * @param file its path, or a descriptor, which the caller closes
 * @throws KaomonError ARCHIVE_INVALID
 */
export async function openZip(file: string | number): Promise<Zip> {
  if (typeof file === 'number') return openDescriptor(file, () => Promise.resolve());
  const handle = await open(file, 'r');
  try {
    return await openDescriptor(handle.fd, () => handle.close());
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openDescriptor(descriptor: number, close: () => Promise<void>): Promise<Zip> {
  const { size } = await promisify(fstat)(descriptor);
  const listed = await listEntries(descriptor, size);
  const { table, names, pictures } = listed;
  const nameOf = (entry: number) => table.name(entry);
  function damaged(entry: number, cause?: unknown): never {
    refuseArchive(`${nameOf(entry)} is damaged`, cause);
  }

  /** Where the content begins. @param header from the entry's place on, as much as is there */
  function locate(entry: number, header: Buffer): number {
    const at = table.place(entry);
    if (header.length < LOCAL || header.readUInt32LE(0) !== LOCAL_SIGNATURE) damaged(entry);
    const flags = header.readUInt16LE(6);
    const nameLength = header.readUInt16LE(26);
    const name = header.toString('latin1', LOCAL, LOCAL + nameLength);
    const same = (from: number, wanted: number) => {
      const found = header.readUInt32LE(from);
      return (
        found === wanted || (from !== 14 && found === FULL32) || ((flags & FOLLOWING) !== 0 && found === 0)
      );
    };
    const isSame =
      name === nameOf(entry) &&
      header.readUInt16LE(8) === table.method(entry) &&
      (flags & ENCRYPTED) === 0 &&
      same(14, table.crc(entry)) &&
      same(18, table.packed(entry)) &&
      same(22, table.bytes(entry));
    if (!isSame) refuseArchive(`${nameOf(entry)} is not what the list of entries says`);
    const start = at + LOCAL + nameLength + header.readUInt16LE(28);
    if (start + table.packed(entry) > table.limit(entry))
      refuseArchive(`${nameOf(entry)} lies over another entry`);
    return start;
  }

  const find = async (entry: number) =>
    locate(entry, await readAt(descriptor, table.place(entry), LOCAL + NAME_BYTES));

  async function unpack(entry: number, packed: Buffer): Promise<Buffer> {
    if (table.method(entry) === STORED) return packed;
    try {
      return await inflate(packed, { maxOutputLength: Math.max(1, table.bytes(entry)) });
    } catch (error) {
      damaged(entry, error);
    }
  }

  return {
    size,
    names,
    pictures,
    bytesOf: (entry) => table.bytes(entry),

    async read(entry, mostBytes) {
      if (table.bytes(entry) > mostBytes || table.packed(entry) > mostBytes * 2)
        refuseArchive(`${nameOf(entry)} is too large`);
      // Mostly its header and its content are all that there is up to the next entry.
      const at = table.place(entry);
      const most = LOCAL + NAME_BYTES + table.packed(entry);
      const whole = await readAt(descriptor, at, Math.min(most, table.limit(entry) - at));
      const start = locate(entry, whole) - at;
      const end = start + table.packed(entry);
      const packed =
        end <= whole.length ? whole.subarray(start, end) : await readAt(descriptor, at + start, end - start);
      const bytes = await unpack(entry, packed);
      if (bytes.length !== table.bytes(entry) || crc32(bytes) !== table.crc(entry)) damaged(entry);
      return bytes;
    },

    async *stream(entry) {
      const start = await find(entry);
      const packed = readRange(descriptor, start, start + table.packed(entry));
      let crc = 0;
      let length = 0;
      try {
        for await (const chunk of table.method(entry) === STORED ? packed : inflated(packed)) {
          length += chunk.length;
          if (length > table.bytes(entry)) damaged(entry);
          crc = crc32(chunk, crc);
          yield chunk;
        }
      } catch (error) {
        if (
          error instanceof Error &&
          'errno' in error &&
          String((error as { code?: unknown }).code).startsWith('Z_')
        )
          damaged(entry, error);
        throw error;
      }
      if (length !== table.bytes(entry) || crc !== table.crc(entry)) damaged(entry);
    },

    async opener(entry) {
      if (table.method(entry) !== STORED) refuseArchive(`${nameOf(entry)} is compressed: store it as it is`);
      const start = await find(entry);
      return async (from, length) => {
        if (from + length > table.bytes(entry)) damaged(entry);
        return readAt(descriptor, start + from, length);
      };
    },

    close,
  };
}

function inflated(packed: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const stream = createInflateRaw();
  // The error comes out of the stream as well.
  pipeline(Readable.from(packed), stream, () => undefined);
  return stream as AsyncIterable<Buffer>;
}
