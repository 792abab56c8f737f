/** Copies a gallery from one store to another while a server changes the first, and compares them in the end. */
import pMap from 'p-map';
import type { EventLog } from '../events/log.js';
import { faceidsOf } from '../events/event.js';
import { isDeepStrictEqual } from 'node:util';
import { squaredDistance } from './distance.js';
import { profileOf } from './store/profile.js';
import type { EmbeddingStore, ReadPerson } from './store/store.js';

export interface CopyOptions {
  from: EmbeddingStore;
  to: EmbeddingStore;
  /** Where the server that changes `from` tells of its changes; undefined: nobody changes it. */
  log: Pick<EventLog, 'start' | 'read'> | undefined;
  /** Also remove from `to` whom `from` does not have. */
  exact: boolean;
  signal: AbortSignal;
  /** @param done people looked at of all */
  progress: (done: number, all: number) => void;
  /** Where one of the two has its vectors in an engine: what that has is compared. */
  engine?: {
    /** The store that is not on it. */
    other: EmbeddingStore;
    /** Resolves when everything that was copied is in it. */
    settled(): Promise<void>;
    held(ids: readonly string[]): Promise<Set<string>>;
    vectors(ids: readonly string[]): Promise<Map<string, Float32Array>>;
  };
}

export interface CopyReport {
  people: number;
  faces: number;
  /** People who were written now; the others were there. */
  written: number;
  /** People who were changed by others meanwhile, and were copied again. */
  followed: number;
  /** Faceids whose faces, names or corrections differ, and faces that no search would find. */
  differing: string[];
  /** Faceids that only `to` has. */
  surplus: string[];
  /** Faces whose vectors were compared, and the largest squared L2 distance of the two. */
  compared: number;
  farthest: number;
}

/** People copied at a time. */
const AT_ONCE = 32;
/** People in a step: all their vectors are in memory. */
const STEP = 500;
/** Faces whose vectors are compared. */
const SAMPLE = 500;
/** The log is read so often for what has changed meanwhile; a copy that takes longer than others change ends. */
const ROUNDS = 20;
/** Differing people who are named. */
const NAMED = 20;

/** Whoever is the same in both is left as they are, so an interrupted copy goes on where it was. */
export async function copyGallery(options: CopyOptions): Promise<CopyReport> {
  const { from, to, log, exact } = options;
  let position = await log?.start();
  await from.prepare();
  await to.prepare();
  let written = await copyAll(options);
  let followed = 0;
  for (let round = 0; log && position !== undefined && round < ROUNDS; round++) {
    options.signal.throwIfAborted();
    const { entries, next, isLost } = await log.read(position);
    if (next === position) break;
    position = next;
    if (isLost) written += await copyAll(options);
    await copySettings(from, to);
    const changed = new Set(entries.flatMap(({ event }) => faceidsOf(event)));
    followed += await copyPeople(options, [...changed]);
  }
  await options.engine?.settled();
  return { written, followed, ...(await compare(options, exact)) };
}

async function copyAll(options: CopyOptions): Promise<number> {
  const { from, to, signal, progress } = options;
  await copySettings(from, to);
  let written = 0;
  const faceids = (await from.list()).sort();
  for (let at = 0; at < faceids.length; at += STEP) {
    signal.throwIfAborted();
    written += await copyPeople(options, faceids.slice(at, at + STEP));
    progress(Math.min(at + STEP, faceids.length), faceids.length);
  }
  return written;
}

async function copySettings(from: EmbeddingStore, to: EmbeddingStore): Promise<void> {
  const there = new Map((await to.readGroups()).map(({ groupid, groupname }) => [groupid, groupname]));
  for (const group of await from.readGroups()) {
    if (!there.has(group.groupid)) await to.createGroup(group);
    else if (there.get(group.groupid) !== group.groupname) await to.saveGroup(group);
  }
  const threshold = await from.readThreshold();
  if (threshold !== (await to.readThreshold())) await to.saveThreshold(threshold);
}

/** @returns how many were written */
async function copyPeople({ from, to, engine }: CopyOptions, faceids: readonly string[]): Promise<number> {
  const fresh: ReadPerson[] = [];
  let written = 0;
  const copies = await pMap(faceids, (faceid) => readIds(to, faceid), { concurrency: AT_ONCE });
  // Redis may know of faces whose vectors an engine has lost: what it holds is there, and nothing else.
  const held = engine?.other === from ? await engine.held(copies.flatMap(idsOf)) : undefined;
  await pMap(
    faceids,
    async (faceid, i) => {
      const there = copies[i];
      const known = new Set(idsOf(there).filter((id) => held?.has(id) ?? true));
      const here = await from.readPerson(faceid, known);
      if (!here && there) await to.removePerson(faceid);
      if (here && there && !(await update(from, to, here, there, known))) return;
      if (here && !there) fresh.push(here);
      else written += 1;
    },
    { concurrency: AT_ONCE },
  );
  const filled = await pMap(fresh, async (person) => fill(from, person), { concurrency: AT_ONCE });
  const made = await to.addPeople(filled);
  for (const [i, person] of fresh.entries()) {
    // Another pack has the person there.
    if (!made[i]) await to.keepPerson(person.faceid, person);
    const there = await readIds(to, person.faceid);
    if (there && (!made[i] || (person.corrections ?? []).length > 0))
      await update(from, to, person, there, new Set(idsOf(there)));
    written += 1;
  }
  return written;
}

const idsOf = (person: ReadPerson | undefined): string[] => person?.faces.map(({ id }) => id) ?? [];

const ALL = { has: () => true } as unknown as ReadonlySet<string>;

/** Without vectors. */
const readIds = (store: EmbeddingStore, faceid: string): Promise<ReadPerson | undefined> =>
  store.readPerson(faceid, ALL);

async function fill(from: EmbeddingStore, person: ReadPerson) {
  const { faceid, faces } = person;
  const filled = await pMap(
    faces,
    async ({ vector, ...face }) => {
      const crop = face.hasPicture ? await from.picture(face) : undefined;
      return vector ? { face: { ...face, hasPicture: crop !== undefined }, vector, crop } : undefined;
    },
    { concurrency: 4 },
  );
  return { faceid, profile: profileOf(person), faces: filled.filter((face) => face !== undefined) };
}

/**
 * @param here with the vectors of faces that the other lacks
 * @param known faces that the other has, vectors and all
 * @returns whether anything differed
 */
async function update(
  from: EmbeddingStore,
  to: EmbeddingStore,
  here: ReadPerson,
  there: ReadPerson,
  known: ReadonlySet<string>,
): Promise<boolean> {
  const { faceid } = here;
  let differed = false;
  if (!isDeepStrictEqual(profileOf(here), profileOf(there))) {
    await to.savePerson(faceid, profileOf(here));
    differed = true;
  }
  for (const { vector, ...face } of here.faces) {
    if (known.has(face.id) || !vector) continue;
    const crop = face.hasPicture ? await from.picture(face) : undefined;
    await to.addFace({ ...face, hasPicture: crop !== undefined }, vector, crop ? { crop } : {});
    differed = true;
  }
  const wanted = new Set(idsOf(here));
  for (const face of there.faces)
    if (!wanted.has(face.id)) differed = (await to.removeFace(face)) || differed;
  const said = new Set((there.corrections ?? []).map(({ id }) => id));
  for (const { vector, ...correction } of here.corrections ?? []) {
    if (said.delete(correction.id)) continue;
    await to.addCorrection(
      correction,
      vector,
      correction.hasPicture ? await from.picture(correction) : undefined,
    );
    differed = true;
  }
  for (const id of said) differed = (await to.removeCorrection({ faceid, id })) || differed;
  return differed;
}

async function compare(
  { from, to, engine, signal }: CopyOptions,
  exact: boolean,
): Promise<Omit<CopyReport, 'written' | 'followed'>> {
  const faceids = (await from.list()).sort();
  const left = new Set(await to.list());
  const differing: string[] = [];
  const sample: { faceid: string; id: string }[] = [];
  let faces = 0;
  const note = (faceid: string) => {
    if (differing.length < NAMED) differing.push(faceid);
  };
  for (let at = 0; at < faceids.length; at += STEP) {
    signal.throwIfAborted();
    const step = faceids.slice(at, at + STEP);
    const pairs = await pMap(
      step,
      async (faceid) => ({ faceid, here: await readIds(from, faceid), there: await readIds(to, faceid) }),
      { concurrency: AT_ONCE },
    );
    const ids = pairs.flatMap(({ there }) => idsOf(there));
    const held = await engine?.held(ids);
    for (const { faceid, here, there } of pairs) {
      left.delete(faceid);
      faces += there?.faces.length ?? 0;
      if (!isSame(here, there) || there?.faces.some(({ id }) => held?.has(id) === false)) note(faceid);
      for (const { id } of there?.faces ?? []) {
        // Each face with the same chance, however many come.
        const place = sample.length < SAMPLE ? sample.length : Math.floor(Math.random() * faces);
        if (place < SAMPLE) sample[place] = { faceid, id };
      }
    }
  }
  const vectors = await engine?.vectors(sample.map(({ id }) => id));
  let farthest = 0;
  for (const { faceid, id } of sample) {
    const vectorIn = async (store: EmbeddingStore) =>
      (await store.readPerson(faceid, new Set()))?.faces.find((face) => face.id === id)?.vector;
    const one = await vectorIn(engine?.other ?? from);
    const other = vectors ? vectors.get(id) : await vectorIn(to);
    farthest = Math.max(farthest, one && other ? squaredDistance(one, other) : Infinity);
  }
  if (exact) {
    for (const faceid of left) {
      if (!(await readIds(from, faceid))) await to.removePerson(faceid);
      left.delete(faceid);
    }
  }
  return {
    ...{ people: faceids.length, faces, differing, surplus: [...left].slice(0, NAMED) },
    ...{ compared: sample.length, farthest },
  };
}

function isSame(here: ReadPerson | undefined, there: ReadPerson | undefined): boolean {
  if (!here || !there) return here === there;
  const said = ({ corrections = [] }: ReadPerson) => corrections.map(({ id }) => id).sort();
  return (
    isDeepStrictEqual(profileOf(here), profileOf(there)) &&
    isDeepStrictEqual(idsOf(here).sort(), idsOf(there).sort()) &&
    isDeepStrictEqual(said(here), said(there))
  );
}
