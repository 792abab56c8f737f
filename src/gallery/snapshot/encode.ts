/** Writes the files of a snapshot, person by person, with memory that does not grow with their number. */
import { type FileHandle, open, rm } from 'node:fs/promises';
import path from 'node:path';
import { crc32 } from 'node:zlib';
import { giveTo, ownerOf } from '../../platform/files/owner.js';
import { splitFaceId } from '../ids.js';
import { searchKey } from '../names.js';
import type { Profile } from '../store/store.js';
import type { Face } from '../types.js';
import {
  ALIGNMENT,
  DamagedSnapshot,
  END,
  type FileNote,
  type Manifest,
  PEOPLE,
  type Section,
  SECTIONS,
  SEPARATOR,
  VECTORS,
} from './format.js';
import type { SnapshotPeople } from './people.js';

/** Bytes copied at a time. */
const BLOCK = 1 << 22;

/** People whose records are copied at a time. */
const SLICE = 4096;

/** Somebody to write. */
export interface Entry extends Profile {
  faceid: string;
  faces: readonly Face[];
  /** Of the faces, then the template where there is one. */
  vectors: readonly Float32Array[];
  stamp: { modified: number; changed: number };
}

/** The vectors of another snapshot, to copy from. */
export interface VectorSource {
  people: SnapshotPeople;
  handle: FileHandle;
}

export type Encoded = Pick<Manifest, 'people' | 'faces' | 'rows' | 'groups' | 'sections'> & {
  files: { [VECTORS]: FileNote; [PEOPLE]: FileNote };
};

/** A file that grows at its end, by way of a buffer. */
async function createGrowing(file: string) {
  const handle = await openNew(file);
  let buffer = Buffer.alloc(BLOCK);
  let used = 0;
  let bytes = 0;
  let sum = 0;

  return {
    /** Room for so many bytes, to be filled before the next call. */
    take(size: number): Buffer {
      if (used + size > buffer.length) {
        const larger = Buffer.alloc(Math.max(buffer.length * 2, used + size));
        buffer.copy(larger, 0, 0, used);
        buffer = larger;
      }
      used += size;
      bytes += size;
      return buffer.subarray(used - size, used);
    },
    /** Writes what was taken. @param least only if it is so many bytes */
    async drain(least = 1): Promise<void> {
      if (used < least) return;
      const full = buffer.subarray(0, used);
      sum = crc32(full, sum);
      await writeAll(handle, full);
      used = 0;
    },
    bytes: () => bytes,
    note: (): FileNote => ({ bytes, crc32: sum }),
    sync: () => handle.sync(),
    close: () => handle.close(),
  };
}
type Growing = Awaited<ReturnType<typeof createGrowing>>;

/** Opens a file that is not there yet, for whom its folder belongs to alone. The caller closes it. */
export async function openNew(file: string): Promise<FileHandle> {
  const owner = await ownerOf(file);
  const handle = await open(file, 'wx', 0o600);
  await giveTo(handle, owner);
  return handle;
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await handle.write(bytes, at)).bytesWritten;
}

/** @param folder empty, made for it @param length numbers in a vector */
export async function createEncoder(folder: string, length: number) {
  const partOf = (section: Section) => path.join(folder, `${section}.part`);
  const opened: Growing[] = [];
  const grow = async (file: string) => {
    const growing = await createGrowing(file);
    opened.push(growing);
    return growing;
  };
  const sections = {} as Record<Section, Growing>;
  for (const section of SECTIONS) sections[section] = await grow(partOf(section));
  const vectors = await grow(path.join(folder, VECTORS));
  const groups: Manifest['groups'] = [];
  let people = 0;
  let rows = 0;
  let faces = 0;
  uint32('firstRow', 0);
  float64('textAt', 0);
  float64('keyAt', 0);

  function uint32(section: Section, value: number): void {
    sections[section].take(4).writeUInt32LE(value);
  }
  function float64(section: Section, value: number): void {
    sections[section].take(8).writeDoubleLE(value);
  }
  function bytes(section: Section, value: Uint8Array): void {
    sections[section].take(value.length).set(value);
  }
  function text(section: Section, value: string): void {
    sections[section].take(Buffer.byteLength(value)).write(value);
  }

  /** What follows the texts of a person. */
  function close(faceid: string, faceCount: number, rowCount: number, stamp: Entry['stamp']): void {
    const groupid = splitFaceId(faceid)?.groupid ?? '';
    let group = groups.at(-1);
    if (group?.groupid !== groupid) {
      group = { groupid, people: 0, faces: 0, firstPerson: people, firstRow: rows };
      groups.push(group);
    }
    group.people += 1;
    group.faces += faceCount;
    for (let i = 0; i < rowCount; i++) uint32('owner', people);
    people += 1;
    faces += faceCount;
    rows += rowCount;
    uint32('firstRow', rows);
    float64('stamp', stamp.modified);
    float64('stamp', stamp.changed);
  }

  async function copySlice(
    { people: from, handle }: VectorSource,
    first: number,
    end: number,
    stampOf: (at: number) => Entry['stamp'],
  ): Promise<void> {
    const textBefore = sections.text.bytes();
    const keysBefore = sections.keys.bytes();
    bytes('text', from.textOf(first, end));
    bytes('keys', from.keysOf(first, end));
    for (let at = first; at < end; at++) {
      float64('textAt', textBefore + from.textEnd(first, at));
      float64('keyAt', keysBefore + from.keysEnd(first, at));
      close(from.faceidAt(at), from.facesAt(at), from.firstRow(at + 1) - from.firstRow(at), stampOf(at));
    }
    for (const section of SECTIONS) await sections[section].drain(BLOCK / 4);
    await vectors.drain();
    let place = from.firstRow(first) * length * 4;
    const stop = from.firstRow(end) * length * 4;
    while (place < stop) {
      const room = vectors.take(Math.min(BLOCK, stop - place));
      const { bytesRead } = await handle.read(room, 0, room.length, place);
      if (bytesRead !== room.length) throw new DamagedSnapshot(`${VECTORS} is cut`);
      place += bytesRead;
      await vectors.drain();
    }
  }

  return {
    people: () => people,

    /** Everybody comes in the order of the faceids. The vectors are copied. */
    add({ faceid, username, metadata, consent, faces: own, vectors: given, stamp }: Entry): void {
      const name = username.replaceAll(SEPARATOR, '\ufffd');
      const isBare = Object.keys(metadata).length === 0 && !consent;
      // With a consent it is a list of both: earlier versions, which know none, make the snapshot anew.
      const described = isBare ? '' : JSON.stringify(consent ? [metadata, consent] : metadata);
      const ends = own.map(({ id, hasPicture }) => `${hasPicture ? '+' : '-'}${id.slice(faceid.length + 1)}`);
      text('text', [faceid, name, described, ...ends].join(SEPARATOR));
      float64('textAt', sections.text.bytes());
      const userid = splitFaceId(faceid)?.userid ?? '';
      const keys = [searchKey(name || userid), searchKey(userid)].map((key) => key.replaceAll(END, ' '));
      text('keys', `${keys.join(SEPARATOR)}${END}`);
      float64('keyAt', sections.keys.bytes());
      for (const vector of given) {
        const room = vectors.take(length * 4);
        vector.forEach((value, i) => room.writeFloatLE(value, i * 4));
      }
      close(faceid, own.length, given.length, stamp);
    },

    /**
     * Copies people of another snapshot, as they are.
     * @param end excluded
     * @param stampOf their new stamps
     */
    async copy(
      source: VectorSource,
      first: number,
      end: number,
      stampOf: (at: number) => Entry['stamp'],
    ): Promise<void> {
      for (let at = first; at < end; at += SLICE)
        await copySlice(source, at, Math.min(end, at + SLICE), stampOf);
    },

    /** Lets memory stay small: call it now and then. @returns bytes written so far, of all files */
    async drain(): Promise<number> {
      for (const growing of opened) await growing.drain(BLOCK / 4);
      return opened.reduce((sum, growing) => sum + growing.bytes(), 0);
    },

    /** Puts the people's sections together; both files are on the disk afterwards. */
    async finish(): Promise<Encoded> {
      for (const growing of opened) await growing.drain();
      await vectors.sync();
      const whole = await grow(path.join(folder, PEOPLE));
      const places = {} as Manifest['sections'];
      for (const section of SECTIONS) {
        whole.take((ALIGNMENT - (whole.bytes() % ALIGNMENT)) % ALIGNMENT).fill(0);
        places[section] = { at: whole.bytes(), bytes: sections[section].bytes() };
        await append(partOf(section), whole);
        await rm(partOf(section));
      }
      await whole.drain();
      await whole.sync();
      const files = { [VECTORS]: vectors.note(), [PEOPLE]: whole.note() };
      return { people, faces, rows, groups, sections: places, files };
    },

    async close(): Promise<void> {
      for (const growing of opened) await growing.close();
    },
  };
}
export type Encoder = Awaited<ReturnType<typeof createEncoder>>;

async function append(file: string, to: Growing): Promise<void> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    for (let at = 0; at < size;) {
      const room = to.take(Math.min(BLOCK, size - at));
      const { bytesRead } = await handle.read(room, 0, room.length, at);
      if (bytesRead !== room.length) throw new Error(`${file} became shorter while it was read.`);
      at += bytesRead;
      await to.drain();
    }
  } finally {
    await handle.close();
  }
}

/** Reads a file to its end. */
export async function noteOf(file: string): Promise<FileNote> {
  const handle = await open(file);
  try {
    const buffer = Buffer.alloc(BLOCK);
    let [bytes, sum] = [0, 0];
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, bytes);
      if (bytesRead === 0) return { bytes, crc32: sum };
      sum = crc32(buffer.subarray(0, bytesRead), sum);
      bytes += bytesRead;
    }
  } finally {
    await handle.close();
  }
}
