/**
 * Writes a zip of members that are not compressed, as a stream. The libraries for it keep an object for every member
 * (yazl even looks through all of them for each one, which took minutes at a hundred thousand); here the list of members
 * is spooled. Zip64 is used where the numbers need it.
 */
import { crc32 } from 'node:zlib';
import type { Spool } from './spool.js';

const LOCAL = 0x04034b50;
const DESCRIPTOR = 0x08074b50;
const CENTRAL = 0x02014b50;
const END64 = 0x06064b50;
const LOCATOR64 = 0x07064b50;
const END = 0x06054b50;
/** Numbers from here on are written in a zip64 field. */
const FULL32 = 0xffffffff;
const FULL16 = 0xffff;
/** The versions of the format that a reader must know, times ten. */
const PLAIN = 20;
const ZIP64 = 45;
const ZIP64_FIELD = 1;
/** Made by Unix, whose permissions (a file, 0600) are in the upper half of the external attributes. */
const MADE_BY = (3 << 8) | ZIP64;
const MODE = 0o100600 * 0x10000;
/** Bit 3: the checksum follows the content. Bit 11: names are UTF-8. */
const FLAGS = { known: 0x800, following: 0x808 };

export type ZipWriter = ReturnType<typeof createZipWriter>;

/**
 * @param directory an empty spool for the list of members; the caller closes it
 * @param at the date of the members
 */
export function createZipWriter(directory: Spool, at: Date) {
  let offset = 0;
  let count = 0;
  const date = dosDate(at);

  function local(name: Buffer, size: number, crc: number | undefined): Buffer {
    const isLarge = size >= FULL32;
    const header = Buffer.alloc(30 + name.length + (isLarge ? 20 : 0));
    header.writeUInt32LE(LOCAL, 0);
    header.writeUInt16LE(isLarge ? ZIP64 : PLAIN, 4);
    header.writeUInt16LE(crc === undefined ? FLAGS.following : FLAGS.known, 6);
    header.writeUInt32LE(date, 10);
    header.writeUInt32LE(crc ?? 0, 14);
    // The size is given even where the checksum follows, so that a reader without the list at the end finds its way.
    for (const place of [18, 22]) header.writeUInt32LE(isLarge ? FULL32 : size, place);
    header.writeUInt16LE(name.length, 26);
    header.writeUInt16LE(isLarge ? 20 : 0, 28);
    name.copy(header, 30);
    if (isLarge) writeZip64(header, 30 + name.length, [size, size]);
    return header;
  }

  async function list(name: Buffer, size: number, crc: number, flags: number): Promise<void> {
    const far = [...(size >= FULL32 ? [size, size] : []), ...(offset >= FULL32 ? [offset] : [])];
    const extra = far.length > 0 ? 4 + far.length * 8 : 0;
    const entry = Buffer.alloc(46 + name.length + extra);
    entry.writeUInt32LE(CENTRAL, 0);
    entry.writeUInt16LE(MADE_BY, 4);
    entry.writeUInt16LE(extra > 0 ? ZIP64 : PLAIN, 6);
    entry.writeUInt16LE(flags, 8);
    entry.writeUInt32LE(date, 12);
    entry.writeUInt32LE(crc, 16);
    for (const place of [20, 24]) entry.writeUInt32LE(Math.min(size, FULL32), place);
    entry.writeUInt16LE(name.length, 28);
    entry.writeUInt16LE(extra, 30);
    entry.writeUInt32LE(MODE, 38);
    entry.writeUInt32LE(Math.min(offset, FULL32), 42);
    name.copy(entry, 46);
    if (extra > 0) writeZip64(entry, 46 + name.length, far);
    await directory.append(entry);
    count += 1;
  }

  return {
    /** Adds a small member. */
    async *add(name: string, bytes: Buffer): AsyncGenerator<Buffer> {
      const text = Buffer.from(name);
      const crc = crc32(bytes);
      const whole = Buffer.concat([local(text, bytes.length, crc), bytes]);
      await list(text, bytes.length, crc, FLAGS.known);
      offset += whole.length;
      yield whole;
    },

    /** Adds a large member. @param size the bytes of all chunks */
    async *stream(name: string, size: number, chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
      const text = Buffer.from(name);
      const header = local(text, size, undefined);
      yield header;
      let crc = 0;
      let written = 0;
      for await (const chunk of chunks) {
        // zlib.crc32 of nothing is 0, whatever came before.
        if (chunk.length === 0) continue;
        crc = crc32(chunk, crc);
        written += chunk.length;
        yield chunk;
      }
      if (written !== size) throw new Error(`${name} has ${written} bytes, not the ${size} announced.`);
      const isLarge = size >= FULL32;
      const descriptor = Buffer.alloc(isLarge ? 24 : 16);
      descriptor.writeUInt32LE(DESCRIPTOR, 0);
      descriptor.writeUInt32LE(crc, 4);
      if (isLarge) for (const place of [8, 16]) descriptor.writeBigUInt64LE(BigInt(size), place);
      else for (const place of [8, 12]) descriptor.writeUInt32LE(size, place);
      await list(text, size, crc, FLAGS.following);
      offset += header.length + size + descriptor.length;
      yield descriptor;
    },

    /** Ends the zip; nothing may be added afterwards. */
    async *end(): AsyncGenerator<Buffer> {
      yield* directory.read();
      const { length } = directory;
      const isLarge = offset + length >= FULL32 || count >= FULL16;
      const tail = Buffer.alloc((isLarge ? 56 + 20 : 0) + 22);
      let place = 0;
      if (isLarge) {
        tail.writeUInt32LE(END64, 0);
        tail.writeBigUInt64LE(44n, 4);
        tail.writeUInt16LE(MADE_BY, 12);
        tail.writeUInt16LE(ZIP64, 14);
        for (const [i, number] of [count, count, length, offset].entries())
          tail.writeBigUInt64LE(BigInt(number), 24 + i * 8);
        tail.writeUInt32LE(LOCATOR64, 56);
        tail.writeBigUInt64LE(BigInt(offset + length), 64);
        tail.writeUInt32LE(1, 72);
        place = 76;
      }
      tail.writeUInt32LE(END, place);
      for (const at of [8, 10]) tail.writeUInt16LE(Math.min(count, FULL16), place + at);
      tail.writeUInt32LE(Math.min(length, FULL32), place + 12);
      tail.writeUInt32LE(Math.min(offset, FULL32), place + 16);
      yield tail;
    },
  };
}

function writeZip64(into: Buffer, at: number, numbers: readonly number[]): void {
  into.writeUInt16LE(ZIP64_FIELD, at);
  into.writeUInt16LE(numbers.length * 8, at + 2);
  for (const [i, number] of numbers.entries()) into.writeBigUInt64LE(BigInt(number), at + 4 + i * 8);
}

/** Time in the lower half, to two seconds, and date in the upper; a zip knows no dates before 1980. */
function dosDate(at: Date): number {
  const year = Math.min(Math.max(at.getUTCFullYear(), 1980), 2107);
  const day = ((year - 1980) << 9) | ((at.getUTCMonth() + 1) << 5) | at.getUTCDate();
  const time = (at.getUTCHours() << 11) | (at.getUTCMinutes() << 5) | (at.getUTCSeconds() >> 1);
  return ((day << 16) | time) >>> 0;
}
