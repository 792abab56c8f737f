/** Reading people from their folders, while other processes may be writing there. */
import { mkdir, readdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { sweepUnfinished, UNFINISHED, unlessMissing, namesIn } from '../durable.js';
import { toEmbedding } from './embedding.js';
import { describeFace } from './face-name.js';
import { isPerson, type Layout, REMOVED, RESERVED, SET_ASIDE } from './file-layout.js';
import { splitFaceId } from './ids.js';
import { decodeNpy, NpyError } from './npy.js';
import type { Profile, ReadPerson, StoredPerson } from './store.js';
import { isProfile } from './profile.js';
import type { Face } from './types.js';

/** People read at a time: enough to hide the disk, far from the limit on open files. */
const READERS = 64;

export interface Reader {
  layout: Layout;
  /** Numbers in a vector of this pack. */
  length: number;
  warn: (message: string) => void;
}

/** A person as read, and how many of the face files had to be set aside. */
interface Reading {
  person: ReadPerson;
  setAside: number;
}

/** @param known ids of faces whose vectors are left out @returns undefined when there is no such person */
export async function readPersonFolder(
  reader: Reader,
  faceid: string,
  known: ReadonlySet<string>,
): Promise<Reading | undefined> {
  const { layout, warn } = reader;
  const names = await namesIn(layout.personFolder(faceid));
  if (!isPerson(names)) return undefined;
  const there = new Set(names);
  const faces: ReadPerson['faces'] = [];
  let setAside = 0;
  for (const name of names) {
    if (name.startsWith(UNFINISHED)) await sweepUnfinished(path.join(layout.personFolder(faceid), name));
    if (!name.endsWith('.npy')) continue;
    const id = name.slice(0, -'.npy'.length);
    try {
      const face = { ...describe(faceid, id), hasPicture: there.has(`${id}.png`) };
      if (known.has(id)) {
        faces.push(face);
        continue;
      }
      const file = await unlessMissing(readFile(layout.vectorFile(face)));
      // Gone since the folder was read: deleted by another process, whose event is on its way.
      if (file) faces.push({ ...face, vector: toVector(file, reader.length) });
    } catch (error) {
      if (!(error instanceof NpyError)) throw error;
      await putAside(reader, faceid, name, error.message);
      setAside += 1;
    }
  }
  faces.sort((a, b) =>
    a.enrolledAt === b.enrolledAt ? compare(a.id, b.id) : compare(a.enrolledAt, b.enrolledAt),
  );
  const profile = await readProfile(layout.personFile(faceid), warn);
  return { person: { faceid, ...profile, faces }, setAside };
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** Everyone of one pack. */
export async function readEveryone(reader: Reader): Promise<{ people: StoredPerson[]; setAside: number }> {
  const faceids = await listPeople(reader.layout);
  const people: StoredPerson[] = [];
  let setAside = 0;
  const nothing = new Set<string>();
  const readers = Array.from({ length: READERS }, async () => {
    for (let faceid = faceids.pop(); faceid !== undefined; faceid = faceids.pop()) {
      const reading = await readPersonFolder(reader, faceid, nothing);
      if (!reading) continue;
      setAside += reading.setAside;
      people.push(withVectors(reading.person));
    }
  });
  await Promise.all(readers);
  people.sort((a, b) => compare(a.faceid, b.faceid));
  return { people, setAside };
}

/** A person that was read with every vector. */
export function withVectors(person: ReadPerson): StoredPerson {
  return {
    ...person,
    faces: person.faces.flatMap(({ vector, ...face }) => (vector ? [{ ...face, vector }] : [])),
  };
}

/** The folders that can be people's. Finishes deletions that a crash cut short. */
export async function listPeople({ packFolder }: Layout): Promise<string[]> {
  const folders = await subfolders(packFolder);
  for (const name of folders) {
    if (name.startsWith(REMOVED)) await removeRemains(path.join(packFolder, name));
  }
  return folders.filter((name) => splitFaceId(name));
}

/** Deletes what is left of a deleted person; another process may be at it, too. */
export async function removeRemains(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** The packs that have a folder here, but for this one. */
export async function otherPacksIn({ folder, pack }: Layout): Promise<string[]> {
  const names = await subfolders(folder);
  return names.filter((name) => name !== pack && !RESERVED.includes(name) && !name.startsWith('.'));
}

export async function countOtherPacks({ folder, pack }: Layout): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of await subfolders(folder)) {
    if (name === pack || RESERVED.includes(name)) continue;
    let faces = 0;
    for (const person of await subfolders(path.join(folder, name))) {
      if (splitFaceId(person)) faces += await countFaces(path.join(folder, name, person));
    }
    if (faces > 0) counts[name] = faces;
  }
  return counts;
}

/** People with a face, by pack; see {@link enrolledPacks} in enrolled.ts. @param folder the gallery's */
export async function countEnrolled(folder: string): Promise<Record<string, number>> {
  const packs: { pack: string; people: string[] }[] = [];
  for (const pack of await subfolders(folder)) {
    if (RESERVED.includes(pack) || pack.startsWith('.')) continue;
    const names = (await subfolders(path.join(folder, pack))).filter((name) => splitFaceId(name));
    const people = names.map((name) => path.join(folder, pack, name));
    if ((await countWithFaces(people, 1)) > 0) packs.push({ pack, people });
  }
  const exact = packs.length > 1;
  const counts = packs.map(async ({ pack, people }) => [
    pack,
    exact ? await countWithFaces(people) : people.length,
  ]);
  return Object.fromEntries(await Promise.all(counts)) as Record<string, number>;
}

/** @param enough counted no further than this */
async function countWithFaces(people: readonly string[], enough = Infinity): Promise<number> {
  let count = 0;
  const queue = people.values();
  const readers = Array.from({ length: Math.min(READERS, enough) }, async () => {
    for (const folder of queue) {
      if (count >= enough) return;
      if ((await countFaces(folder)) > 0) count += 1;
    }
  });
  await Promise.all(readers);
  return count;
}

async function countFaces(folder: string): Promise<number> {
  return (await namesIn(folder)).filter((file) => file.endsWith('.npy')).length;
}

async function subfolders(folder: string): Promise<string[]> {
  const entries = (await unlessMissing(readdir(folder, { withFileTypes: true }))) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

async function putAside(
  { layout, warn }: Reader,
  faceid: string,
  file: string,
  reason: string,
): Promise<void> {
  const target = path.join(layout.folder, SET_ASIDE, layout.pack, faceid);
  await mkdir(target, { recursive: true });
  await unlessMissing(rename(path.join(layout.personFolder(faceid), file), path.join(target, file)));
  warn(`The face file ${path.join(layout.pack, faceid, file)} was set aside to ${target}: ${reason}.`);
}

export async function readProfile(file: string, warn: (message: string) => void): Promise<Profile> {
  const text = await unlessMissing(readFile(file, 'utf8'));
  if (text === undefined) return { username: '', metadata: {} };
  try {
    const value: unknown = JSON.parse(text);
    // Older files hold the name alone.
    const profile = typeof value === 'object' && value !== null ? { metadata: {}, ...value } : value;
    if (isProfile(profile)) return { username: profile.username, metadata: profile.metadata };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  warn(`${file} could not be read: the person is shown by the ID until a name is given again.`);
  return { username: '', metadata: {} };
}

/** @throws NpyError when the name is not that of a face of this person */
function describe(faceid: string, id: string): Omit<Face, 'hasPicture'> {
  const face = describeFace(faceid, id);
  if (!face) throw new NpyError('its name is not that of a face of this person');
  return face;
}

/** @throws NpyError when the file does not hold a vector of this length that has a direction */
function toVector(file: Buffer, length: number): Float32Array {
  try {
    return toEmbedding(decodeNpy(file), length);
  } catch (error) {
    throw error instanceof RangeError ? new NpyError(error.message) : error;
  }
}
