import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pMapIterable } from 'p-map';
import { clientGone } from '../../platform/errors.js';
import { faceIdOf } from '../ids.js';
import { encodeNpyHeader } from '../store/npy.js';
import { type Bits, createBits } from './bits.js';
import { writeCorrections } from './corrections.js';
import { type ArchivedPerson, FORMAT, type Manifest, MEMBERS, pictureName } from './format.js';
import { linesOf, toLine } from './json-lines.js';
import { matrixOf, type Planned } from './matrix.js';
import { inPieces } from './pieces.js';
import { pagesOf, type ReadGallery, unlessGone } from './reading.js';
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
  const archive = Readable.from(inPieces(write(deps, groups, gone.signal), PIECE), {
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
  const spools = Array.from({ length: 4 }, () => createSpool(folder));
  const [directory, planned, people, corrections] = spools;
  try {
    const zip = createZipWriter(directory, at);
    const { rows, everyone } = await plan(gallery, groups, planned, gone);
    const told = progress && ((done: number) => progress(done, everyone));
    const counts = { people: 0, faces: 0, pictures: 0 };
    const pictured = createBits(rows);
    const corrected = new Set(gallery.corrections({ groups }).map(({ faceid }) => faceid));
    const said: string[] = [];
    const wrote = (faceid: string) => corrected.has(faceid) && said.push(faceid);
    const matrix = matrixOf({ gallery, length: pack.length, planned, people, counts, pictured, told, wrote });
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
    const notTheirs = await writeCorrections(gallery, said, corrections, gone);
    if (notTheirs > 0) yield* member(MEMBERS.corrections, corrections.length, corrections.read());
    const manifest: Manifest = {
      ...{ format: FORMAT, version: notTheirs > 0 ? 3 : 2, pack: pack.id, length: pack.length },
      createdAt: at.toISOString(),
      counts: { groups: found.length, ...counts, rows, ...(notTheirs > 0 && { corrections: notTheirs }) },
      members: members as Manifest['members'],
    };
    yield* zip.add(MEMBERS.manifest, Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`));
    yield* zip.end();
  } finally {
    for (const spool of spools) await spool.close();
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
    const lines = page.map(({ groupid, userid, username, metadata, consent, faces }) => {
      rows += faces.length;
      const ids = faces.map(({ id, hasPicture }) => (hasPicture ? `+${id}` : id));
      const profile = { username, metadata, ...(consent && { consent }) };
      const person: Planned = { groupid, userid, ...profile, faces: ids };
      return toLine(person);
    });
    everyone += page.length;
    await planned.append(Buffer.concat(lines));
  }
  return { rows, everyone };
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
