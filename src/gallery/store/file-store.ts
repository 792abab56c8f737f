import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { access, mkdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { KaomonError } from '../../platform/errors.js';
import {
  createDurably,
  hasCode,
  makeFolder,
  namesIn,
  type Staged,
  stage,
  syncFolder,
  unlessMissing,
  writeDurably,
} from '../../platform/files/durable.js';
import { obstacleOf } from '../../platform/files/obstacles.js';
import { giveToFolder } from '../../platform/files/owner.js';
import { createReserve } from '../../platform/files/reserve.js';
import { createDamage, type Damage } from '../../platform/files/damage.js';
import { SET_ASIDE } from '../../platform/files/set-aside.js';
import { checkEmbedding } from '../embedding.js';
import type { PersonFiles } from './bulk-thread.js';
import { createBulkWriter } from './bulk-writer.js';
import { createFileCorrections, markCorrected, unmarkCorrected } from './file-corrections.js';
import { createFileGroups } from './file-groups.js';
import { CORRECTION, createLayout, isPerson, PERSON_FILE, REMOVED, RESERVED } from './file-layout.js';
import { createFileThreshold } from './file-threshold.js';
import { createMoveFinisher, mergePersonFolders, movePersonFolder } from './file-moves.js';
import {
  countOtherPacks,
  listPeople,
  otherPacksIn,
  readEveryone,
  readPersonFolder,
  readProfile,
  removeRemains,
} from './file-read.js';
import { stampOf } from './file-stamp.js';
import { encodeNpy } from './npy.js';
import { profileOf } from './profile.js';
import type { EmbeddingStore, FilledPerson, NewFace, Profile, Removed } from './store.js';
import type { Face } from '../types.js';

/** How often writing a face is tried when another process deletes the person's folder meanwhile. */
const ATTEMPTS = 5;

export interface FileStoreOptions {
  /** The `embeddings` folder. */
  folder: string;
  /** Whose vectors to load and write: `<folder>/<pack>/`. */
  pack: string;
  /** Numbers in a vector of this pack. */
  length: number;
  /** Called once for each damaged file: its path, why, and what was done with it. */
  warn: (message: string) => void;
  /** Where damage is recorded. Default: a record of its own. */
  damage?: Damage;
}

/**
 * Stores every face as `<pack>/<faceid>/<faceid>_<YYYYMMDD_HHMMSS>_<id>.npy`, names and metadata in `person.json`,
 * groups in `groups/` (docs/gallery.md has the layout and why it survives crashes).
 * @throws KaomonError SETUP when the pack's name is that of another folder of the gallery
 */
export function createFileStore(options: FileStoreOptions): EmbeddingStore {
  const { folder, pack, length, warn } = options;
  if (RESERVED.includes(pack))
    throw new KaomonError(
      'SETUP',
      `A pack cannot be called "${pack}": the gallery keeps something else there.`,
    );
  const layout = createLayout(folder, pack);
  const { damage = createDamage(warn) } = options;
  const groups = createFileGroups(folder, damage);
  const reader = { layout, length, damage };
  const reserve = createReserve(folder);
  const bulk = createBulkWriter(layout.packFolder);
  const moves = createMoveFinisher(layout, damage);
  const others = new Map<string, EmbeddingStore>();

  async function writeProfile(faceid: string, profile: Profile): Promise<void> {
    await writeDurably(layout.personFile(faceid), profileText(profile));
  }

  /** Creates a profile without a name where there is none; another process may be writing one. */
  async function ensureProfile(faceid: string, names: readonly string[]): Promise<void> {
    if (!names.includes(PERSON_FILE))
      await createDurably(layout.personFile(faceid), profileText({ username: '', metadata: {} }));
  }

  async function removePerson(faceid: string): Promise<Removed | undefined> {
    const names = await namesIn(layout.personFolder(faceid));
    if (!isPerson(names)) return undefined;
    // Damaged files of the person go as well.
    await rm(path.join(folder, SET_ASIDE, pack, faceid), { recursive: true, force: true });
    const removed = path.join(layout.packFolder, `${REMOVED}${randomBytes(6).toString('hex')}`);
    const done = await unlessMissing(rename(layout.personFolder(faceid), removed).then(() => true));
    if (!done) return undefined;
    await syncFolder(layout.packFolder);
    await removeRemains(removed);
    await unmarkCorrected(layout, faceid);
    const count = (end: string) => names.filter((name) => name.endsWith(end)).length;
    return { faces: count('.npy'), pictures: count('.png'), corrections: count(CORRECTION) };
  }

  const corrections = createFileCorrections(layout, length, { reserve, ensureProfile });

  async function removeFace(face: Face): Promise<boolean> {
    const names = await namesIn(layout.personFolder(face.faceid));
    if (!isPerson(names)) return false;
    // A program may have enrolled the person without a profile: they would vanish with the last face.
    await unlessMissing(ensureProfile(face.faceid, names));
    const removed = await unlessMissing(rm(layout.vectorFile(face)).then(() => true));
    if (!removed) return false;
    await rm(layout.pictureFile(face), { force: true });
    await unlessMissing(syncFolder(layout.personFolder(face.faceid)));
    return true;
  }

  /** All or nothing: without room for a face, neither another, a picture nor a new person stays behind. */
  async function addFaces(
    faceid: string,
    faces: readonly NewFace[],
    { profile, isNew, names }: { profile?: Profile | undefined; isNew: boolean; names: readonly string[] },
  ): Promise<void> {
    const personFolder = layout.personFolder(faceid);
    const isNamed = names.includes(PERSON_FILE);
    const text = profileText(profile ?? { username: '', metadata: {} });
    // Vectors are last, because a face counts as soon as its .npy is there.
    const files: { file: string; data: Uint8Array | string; unlessThere?: boolean }[] = [];
    if (profile || !isNamed)
      files.push({ file: layout.personFile(faceid), data: text, unlessThere: !profile });
    for (const { face, crop } of faces) if (crop) files.push({ file: layout.pictureFile(face), data: crop });
    for (const { face, vector } of faces)
      files.push({ file: layout.vectorFile(face), data: encodeNpy(vector) });
    const staged: Staged[] = [];
    const placed: string[] = [];
    try {
      for (const { file, data, unlessThere } of files) staged.push(await stage(file, data, { unlessThere }));
      for (const [i, one] of staged.entries()) if (await one.place()) placed.push(files[i].file);
      await syncFolder(personFolder);
    } catch (error) {
      for (const one of staged) await one.discard();
      if (isNew) for (const file of placed) await rm(file, { force: true });
      await removeIfEmpty(personFolder);
      throw error;
    }
  }

  async function addFace(
    face: Face,
    vector: Float32Array,
    { crop, profile }: { crop?: Uint8Array; profile?: Profile },
  ): Promise<void> {
    const folder = layout.personFolder(face.faceid);
    const isNew = (await makeFolder(folder)) !== undefined;
    const names = isNew ? [] : await namesIn(folder);
    await addFaces(face.faceid, [{ face, vector, crop }], { profile, isNew, names });
  }

  async function addPeople(people: readonly FilledPerson[]): Promise<boolean[]> {
    for (const { faces, corrections: said = [] } of people)
      for (const { vector } of [...faces, ...said]) checkEmbedding(vector, length);
    const corrected = people.filter(({ corrections: said = [] }) => said.length > 0);
    for (const { faceid } of corrected) await markCorrected(layout, faceid);
    try {
      const added = await bulk.add(people.map(filesOf));
      const isThere: boolean[] = [];
      for (const [i, person] of people.entries()) {
        // A folder that is in the way may be empty but for files that are nobody's.
        isThere.push(
          added[i] || ((await createPerson(person.faceid, person.profile)) && (await fill(person))),
        );
      }
      return isThere;
    } finally {
      // Another process may have found nobody corrected a moment ago, and removed the note.
      for (const { faceid } of corrected)
        if (!(await unmarkCorrected(layout, faceid))) await markCorrected(layout, faceid);
    }
  }

  async function fill({ faceid, faces, corrections: said = [] }: FilledPerson): Promise<true> {
    await addFaces(faceid, faces, { isNew: true, names: [PERSON_FILE] });
    for (const { correction, vector, crop } of said)
      await corrections.addCorrection(correction, vector, crop);
    return true;
  }

  /** @returns false when the person exists */
  async function makePersonFolder(faceid: string): Promise<boolean> {
    const personFolder = layout.personFolder(faceid);
    try {
      // mkdir fails for the second of two processes.
      await mkdir(personFolder);
      await giveToFolder(personFolder);
      await syncFolder(layout.packFolder);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      // An empty folder is left over from a crash.
      if (isPerson(await namesIn(personFolder))) return false;
    }
    return true;
  }

  async function createPerson(faceid: string, profile: Profile): Promise<boolean> {
    if (!(await makePersonFolder(faceid))) return false;
    try {
      await writeProfile(faceid, profile);
    } catch (error) {
      await removeIfEmpty(layout.personFolder(faceid));
      throw error;
    }
    return true;
  }

  async function prepare(): Promise<void> {
    await unlessReadOnly(makeFolder(layout.packFolder));
    await reserve.keep();
    await unlessReadOnly(groups.prepare());
    await unlessReadOnly(moves.finish());
  }

  return {
    damage,

    prepare,

    async load(options) {
      await prepare();
      const people = await readEveryone(reader, options);
      return { groups: await groups.read(), people, otherPacks: await countOtherPacks(layout, damage) };
    },

    countOtherPacks: () => countOtherPacks(layout, damage),

    stamper: () => Promise.resolve((faceid, faces) => stampOf(layout, faceid, faces)),

    list: () => listPeople(layout, damage),

    readPerson: (faceid, known) => readPersonFolder(reader, faceid, known),

    readGroups: () => groups.read(),

    recover: () => moves.finish(),

    async obstacle({ tend = false } = {}) {
      try {
        await access((await isFolder(layout.packFolder)) ? layout.packFolder : folder, constants.W_OK);
      } catch (error) {
        return obstacleOf(error) ?? 'unreachable';
      }
      if (tend) await reserve.keep();
      return (await reserve.hasRoom()) ? undefined : 'disk full';
    },

    async profile(faceid) {
      if (!isPerson(await namesIn(layout.personFolder(faceid)))) return undefined;
      return await readProfile(reader, faceid);
    },

    async others() {
      const packs = await otherPacksIn(layout);
      return packs.map((other) => {
        const store = others.get(other) ?? createFileStore({ ...options, pack: other, damage });
        others.set(other, store);
        return store;
      });
    },

    createPerson,
    keepPerson: createPerson,
    addPeople,

    async savePerson(faceid, profile) {
      if (!isPerson(await namesIn(layout.personFolder(faceid)))) return false;
      // A folder that vanishes meanwhile is not created again: a deleted person stays deleted.
      return (await unlessMissing(writeProfile(faceid, profile).then(() => true))) ?? false;
    },

    removePerson: (faceid) => reserve.spend(() => removePerson(faceid)),

    movePerson: (from, to) => movePersonFolder(layout, from, to),

    mergePerson: (from, into) => mergePersonFolders(layout, from, into),

    async addFace(face, vector, { crop, profile }) {
      checkEmbedding(vector, length);
      for (let attempt = 1; ; attempt++) {
        try {
          await addFace(face, vector, { crop, profile });
          return;
        } catch (error) {
          // Another process deleted the person meanwhile: the face is added after the deletion.
          if (!hasCode(error, 'ENOENT') || attempt === ATTEMPTS) throw error;
        }
      }
    },

    removeFace: (face) => reserve.spend(() => removeFace(face)),

    picture: (face) => unlessMissing(readFile(layout.pictureFile(face))),
    ...corrections,
    ...createFileThreshold(layout, damage),

    createGroup: (group) => groups.create(group),
    saveGroup: (group) => groups.save(group),
    removeGroup: (groupid) => reserve.spend(() => groups.remove(groupid)),

    async close() {
      moves.close();
      for (const other of others.values()) await other.close();
      await bulk.close();
    },
  };
}

async function isFolder(place: string): Promise<boolean> {
  return stat(place).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

/** A gallery that cannot be written can still be read; the store watch reports it. */
async function unlessReadOnly(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    const obstacle = obstacleOf(error);
    if (obstacle !== 'read-only' && obstacle !== 'disk full') throw error;
  });
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(() => undefined);
}

/** The files of a new person's folder. */
function filesOf({ faceid, profile, faces, corrections = [] }: FilledPerson): PersonFiles {
  const all = [
    ...faces.map(({ face: { id }, vector, crop }) => ({ id, vector, crop, ending: '.npy' })),
    ...corrections.map(({ correction: { id }, vector, crop }) => ({ id, vector, crop, ending: CORRECTION })),
  ];
  return {
    faceid,
    files: [
      { name: PERSON_FILE, data: profileText(profile) },
      ...all.flatMap(({ id, crop }) => (crop ? [{ name: `${id}.png`, data: crop }] : [])),
      ...all.map(({ id, vector, ending }) => ({ name: `${id}${ending}`, data: encodeNpy(vector) })),
    ],
  };
}

const profileText = (profile: Profile) => `${JSON.stringify(profileOf(profile), null, 2)}\n`;
