import path from 'node:path';
import { crc32 } from 'node:zlib';
import type { BaseGroup, BasePeople, BasePerson } from '../base/base.js';
import { mapFile } from '../base/mapped-file.js';
import { parseFaceId } from '../face-name.js';
import { splitFaceId } from '../ids.js';
import type { Consent } from '../consent.js';
import type { Face, Metadata } from '../types.js';
import { isProfile } from '../store/profile.js';
import type { Profile } from '../store/store.js';
import { ALIGNMENT, DamagedSnapshot, END, type Manifest, PEOPLE, type Section, SEPARATOR } from './format.js';

/** The people of a snapshot, and their raw bytes for the next snapshot. */
export interface SnapshotPeople extends BasePeople {
  /** Where the person's rows begin; `rows` for the number after the last person. */
  firstRow(at: number): number;
  /** How many faces the person has. */
  facesAt(at: number): number;
  /** As it was when the person was read; both 0: unknown. @returns what `Stamp` (store.ts) has */
  stampAt(at: number): { modified: number; changed: number };
  /** The bytes of some people's texts, and of their keys. @param end excluded */
  textOf(from: number, end: number): Uint8Array;
  keysOf(from: number, end: number): Uint8Array;
  /** Where a person's text ends, counted from where that of `from` begins. */
  textEnd(from: number, at: number): number;
  keysEnd(from: number, at: number): number;
}

/**
 * Opens the people of a snapshot. Every number that anything is found by is checked here, once; nobody is decoded.
 * @param folder the snapshot's
 * @throws DamagedSnapshot
 */
export function openPeople(folder: string, manifest: Manifest, number: number): SnapshotPeople {
  const bytes = mapFile(path.join(folder, PEOPLE));
  const { people, rows, faces, position, storedGroups, otherPacks } = manifest;
  const note = manifest.files[PEOPLE];
  if (bytes.byteLength !== note.bytes) throw new DamagedSnapshot(`${PEOPLE} is cut`);
  if (crc32(new Uint8Array(bytes)) !== note.crc32)
    throw new DamagedSnapshot(`the checksum of ${PEOPLE} differs`);

  /** Where a section is. @param count how many numbers it must hold */
  function place(section: Section, each = 1, count?: number): { at: number; count: number } {
    const { at, bytes: size } = manifest.sections[section];
    const fits = at % ALIGNMENT === 0 && at + size <= bytes.byteLength && size % each === 0;
    if (!fits || (count !== undefined && size !== count * each))
      throw new DamagedSnapshot(`the section "${section}" is not where it should be`);
    return { at, count: size / each };
  }
  const uint32 = (section: Section, count: number) =>
    new Uint32Array(bytes, place(section, 4, count).at, count);
  const float64 = (section: Section, count: number) =>
    new Float64Array(bytes, place(section, 8, count).at, count);
  const buffer = (section: Section) => {
    const { at, count } = place(section);
    return Buffer.from(bytes, at, count);
  };
  const firstRow = uint32('firstRow', people + 1);
  const owner = uint32('owner', rows);
  const text = buffer('text');
  const textAt = float64('textAt', people + 1);
  const keys = buffer('keys');
  const keyAt = float64('keyAt', people + 1);
  const stamp = float64('stamp', people * 2);
  checkOffsets(firstRow, rows, 0, 'firstRow');
  // Everybody has at least a faceid and an end.
  checkOffsets(textAt, text.length, 4, 'textAt');
  checkOffsets(keyAt, keys.length, 2, 'keyAt');
  for (const person of owner) if (person >= people) throw new DamagedSnapshot('a row belongs to nobody');
  const groups = readGroups(manifest, firstRow);

  /** Negative: the person's faceid comes before this one. */
  function compare(at: number, faceid: Uint8Array): number {
    const from = textAt[at];
    for (let i = 0; i < faceid.length; i++) {
      // A separator, which ends a shorter faceid, is below every letter.
      const difference = text[from + i] - faceid[i];
      if (difference !== 0) return difference;
    }
    return text[from + faceid.length];
  }

  function firstFrom(faceid: string): number {
    const wanted = Buffer.from(faceid);
    let low = 0;
    let high = people;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compare(middle, wanted) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  const checkPerson = (at: number) => {
    if (!(Number.isInteger(at) && at >= 0 && at < people)) throw new RangeError(`There is no person ${at}.`);
  };

  function fields(at: number): string[] {
    checkPerson(at);
    return text
      .subarray(textAt[at], textAt[at + 1])
      .toString()
      .split(SEPARATOR);
  }

  return {
    ...{ number, position, people, faces, rows, storedGroups, otherPacks },
    firstFrom,
    indexOf(faceid) {
      const at = firstFrom(faceid);
      return at < people && compare(at, Buffer.from(faceid)) === 0 ? at : -1;
    },
    faceidAt(at) {
      checkPerson(at);
      const own = text.subarray(textAt[at], textAt[at + 1]);
      return own.toString('latin1', 0, own.indexOf(0));
    },
    personAt(at) {
      const first = firstRow[at];
      return toPerson(fields(at), { first, end: firstRow[at + 1] });
    },
    ownerOf(row) {
      if (!(Number.isInteger(row) && row >= 0 && row < rows)) throw new RangeError(`There is no row ${row}.`);
      return owner[row];
    },
    groups: () => groups,
    find(key, from, end) {
      const last = Math.min(end, people);
      if (from >= last) return -1;
      if (key === '') return from;
      // Such a key would be found where one text ends and the next begins.
      if (key.includes(SEPARATOR) || key.includes(END)) return -1;
      const start = keyAt[from];
      const found = keys.subarray(start, keyAt[last]).indexOf(key);
      return found < 0 ? -1 : lastUpTo(keyAt, start + found, from, last);
    },
    firstRow: (at) => firstRow[at],
    facesAt(at) {
      checkPerson(at);
      let separators = 0;
      for (let i = textAt[at]; i < textAt[at + 1]; i++) if (text[i] === 0) separators += 1;
      return separators - FIELDS_BEFORE_FACES;
    },
    stampAt: (at) => ({ modified: stamp[at * 2], changed: stamp[at * 2 + 1] }),
    textOf: (from, end) => text.subarray(textAt[from], textAt[end]),
    keysOf: (from, end) => keys.subarray(keyAt[from], keyAt[end]),
    textEnd: (from, at) => textAt[at + 1] - textAt[from],
    keysEnd: (from, at) => keyAt[at + 1] - keyAt[from],
  };
}

/** Separators that a person without a face has: faceid, name, metadata. */
const FIELDS_BEFORE_FACES = 2;

/** Where the last of some ascending offsets is that is not above a value. */
function lastUpTo(offsets: Float64Array, value: number, from: number, end: number): number {
  let low = from;
  let high = end;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (offsets[middle] <= value) low = middle;
    else high = middle;
  }
  return low;
}

/** @throws DamagedSnapshot unless they ascend from 0 to the end by whole numbers, of which each is at least `step` */
function checkOffsets(offsets: Uint32Array | Float64Array, end: number, step: number, name: string): void {
  const last = offsets.length - 1;
  let fits = offsets[0] === 0 && offsets[last] === end;
  for (let i = 0; i < last; i++) fits &&= offsets[i + 1] - offsets[i] >= step;
  // Ascending to a whole number does not make those in between whole.
  if (offsets instanceof Float64Array) for (const offset of offsets) fits &&= Number.isInteger(offset);
  if (!fits) throw new DamagedSnapshot(`the offsets "${name}" do not ascend`);
}

/** @throws DamagedSnapshot unless they follow each other from the first person to the last */
function readGroups(
  { groups, people, faces, rows }: Manifest,
  firstRow: Uint32Array,
): Map<string, BaseGroup> {
  const found = new Map<string, BaseGroup>();
  const sum = { people: 0, faces: 0 };
  for (const [i, group] of groups.entries()) {
    const end = group.firstPerson + group.people;
    const lastRow = groups.at(i + 1)?.firstRow ?? rows;
    const follows = group.firstPerson === sum.people && group.people > 0 && end <= people;
    if (!follows || firstRow[group.firstPerson] !== group.firstRow || firstRow[end] !== lastRow)
      throw new DamagedSnapshot('the groups do not follow each other');
    found.set(group.groupid, {
      people: { first: group.firstPerson, end },
      rows: { first: group.firstRow, end: lastRow },
      faces: group.faces,
    });
    sum.people = end;
    sum.faces += group.faces;
  }
  if (sum.people !== people || sum.faces !== faces || found.size !== groups.length)
    throw new DamagedSnapshot('the groups do not hold everybody');
  return found;
}

/** @throws DamagedSnapshot; the checksum fits, so it was written like this */
function toPerson(
  [faceid, username, metadata, ...ends]: string[],
  rows: { first: number; end: number },
): BasePerson {
  const profile = { username, ...(metadata === '' ? { metadata: {} } : parseDescribed(metadata)) };
  const more = rows.end - rows.first - ends.length;
  // Most have no metadata, and an export asks for everybody.
  const isValid = (read: typeof profile): read is Profile => metadata === '' || isProfile(read);
  if (!splitFaceId(faceid) || !isValid(profile) || more < 0 || more > 1)
    throw new DamagedSnapshot('somebody in it cannot be read');
  return { faceid, ...profile, faces: ends.map((end) => toFace(faceid, end)), rows };
}

/** @param text metadata, or a list of metadata and consent; both are checked by the caller */
function parseDescribed(text: string): Partial<Pick<Profile, 'metadata' | 'consent'>> {
  try {
    const read = JSON.parse(text) as Metadata | [Metadata, Consent];
    if (!Array.isArray(read)) return { metadata: read };
    const [metadata, consent] = read;
    return { metadata, consent };
  } catch {
    return {};
  }
}

function toFace(faceid: string, end: string): Face {
  const face = parseFaceId(faceid, `${faceid}_${end.slice(1)}`);
  if (!face) throw new DamagedSnapshot('a face in it cannot be read');
  return { ...face, hasPicture: end.startsWith('+') };
}
