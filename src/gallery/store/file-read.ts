/** Reads people from their folders, while other processes may be writing there. */
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { sweepUnfinished, UNFINISHED, unlessMissing, namesIn } from '../../platform/files/durable.js';
import { readSmall, UnfitFile } from '../../platform/files/small-file.js';
import type { Damage } from '../../platform/files/damage.js';
import { toEmbedding } from '../embedding.js';
import { parseFaceId } from '../face-name.js';
import { CORRECTION, isPerson, type Layout, PERSON_FILE, REMOVED, RESERVED } from './file-layout.js';
import { asCorrection } from './as-correction.js';
import { isUnreadable, passOver, setAside } from '../../platform/files/set-aside.js';
import { splitFaceId } from '../ids.js';
import { decodeNpy, NpyError } from './npy.js';
import type { LoadOptions, Profile, ReadPerson, StoredCorrection, StoredPerson } from './store.js';
import { isProfile, profileOf } from './profile.js';
import type { Face } from '../types.js';

/** People read at a time: enough to hide the disk, far from the limit on open files. */
const READERS = 64;

/** The largest vector file, and the largest `person.json`, bytes. */
const MOST_VECTOR = 1_000_000;
const MOST_JSON = 1_000_000;

export interface Reader {
  layout: Layout;
  /** Numbers in a vector of this pack. */
  length: number;
  damage: Damage;
}

/** @param known ids of faces whose vectors are left out @returns undefined when there is no such person */
export async function readPersonFolder(
  reader: Reader,
  faceid: string,
  known: ReadonlySet<string>,
): Promise<ReadPerson | undefined> {
  const { layout, damage } = reader;
  const names = await namesUnlessUnreadable(reader, layout.personFolder(faceid));
  if (!isPerson(names)) return undefined;
  const there = new Set(names);
  const faces: ReadPerson['faces'] = [];
  const corrections: StoredCorrection[] = [];
  for (const name of names) {
    if (name.startsWith(UNFINISHED)) await sweepUnfinished(path.join(layout.personFolder(faceid), name));
    const isCorrection = name.endsWith(CORRECTION);
    if (!isCorrection && !name.endsWith('.npy')) continue;
    const id = name.slice(0, -'.npy'.length);
    try {
      const face = { ...describe(faceid, id), hasPicture: there.has(`${id}.png`) };
      if (isCorrection) {
        const file = await unlessMissing(readSmall(layout.correctionFile(face), MOST_VECTOR));
        if (file) corrections.push(asCorrection(face, toVector(file, reader.length)));
        continue;
      }
      if (known.has(id)) {
        faces.push(face);
        continue;
      }
      const file = await unlessMissing(readSmall(layout.vectorFile(face), MOST_VECTOR));
      // Where it is gone since the folder was read, another process deleted it, whose event will come.
      if (file) faces.push({ ...face, vector: toVector(file, reader.length) });
    } catch (error) {
      if (error instanceof NpyError || error instanceof UnfitFile)
        await setAside(layout.folder, path.join(layout.pack, faceid, name), error.message, damage);
      else passOver(error, path.join(layout.pack, faceid, name), damage);
    }
  }
  faces.sort((a, b) =>
    a.enrolledAt === b.enrolledAt ? compare(a.id, b.id) : compare(a.enrolledAt, b.enrolledAt),
  );
  corrections.sort((a, b) => compare(a.at + a.id, b.at + b.id));
  const profile = await readProfile(reader, faceid);
  return { faceid, ...profile, faces, corrections };
}

/** An unreadable folder or a failing disk must not keep everybody else from being read. */
async function namesUnlessUnreadable({ layout, damage }: Reader, folder: string): Promise<string[]> {
  try {
    return await namesIn(folder);
  } catch (error) {
    passOver(error, path.relative(layout.folder, folder), damage);
    return [];
  }
}

const compare = (a: string, b: string) => (a < b ? -1 : Number(a > b));

/** Everyone of one pack. @throws the signal's reason */
export async function readEveryone(
  reader: Reader,
  { onProgress, signal }: LoadOptions = {},
): Promise<StoredPerson[]> {
  const faceids = await listPeople(reader.layout, reader.damage);
  const all = faceids.length;
  const people: StoredPerson[] = [];
  const nothing = new Set<string>();
  const readers = Array.from({ length: READERS }, async () => {
    for (let faceid = faceids.pop(); faceid !== undefined; faceid = faceids.pop()) {
      signal?.throwIfAborted();
      const person = await readPersonFolder(reader, faceid, nothing);
      if (person) people.push(withVectors(person));
      onProgress?.(all - faceids.length, all);
    }
  });
  await Promise.all(readers);
  people.sort((a, b) => compare(a.faceid, b.faceid));
  return people;
}

function withVectors(person: ReadPerson): StoredPerson {
  return {
    ...person,
    faces: person.faces.flatMap(({ vector, ...face }) => (vector ? [{ ...face, vector }] : [])),
  };
}

/** The names of people's folders. Finishes deletions that a crash interrupted, and removes people whom it left half written. */
export async function listPeople({ packFolder, pack }: Layout, damage: Damage): Promise<string[]> {
  const folders = await subfolders(packFolder);
  for (const name of folders) {
    if (name.startsWith(UNFINISHED))
      await sweepUnfinished(path.join(packFolder, name)).catch(() => undefined);
    if (!name.startsWith(REMOVED)) continue;
    await removeRemains(path.join(packFolder, name)).catch((error: unknown) => {
      damage.report(
        path.join(pack, name),
        `the remains of a deleted person cannot be deleted (${String(error)})`,
      );
    });
  }
  return folders.filter((name) => splitFaceId(name));
}

/** Deletes the remains of a deleted person, perhaps together with another process. */
export async function removeRemains(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true, maxRetries: 3 });
}

/** The other packs that have a folder here. */
export async function otherPacksIn({ folder, pack }: Layout): Promise<string[]> {
  const names = await subfolders(folder);
  return names.filter((name) => name !== pack && !RESERVED.includes(name) && !name.startsWith('.'));
}

export async function countOtherPacks(
  { folder, pack }: Layout,
  damage: Damage,
): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const name of await subfolders(folder)) {
    if (name === pack || RESERVED.includes(name)) continue;
    let faces = 0;
    const people = await subfolders(path.join(folder, name)).catch((error: unknown) => {
      passOver(error, name, damage);
      return [];
    });
    for (const person of people) {
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

/** @param enough stops counting here */
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
  // An unreadable folder is reported when the person is read.
  const names = await namesIn(folder).catch((error: unknown) => {
    if (!isUnreadable(error)) throw error;
    return [];
  });
  return names.filter((file) => file.endsWith('.npy')).length;
}

async function subfolders(folder: string): Promise<string[]> {
  const entries = (await unlessMissing(readdir(folder, { withFileTypes: true }))) ?? [];
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** A person's name and metadata; empty where the file is missing, or damaged, which is reported. */
export async function readProfile(
  { layout, damage }: Pick<Reader, 'layout' | 'damage'>,
  faceid: string,
): Promise<Profile> {
  const what = path.join(layout.pack, faceid, PERSON_FILE);
  try {
    const text = await unlessMissing(readSmall(layout.personFile(faceid), MOST_JSON));
    if (text === undefined) return { username: '', metadata: {} };
    const profile: unknown = JSON.parse(text.toString('utf8'));
    if (isProfile(profile)) return profileOf(profile);
  } catch (error) {
    if (error instanceof UnfitFile) await setAside(layout.folder, what, error.message, damage);
    else if (!(error instanceof SyntaxError)) passOver(error, what, damage);
  }
  damage.report(what, 'the person is shown by the ID until a name is given again');
  return { username: '', metadata: {} };
}

function describe(faceid: string, id: string): Omit<Face, 'hasPicture'> {
  const face = parseFaceId(faceid, id);
  if (!face) throw new NpyError('its name is not that of a face of this person');
  return face;
}

/** @throws NpyError when the file does not hold an embedding of this length */
function toVector(file: Buffer, length: number): Float32Array {
  try {
    return toEmbedding(decodeNpy(file), length);
  } catch (error) {
    throw error instanceof RangeError ? new NpyError(error.message) : error;
  }
}
