import { writeFile } from 'node:fs/promises';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

const SEGMENT = { load: 1, dynamic: 2 };
const TAG = { needed: 1, strings: 5, stringsLength: 10 };

/**
 * The smallest library for x86-64 that names others: header, two segments, names, the table of sections at the end.
 * @param needed what it names
 * @param text stands in it
 */
export function makeLibrary(needed: readonly string[], text = ''): Buffer {
  const strings = Buffer.from(`\0${needed.map((name) => `${name}\0`).join('')}${text}\0`, 'latin1');
  const [headers, base] = [64 + 2 * 56, 0x10000];
  const dynamic = Buffer.alloc((needed.length + 3) * 16);
  const entries: [tag: number, value: number][] = [];
  for (let i = 0, at = 1; i < needed.length; at += needed[i].length + 1, i++) entries.push([TAG.needed, at]);
  entries.push([TAG.strings, base + headers], [TAG.stringsLength, strings.length]);
  for (const [i, [tag, value]] of entries.entries()) {
    dynamic.writeBigUInt64LE(BigInt(tag), i * 16);
    dynamic.writeBigUInt64LE(BigInt(value), i * 16 + 8);
  }
  const dynamicAt = headers + strings.length;
  const sectionsAt = dynamicAt + dynamic.length;
  const head = Buffer.alloc(headers);
  head.write('\x7fELF\x02\x01\x01', 'latin1');
  head.writeUInt16LE(3, 16);
  head.writeUInt16LE(62, 18);
  head.writeBigUInt64LE(64n, 32);
  head.writeBigUInt64LE(BigInt(sectionsAt), 40);
  head.writeUInt16LE(56, 54);
  head.writeUInt16LE(2, 56);
  head.writeUInt16LE(64, 58);
  head.writeUInt16LE(1, 60);
  const segment = (index: number, type: number, offset: number, length: number) => {
    const at = 64 + index * 56;
    head.writeUInt32LE(type, at);
    head.writeBigUInt64LE(BigInt(offset), at + 8);
    head.writeBigUInt64LE(BigInt(base + offset), at + 16);
    head.writeBigUInt64LE(BigInt(length), at + 32);
  };
  segment(0, SEGMENT.load, 0, sectionsAt);
  segment(1, SEGMENT.dynamic, dynamicAt, dynamic.length);
  return Buffer.concat([head, strings, dynamic, Buffer.alloc(64)]);
}

/** Writes a zip. @param entries content by name @param compress left out: stored as they are */
export async function writeZip(
  file: string,
  entries: Record<string, Buffer | string>,
  compress = false,
): Promise<void> {
  const zip = new ZipFile();
  for (const [name, content] of Object.entries(entries))
    zip.addBuffer(Buffer.from(content), name, { compress });
  zip.end();
  await writeFile(file, await buffer(zip.outputStream));
}
