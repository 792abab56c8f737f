import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import { throwIfGone } from '../../platform/errors.js';
import { faceIdOf } from '../ids.js';
import { decodeNpyHeader, NpyError } from '../store/npy.js';
import type { Archive, CheckOptions, PersonToTake, Totals } from './archive.js';
import { type Bits, createBits } from './bits.js';
import { checkFaceId, checkVector, createGroupCheck } from './checks.js';
import { alongside, toTake } from './corrections.js';
import {
  type ArchivedCorrection,
  type ArchivedGroup,
  type ArchivedPerson,
  CORRECTION_BYTES,
  CorrectionSchema,
  GroupSchema,
  LINE_BYTES,
  type Manifest,
  ManifestSchema,
  MEMBERS,
  PersonSchema,
  PICTURE_BYTES,
  pictureName,
  readJson,
  refuseArchive,
  refuseOtherPack,
} from './format.js';
import { LineError, linesOf } from './json-lines.js';
import type { Zip } from './read-zip.js';

/** The manifest has a handful of numbers. */
const MANIFEST_BYTES = 65_536;
/** A .npy header is written in 128 bytes; by others perhaps in more. */
const HEADER_BYTES = 4096;
/** A group's line, bytes. */
const GROUP_BYTES = 10_000;
/** Vectors read at a time, bytes. */
const BLOCK = 1 << 18;
const IS_LITTLE = endianness() === 'LE';

/**
 * An archive of version 2: a matrix of vectors, a list of people and one of groups, and pictures; or of version 3, with a
 * list of corrections besides.
 */
export function openV2(zip: Zip, pack: Archive['pack']): Archive {
  const entries = requireMembers(zip);
  let start = 0;
  /** Known once everything was checked, as is `start`: where the vectors begin. */
  let manifest: Manifest | undefined;

  async function* lines(
    entry: number,
    name: keyof Manifest['members'],
    most: number,
    hash = createHash('sha256'),
  ): AsyncGenerator<Buffer> {
    async function* hashed() {
      for await (const chunk of zip.stream(entry)) {
        hash.update(chunk);
        yield chunk;
      }
    }
    try {
      yield* linesOf(hashed(), most);
    } catch (error) {
      if (error instanceof LineError) refuseArchive(`${name}: ${error.message}`);
      throw error;
    }
    if (hash.digest('hex') !== manifest?.members[name]?.sha256)
      refuseArchive(`${name} is not what the manifest says`);
  }

  async function* groups(): AsyncGenerator<ArchivedGroup> {
    let number = 0;
    for await (const line of lines(entries.groups, MEMBERS.groups, GROUP_BYTES)) {
      number += 1;
      yield readJson(GroupSchema, line, `line ${number} of ${MEMBERS.groups}`);
    }
  }

  async function* people(): AsyncGenerator<ArchivedPerson & { what: string }> {
    let number = 0;
    for await (const line of lines(entries.people, MEMBERS.people, LINE_BYTES)) {
      number += 1;
      const what = `line ${number} of ${MEMBERS.people}`;
      yield { ...readJson(PersonSchema, line, what), what };
    }
  }

  async function* corrections(): AsyncGenerator<ArchivedCorrection & { what: string }> {
    if (entries.corrections === undefined) return;
    let number = 0;
    for await (const line of lines(entries.corrections, MEMBERS.corrections, CORRECTION_BYTES)) {
      number += 1;
      const what = `line ${number} of ${MEMBERS.corrections}`;
      yield { ...readJson(CorrectionSchema, line, what), what };
    }
  }

  async function checkVectors(rows: number): Promise<void> {
    const read = await zip.opener(entries.vectors);
    const bytes = zip.bytesOf(entries.vectors);
    start = checkHeader(await read(0, Math.min(HEADER_BYTES, bytes)), rows, pack.length, bytes);
    const hash = createHash('sha256');
    for await (const chunk of zip.stream(entries.vectors)) hash.update(chunk);
    if (hash.digest('hex') !== manifest?.members[MEMBERS.vectors].sha256)
      refuseArchive(`${MEMBERS.vectors} is not what the manifest says`);
  }

  async function checkPictures(named: Bits, signal: AbortSignal | undefined): Promise<void> {
    for (const [row, entry] of zip.pictures) {
      throwIfGone(signal);
      if (!named.has(row)) refuseArchive(`${pictureName(row)} is nobody's`);
      await zip.read(entry, PICTURE_BYTES);
    }
  }

  return {
    pack,

    async check({ requireGroup, requirePerson, known, signal }: CheckOptions): Promise<Totals> {
      manifest = await readManifest(zip, entries.manifest);
      refuseOtherPack(manifest, pack);
      const { counts, members, version } = manifest;
      const listed = [...zip.names.keys()].filter((name) => name !== MEMBERS.manifest);
      if ((version === 3) !== (entries.corrections !== undefined))
        refuseArchive(
          `of version ${version}, it ${version === 3 ? 'lacks' : 'holds'} ${MEMBERS.corrections}`,
        );
      for (const name of listed as (keyof Manifest['members'])[])
        if (members[name]?.bytes !== zip.bytesOf(zip.names.get(name) ?? -1))
          refuseArchive(`${name} has not the size that the manifest says`);
      if (zip.pictures.size !== counts.pictures) refuseArchive('the manifest counts other pictures');
      await checkVectors(counts.rows);
      throwIfGone(signal);
      const check = createGroupCheck(known, requireGroup);
      for await (const group of groups()) check.add(group);
      const named = createBits(counts.rows);
      const found = { people: 0, faces: 0, corrections: 0 };
      const said = alongside(corrections());
      const rows = await createRows(zip, entries.vectors, start, pack.length);
      let before: { faceid: string; profile: string; ids: Set<string> } | undefined;
      let next = 0;
      for await (const { faces, what, ...person } of people()) {
        throwIfGone(signal);
        const faceid = check.person(person, what);
        const profile = JSON.stringify(person);
        if (before && faceid < before.faceid) refuseArchive(`${what} is out of order, or there twice`);
        if (before?.faceid !== faceid) {
          before = { faceid, profile, ids: new Set() };
          found.people += 1;
          await requirePerson?.({ faceid, consent: person.consent });
          for (const { id, vector, what: line } of await said.of(faceid)) {
            checkFaceId(faceid, id, `"${id}" in ${line}`);
            if (before.ids.has(id)) refuseArchive(`"${id}" in ${line} is there twice`);
            before.ids.add(id);
            checkVector(vector, pack.length, `the vector in ${line}`);
            found.corrections += 1;
          }
        } else if (profile !== before.profile || faces.length === 0) refuseArchive(`${what} is there twice`);
        for (const { id, row } of faces) {
          checkFaceId(faceid, id, `"${id}" in ${what}`);
          if (before.ids.has(id)) refuseArchive(`"${id}" in ${what} is there twice`);
          before.ids.add(id);
          if (row < next || row >= counts.rows)
            refuseArchive(`the row ${row} in ${what} is out of range or order`);
          next = row + 1;
          named.add(row);
          checkVector(await rows(row), pack.length, `row ${row} of ${MEMBERS.vectors}`);
        }
        found.faces += faces.length;
      }
      await said.end();
      if (check.size !== counts.groups || found.people !== counts.people || found.faces !== counts.faces)
        refuseArchive('the manifest counts other groups, people or faces');
      if (found.corrections !== (counts.corrections ?? 0))
        refuseArchive('the manifest counts other corrections');
      await checkPictures(named, signal);
      return found;
    },

    groups,

    async *people(): AsyncGenerator<PersonToTake> {
      const rows = await createRows(zip, entries.vectors, start, pack.length);
      const said = alongside(corrections());
      for await (const { groupid, userid, username, metadata, consent, faces } of people()) {
        const faceid = faceIdOf(groupid, userid);
        const taken: PersonToTake = {
          ...{ faceid, groupid, userid, username, metadata, consent, faces: [] },
          corrections: (await said.of(faceid)).map(toTake),
        };
        for (const { id, row } of faces) {
          const picture = zip.pictures.get(row);
          taken.faces.push({
            ...{ id, vector: (await rows(row)).slice() },
            pictureBytes: picture === undefined ? 0 : zip.bytesOf(picture),
            ...(picture !== undefined && { picture: () => zip.read(picture, PICTURE_BYTES) }),
          });
        }
        yield taken;
      }
    },

    close: () => zip.close(),
  };
}

async function readManifest(zip: Zip, entry: number): Promise<Manifest> {
  return readJson(ManifestSchema, await zip.read(entry, MANIFEST_BYTES), MEMBERS.manifest);
}

/** Whose vectors it holds. @throws KaomonError ARCHIVE_INVALID */
export async function packOfV2(zip: Zip): Promise<Archive['pack']> {
  const { pack, length } = await readManifest(zip, requireMembers(zip).manifest);
  return { id: pack, length };
}

type Entries = Record<Exclude<keyof typeof MEMBERS, 'corrections'>, number> & { corrections?: number };

function requireMembers({ names }: Zip): Entries {
  const { corrections, ...needed } = MEMBERS;
  const wanted = Object.entries(needed);
  const known = new Set<string>(Object.values(MEMBERS));
  for (const name of names.keys())
    if (!known.has(name)) refuseArchive(`it holds "${name.slice(0, 100)}", which no export does`);
  const numbers = wanted.map(([key, name]) => [key, names.get(name) ?? refuseArchive(`${name} is missing`)]);
  return { ...(Object.fromEntries(numbers) as Entries), corrections: names.get(corrections) };
}

/** @returns where the numbers begin @throws KaomonError ARCHIVE_INVALID */
function checkHeader(file: Buffer, rows: number, length: number, bytes: number): number {
  try {
    const { start, shape, width, isLittle } = decodeNpyHeader(file);
    if (width !== 4 || !isLittle) throw new NpyError('it does not hold little-endian float32');
    if (shape.length !== 2 || shape[0] !== rows || shape[1] !== length)
      throw new NpyError(`its shape is (${shape.join(', ')}), not (${rows}, ${length}) as the manifest says`);
    if (bytes !== start + rows * length * 4) throw new NpyError('it does not hold the rows it names');
    return start;
  } catch (error) {
    if (error instanceof NpyError) refuseArchive(`${MEMBERS.vectors}: ${error.message}`);
    throw error;
  }
}

/**
 * Reads rows in rising order, in blocks.
 * @returns a function whose vector is valid until the next call
 */
async function createRows(
  zip: Zip,
  entry: number,
  start: number,
  length: number,
): Promise<(row: number) => Promise<Float32Array>> {
  const read = await zip.opener(entry);
  const width = length * 4;
  const most = Math.max(1, Math.floor(BLOCK / width));
  const last = (zip.bytesOf(entry) - start) / width;
  const vector = new Float32Array(length);
  const bytes = new Uint8Array(vector.buffer);
  let [first, block] = [0, Buffer.alloc(0) as Buffer];
  return async (row) => {
    if (row < first || (row - first + 1) * width > block.length) {
      block = await read(start + row * width, Math.min(most, last - row) * width);
      first = row;
    }
    const at = (row - first) * width;
    if (IS_LITTLE) bytes.set(block.subarray(at, at + width));
    else for (let i = 0; i < length; i++) vector[i] = block.readFloatLE(at + i * 4);
    return vector;
  };
}
