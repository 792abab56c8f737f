import { createHash } from 'node:crypto';
import { endianness } from 'node:os';
import { Readable } from 'node:stream';
import { pMapIterable } from 'p-map';
import { clientGone, KaomonError } from '../../platform/errors.js';
import { faceIdOf } from '../ids.js';
import { encodeNpyHeader } from '../store/npy.js';
import { type Bits, createBits } from './bits.js';
import {
  type ArchivedFace,
  type ArchivedPerson,
  FACES_A_LINE,
  FORMAT,
  type Manifest,
  MEMBERS,
  pictureName,
} from './format.js';
import { linesOf, toLine } from './json-lines.js';
import { pagesOf, type ReadGallery, vectorsOf } from './reading.js';
import { createSpool, type Spool } from './spool.js';
import { createZipWriter, type ZipWriter } from './write-zip.js';

export interface ExportDeps {
  gallery: ReadGallery;
  /** Whose vectors these are, and how long they are. */
  pack: { id: string; length: number };
  /** Holds what does not fit in memory, in files without a name. */
  folder: string;
  /** Called for each person whose vectors were written. */
  progress?: (done: number, of: number) => void;
}

/** People whose vectors are read at a time, and who are read ahead. */
const AT_ONCE = 16;
const AHEAD = 64;
/** Pictures read at a time. */
const PICTURES = 8;
/** Bytes sent at a time. */
const PIECE = 1 << 18;

/**
 * Writes the gallery as a zip (docs/archive.md), no faster than it is read, in little memory. People who are added
 * meanwhile are left out, and so are those who are deleted; of the latter, empty rows stay in the matrix.
 * @param groups whose people to export; undefined: all
 * @returns a stream that the caller must read to its end or destroy
 */
export function exportGallery(deps: ExportDeps, groups?: ReadonlySet<string>): Readable {
  const gone = new AbortController();
  const archive = Readable.from(write(deps, groups, gone.signal), {
    objectMode: false,
    highWaterMark: PIECE,
  });
  archive.once('close', () => gone.abort());
  return archive;
}

async function* write(
  { gallery, pack, folder, progress }: ExportDeps,
  groups: ReadonlySet<string> | undefined,
  gone: AbortSignal,
): AsyncGenerator<Buffer> {
  const at = new Date();
  const [directory, planned, people] = [createSpool(folder), createSpool(folder), createSpool(folder)];
  try {
    const zip = createZipWriter(directory, at);
    const { rows, everyone } = await plan(gallery, groups, planned, gone);
    const told = progress && ((done: number) => progress(done, everyone));
    const counts = { people: 0, faces: 0, pictures: 0 };
    const pictured = createBits(rows);
    const matrix = matrixOf({ gallery, length: pack.length, rows, planned, people, counts, pictured, told });
    const members: Partial<Manifest['members']> = {};

    async function* member(name: keyof Manifest['members'], size: number, chunks: AsyncIterable<Buffer>) {
      const hash = createHash('sha256');
      const hashed = async function* () {
        for await (const chunk of chunks) {
          stopIfGone(gone);
          hash.update(chunk);
          yield chunk;
        }
      };
      yield* zip.stream(name, size, hashed());
      members[name] = { bytes: size, sha256: hash.digest('hex') };
    }

    const header = encodeNpyHeader(`${rows}, ${pack.length}`);
    yield* member(MEMBERS.vectors, header.length + rows * pack.length * 4, inFront(header, matrix));
    yield* member(MEMBERS.people, people.length, people.read());
    if (pictured.size > 0) yield* picturesOf({ gallery, people, pictured, zip, counts, gone });
    const found = gallery.groups().filter(({ groupid }) => !groups || groups.has(groupid));
    const list = Buffer.concat(found.map(({ groupid, groupname }) => toLine({ groupid, groupname })));
    yield* member(MEMBERS.groups, list.length, inFront(list));
    const manifest: Manifest = {
      ...{ format: FORMAT, version: 2, pack: pack.id, length: pack.length, createdAt: at.toISOString() },
      counts: { groups: found.length, ...counts, rows },
      members: members as Manifest['members'],
    };
    yield* zip.add(MEMBERS.manifest, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
    yield* zip.end();
  } finally {
    for (const spool of [directory, planned, people]) await spool.close();
  }
}

function stopIfGone(gone: AbortSignal): void {
  if (gone.aborted) throw clientGone();
}

async function* inFront(
  first: Buffer,
  rest: AsyncIterable<Buffer> = Readable.from([]),
): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

/** A person as planned: which rows their faces have is decided when their vectors are there. */
interface Planned extends Omit<ArchivedPerson, 'faces'> {
  /** IDs; with a `+` in front where a picture is stored. */
  faces: string[];
}

/** Writes down everybody, because the matrix begins with the number of its rows. */
async function plan(
  gallery: ReadGallery,
  groups: ReadonlySet<string> | undefined,
  planned: Spool,
  gone: AbortSignal,
): Promise<{ rows: number; everyone: number }> {
  let [rows, everyone] = [0, 0];
  for await (const page of pagesOf(gallery, groups)) {
    stopIfGone(gone);
    const lines = page.map(({ groupid, userid, username, metadata, faces }) => {
      rows += faces.length;
      const ids = faces.map(({ id, hasPicture }) => (hasPicture ? `+${id}` : id));
      const person: Planned = { groupid, userid, username, metadata, faces: ids };
      return toLine(person);
    });
    everyone += page.length;
    await planned.append(Buffer.concat(lines));
  }
  return { rows, everyone };
}

interface MatrixDeps {
  gallery: ReadGallery;
  /** Numbers in a vector. */
  length: number;
  rows: number;
  planned: Spool;
  /** Gets the lines of those who are still there. */
  people: Spool;
  counts: { people: number; faces: number };
  /** Gets the rows whose faces have a picture. */
  pictured: Bits;
  told?: ((done: number) => void) | undefined;
}

/** The rows of the matrix, in the order of people; the row of a face that is gone meanwhile holds zeros. */
async function* matrixOf(deps: MatrixDeps): AsyncGenerator<Buffer> {
  const { gallery, length, rows, planned, people, counts, pictured, told } = deps;
  const width = length * 4;
  const most = Math.max(1, Math.floor(PIECE / width));
  let block = Buffer.alloc(Math.min(most, rows) * width);
  let [row, inBlock] = [0, 0];
  const readOne = async (person: Planned) => ({ person, vectors: await readVectors(gallery, person) });
  const everyone = plannedIn(planned);
  for await (const { person, vectors } of pMapIterable(everyone, readOne, {
    concurrency: AT_ONCE,
    backpressure: AHEAD,
  })) {
    const faces: ArchivedFace[] = [];
    for (const marked of person.faces) {
      const id = marked.startsWith('+') ? marked.slice(1) : marked;
      const vector = vectors?.get(id);
      if (vector) {
        writeVector(block, inBlock * width, vector);
        faces.push({ id, row });
        if (id !== marked) pictured.add(row);
      }
      row += 1;
      inBlock += 1;
      if (inBlock < most && row < rows) continue;
      yield block;
      block = Buffer.alloc(Math.min(most, rows - row) * width);
      inBlock = 0;
    }
    if (!vectors) continue;
    counts.people += 1;
    told?.(counts.people);
    counts.faces += faces.length;
    await people.append(Buffer.concat(linesOfPerson({ ...person, faces })));
  }
}

/** A person of very many faces takes several lines, so that none is too long to be read in one piece. */
function linesOfPerson({ faces, ...person }: ArchivedPerson): Buffer[] {
  const lines: Buffer[] = [];
  for (let at = 0; at === 0 || at < faces.length; at += FACES_A_LINE)
    lines.push(toLine({ ...person, faces: faces.slice(at, at + FACES_A_LINE) }));
  return lines;
}

async function* plannedIn(planned: Spool): AsyncGenerator<Planned> {
  for await (const line of linesOf(planned.read())) yield JSON.parse(line.toString()) as Planned;
}

/** @returns undefined when the person is gone */
async function readVectors(
  gallery: ReadGallery,
  { groupid, userid, faces }: Planned,
): Promise<ReadonlyMap<string, Float32Array> | undefined> {
  if (faces.length === 0) return new Map();
  return unlessGone(vectorsOf(gallery, faceIdOf(groupid, userid)));
}

async function unlessGone<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof KaomonError && ['PERSON_UNKNOWN', 'FACE_UNKNOWN'].includes(error.code))
      return undefined;
    throw error;
  }
}

const IS_LITTLE = endianness() === 'LE';

function writeVector(block: Buffer, at: number, vector: Float32Array): void {
  if (IS_LITTLE) block.set(new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength), at);
  else vector.forEach((value, i) => block.writeFloatLE(value, at + i * 4));
}

interface PictureDeps {
  gallery: ReadGallery;
  people: Spool;
  pictured: Bits;
  zip: ZipWriter;
  counts: { pictures: number };
  gone: AbortSignal;
}

async function* picturesOf({
  gallery,
  people,
  pictured,
  zip,
  counts,
  gone,
}: PictureDeps): AsyncGenerator<Buffer> {
  async function* faces() {
    for await (const line of linesOf(people.read())) {
      const person = JSON.parse(line.toString()) as ArchivedPerson;
      for (const face of person.faces)
        if (pictured.has(face.row)) yield { faceid: faceIdOf(person.groupid, person.userid), ...face };
    }
  }
  const readOne = async ({ faceid, id, row }: { faceid: string; id: string; row: number }) => ({
    row,
    picture: await unlessGone(gallery.picture(faceid, id)),
  });
  for await (const { row, picture } of pMapIterable(faces(), readOne, { concurrency: PICTURES })) {
    stopIfGone(gone);
    if (!picture) continue;
    counts.pictures += 1;
    yield* zip.add(pictureName(row), Buffer.from(picture));
  }
}
