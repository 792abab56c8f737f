import { endianness } from 'node:os';
import pMap from 'p-map';
import { faceIdOf } from '../ids.js';
import type { Bits } from './bits.js';
import { type ArchivedFace, type ArchivedPerson, FACES_A_LINE } from './format.js';
import { linesOf, toLine } from './json-lines.js';
import { type ReadGallery, unlessGone } from './reading.js';
import type { Spool } from './spool.js';

/** People whose vectors are read from the store at a time. */
const AT_ONCE = 16;
/** The most people of a block: those who have no face make it no longer. */
const MOST_PEOPLE = 512;
/** About so many bytes of the matrix are made at a time. */
const BLOCK = 1 << 18;
const IS_LITTLE = endianness() === 'LE';

/** A person as planned: which rows their faces have is decided when their vectors are there. */
export interface Planned extends Omit<ArchivedPerson, 'faces'> {
  /** IDs; with a `+` in front where a picture is stored. */
  faces: string[];
}

export interface MatrixDeps {
  gallery: ReadGallery;
  /** Numbers in a vector. */
  length: number;
  planned: Spool;
  /** Gets the lines of those who are still there. */
  people: Spool;
  counts: { people: number; faces: number };
  /** Gets the rows whose faces have a picture. */
  pictured: Bits;
  told?: ((done: number) => void) | undefined;
  /** Called for each person who is written down. */
  wrote: (faceid: string) => void;
}

/** The rows of the matrix, in the order of people; the row of a face that is gone meanwhile holds zeros. */
export async function* matrixOf(deps: MatrixDeps): AsyncGenerator<Buffer> {
  const { length, planned, people, counts, pictured, told, wrote } = deps;
  let row = 0;
  for await (const some of blocksOf(plannedIn(planned), Math.max(1, Math.floor(BLOCK / (length * 4))))) {
    const { block, found } = await fillBlock(deps, some);
    const lines: Buffer[] = [];
    for (const [i, person] of some.entries()) {
      const faces: ArchivedFace[] = [];
      for (const [k, marked] of person.faces.entries()) {
        if (found[i]?.(k)) {
          faces.push({ id: idOf(marked), row });
          if (marked.startsWith('+')) pictured.add(row);
        }
        row += 1;
      }
      if (!found[i]) continue;
      counts.people += 1;
      wrote(faceIdOf(person.groupid, person.userid));
      counts.faces += faces.length;
      lines.push(...linesOfPerson({ ...person, faces }));
    }
    told?.(counts.people);
    await people.append(Buffer.concat(lines));
    yield block;
  }
}

/** Gathers people until they have about so many faces. */
async function* blocksOf(everyone: AsyncIterable<Planned>, most: number): AsyncGenerator<Planned[]> {
  let [some, faces]: [Planned[], number] = [[], 0];
  for await (const person of everyone) {
    some.push(person);
    faces += person.faces.length;
    if (faces < most && some.length < MOST_PEOPLE) continue;
    yield some;
    [some, faces] = [[], 0];
  }
  if (some.length > 0) yield some;
}

/** Of a person who is there: whether the face in a place was found. */
type Found = (place: number) => boolean;
const ALL: Found = () => true;

/**
 * The rows of some people, as bytes. What the base has is copied from there, the rest is read from the store.
 * @returns found: for each person; undefined for one who is gone
 */
async function fillBlock({ gallery, length }: MatrixDeps, some: readonly Planned[]) {
  const block = new Float32Array(length * some.reduce((sum, { faces }) => sum + faces.length, 0));
  const found = new Array<Found | undefined>(some.length);
  let row = 0;
  const wanted = some.map(({ groupid, userid, faces }, i) => {
    const at = row;
    row += faces.length;
    return { i, faceid: faceIdOf(groupid, userid), ids: faces.map(idOf), at };
  });
  const copied = gallery.copyVectors(wanted, block);
  for (const { i, ids } of wanted) if (copied[i] || ids.length === 0) found[i] = ALL;
  await pMap(
    wanted.filter(({ i }) => !found[i]),
    async ({ i, faceid, ids, at }) => {
      const read = await unlessGone(gallery.vectors(faceid));
      const vectors = read && new Map(read.map(({ face, vector }) => [face.id, vector]));
      for (const [k, id] of ids.entries()) block.set(vectors?.get(id) ?? [], (at + k) * length);
      found[i] = vectors && ((k) => vectors.has(ids[k]));
    },
    { concurrency: AT_ONCE },
  );
  const bytes = Buffer.from(block.buffer);
  return { block: IS_LITTLE ? bytes : bytes.swap32(), found };
}

const idOf = (marked: string): string => (marked.startsWith('+') ? marked.slice(1) : marked);

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
