/** Makes archives to import, whole ones and such as are made to harm. */
import { createHash } from 'node:crypto';
import { crc32, deflateRawSync } from 'node:zlib';
import { encodeNpyHeader } from '../../src/gallery/store/npy.js';
import { PACK } from './app.js';

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** An entry of a zip; what is not said is as it should be. */
export interface ZipEntry {
  name: string;
  content: Buffer;
  deflate?: boolean;
  /** What the header before the content says instead. */
  localName?: string;
  localBytes?: number;
  /** What the list of entries says instead. */
  at?: number;
  bytes?: number;
  packedBytes?: number;
  crc?: number;
  flags?: number;
  method?: number;
  attributes?: number;
}

/** A zip, byte by byte: no library writes what tests need. */
export function rawZip(entries: readonly ZipEntry[], { count = entries.length } = {}): Buffer {
  const parts: Buffer[] = [];
  const list: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { content, deflate = false, flags = 0 } = entry;
    const packed = deflate ? deflateRawSync(content) : content;
    const method = entry.method ?? (deflate ? 8 : 0);
    const crc = entry.crc ?? crc32(content);
    const local = Buffer.alloc(30);
    const localName = Buffer.from(entry.localName ?? entry.name);
    local.writeUInt32LE(0x04034b50, 0);
    local.writeUInt16LE(20, 4);
    local.writeUInt16LE(flags, 6);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(crc, 14);
    local.writeUInt32LE(packed.length, 18);
    local.writeUInt32LE(entry.localBytes ?? content.length, 22);
    local.writeUInt16LE(localName.length, 26);
    const name = Buffer.from(entry.name);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50, 0);
    central.writeUInt16LE((3 << 8) | 20, 4);
    central.writeUInt16LE(20, 6);
    central.writeUInt16LE(flags, 8);
    central.writeUInt16LE(method, 10);
    central.writeUInt32LE(crc, 16);
    central.writeUInt32LE(entry.packedBytes ?? packed.length, 20);
    central.writeUInt32LE(entry.bytes ?? content.length, 24);
    central.writeUInt16LE(name.length, 28);
    central.writeUInt32LE(entry.attributes ?? 0, 38);
    central.writeUInt32LE(entry.at ?? offset, 42);
    list.push(central, name);
    if (entry.at === undefined) {
      parts.push(local, localName, packed);
      offset += 30 + localName.length + packed.length;
    }
  }
  const directory = Buffer.concat(list);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50, 0);
  for (const place of [8, 10]) end.writeUInt16LE(Math.min(count, 0xffff), place);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, directory, end]);
}

export interface MadePerson {
  groupid?: unknown;
  userid?: unknown;
  username?: unknown;
  metadata?: unknown;
  faces?: unknown;
}

/** What an archive of version 2 is made of; what is not said is as it should be. */
export interface Parts {
  vectors?: Float32Array[];
  people?: (MadePerson | string)[];
  groups?: object[];
  /** The matrix's member, instead of the vectors. */
  matrix?: Buffer;
  pictures?: Record<string, Buffer>;
  /** Makes it version 3. */
  corrections?: (object | string)[];
  manifest?: object;
  counts?: object;
  /** Changes entries before they are written. */
  change?: (entries: ZipEntry[]) => ZipEntry[];
}

export const FACE = 'default-eve_20260131_090000_m0123456789';
export const EVE = {
  ...{ groupid: 'default', userid: 'eve', username: 'Eve', metadata: {} },
  faces: [{ id: FACE, row: 0 }],
};

/** What is said not to be Eve's. */
export const NOT_EVE = {
  ...{ groupid: 'default', userid: 'eve', id: 'default-eve_20260131_090000_n0123456789' },
  vector: Buffer.from(Float32Array.of(0, 1, 0, 0).buffer).toString('base64'),
};

/** A matrix's member. @param descr as the header names the numbers */
export function matrixOf(vectors: readonly Float32Array[], header?: string): Buffer {
  const first = encodeNpyHeader(`${vectors.length}, ${PACK.embedder.length}`);
  // Of the same length, so that the numbers stay where they are.
  const said = header === undefined ? first : replaceHeader(first, header);
  return Buffer.concat([said, ...vectors.map((vector) => Buffer.from(vector.slice().buffer))]);
}

function replaceHeader(first: Buffer, text: string): Buffer {
  const changed = Buffer.from(first);
  changed.fill(0x20, 10, first.length - 1);
  changed.write(text, 10, 'latin1');
  return changed;
}

/** An archive of version 2 of one person, Eve, unless told otherwise. */
export function archiveOf(parts: Parts = {}): Buffer {
  const { vectors = [Float32Array.of(1, 0, 0, 0)], people = [EVE], pictures = {} } = parts;
  const { groups = [{ groupid: 'default', groupname: 'Default' }] } = parts;
  const lines = (list: readonly (object | string)[]) =>
    Buffer.from(list.map((one) => `${typeof one === 'string' ? one : JSON.stringify(one)}\n`).join(''));
  const contents: [string, Buffer][] = [
    ['vectors.npy', parts.matrix ?? matrixOf(vectors)],
    ['people.jsonl', lines(people)],
    ['groups.jsonl', lines(groups)],
  ];
  const { corrections } = parts;
  if (corrections) contents.push(['corrections.jsonl', lines(corrections)]);
  const faces = people.flatMap((one) => (typeof one === 'string' ? [] : ((one.faces ?? []) as unknown[])));
  const manifest = {
    ...{
      format: 'kaomon-gallery',
      version: corrections ? 3 : 2,
      pack: PACK.id,
      length: PACK.embedder.length,
    },
    createdAt: '2026-01-31T09:00:00.000Z',
    counts: {
      ...{ groups: groups.length, people: people.length, faces: faces.length, rows: vectors.length },
      pictures: Object.keys(pictures).length,
      ...(corrections && { corrections: corrections.length }),
      ...parts.counts,
    },
    members: Object.fromEntries(
      contents.map(([name, bytes]) => [name, { bytes: bytes.length, sha256: sha256(bytes) }]),
    ),
    ...parts.manifest,
  };
  const entries: ZipEntry[] = [
    ...contents.map(([name, content]) => ({ name, content })),
    ...Object.entries(pictures).map(([name, content]) => ({ name, content })),
    { name: 'manifest.json', content: Buffer.from(JSON.stringify(manifest)) },
  ];
  return rawZip(parts.change?.(entries) ?? entries);
}
