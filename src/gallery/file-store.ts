import { randomBytes } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { KaomonError } from '../errors.js';
import {
  createDurably,
  hasCode,
  makeFolder,
  namesIn,
  syncFolder,
  unlessMissing,
  writeDurably,
} from '../durable.js';
import { checkEmbedding } from './embedding.js';
import { createFileGroups } from './file-groups.js';
import { createLayout, isPerson, PERSON_FILE, REMOVED, RESERVED, SET_ASIDE } from './file-layout.js';
import { finishMoves, mergePersonFolders, movePersonFolder } from './file-moves.js';
import {
  countOtherPacks,
  listPeople,
  otherPacksIn,
  readEveryone,
  readPersonFolder,
  readProfile,
  removeRemains,
} from './file-read.js';
import { encodeNpy } from './npy.js';
import type { EmbeddingStore, Profile } from './store.js';

/** How often a face is written anew when another process deletes the person's folder meanwhile. */
const ATTEMPTS = 5;

export interface FileStoreOptions {
  /** The `embeddings` folder. */
  folder: string;
  /** Whose vectors to load and write: `<folder>/<pack>/`. */
  pack: string;
  /** Numbers in a vector of this pack. */
  length: number;
  /** Told of every file that is set aside: its path and why. */
  warn: (message: string) => void;
}

/**
 * Keeps every face as `<pack>/<faceid>/<faceid>_<YYYYMMDD_HHMMSS>_<id>.npy`, names and metadata in `person.json`,
 * groups in `groups/` (docs/gallery.md has the layout and why a crash cannot tear it).
 * @throws KaomonError SETUP when the pack's name is taken by a folder of the gallery
 */
export function createFileStore(options: FileStoreOptions): EmbeddingStore {
  const { folder, pack, length, warn } = options;
  if (RESERVED.includes(pack))
    throw new KaomonError(
      'SETUP',
      `A pack cannot be called "${pack}": the gallery keeps something else there.`,
    );
  const layout = createLayout(folder, pack);
  const groups = createFileGroups(folder, warn);
  const reader = { layout, length, warn };

  async function writeProfile(faceid: string, profile: Profile): Promise<void> {
    await writeDurably(layout.personFile(faceid), profileText(profile));
  }

  /** A profile without a name, unless there is one: another process may be writing it at this moment. */
  async function needProfile(faceid: string, names: readonly string[]): Promise<void> {
    if (!names.includes(PERSON_FILE))
      await createDurably(layout.personFile(faceid), profileText({ username: '', metadata: {} }));
  }

  async function createPerson(faceid: string, profile: Profile): Promise<boolean> {
    const personFolder = layout.personFolder(faceid);
    try {
      // Of two processes one makes the folder.
      await mkdir(personFolder);
      await syncFolder(layout.packFolder);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
      // An empty folder is what a crash left; nobody.
      if (isPerson(await namesIn(personFolder))) return false;
    }
    await writeProfile(faceid, profile);
    return true;
  }

  return {
    async load() {
      await makeFolder(layout.packFolder);
      await groups.prepare();
      await finishMoves(layout);
      const { people, setAside } = await readEveryone(reader);
      return { groups: await groups.read(), people, setAside, otherPacks: await countOtherPacks(layout) };
    },

    list: () => listPeople(layout),

    async readPerson(faceid, known) {
      return (await readPersonFolder(reader, faceid, known))?.person;
    },

    readGroups: () => groups.read(),

    recover: () => finishMoves(layout),

    async profile(faceid) {
      if (!isPerson(await namesIn(layout.personFolder(faceid)))) return undefined;
      return await readProfile(layout.personFile(faceid), warn);
    },

    async others() {
      const packs = await otherPacksIn(layout);
      return packs.map((other) => createFileStore({ ...options, pack: other }));
    },

    createPerson,
    keepPerson: createPerson,

    async savePerson(faceid, profile) {
      if (!isPerson(await namesIn(layout.personFolder(faceid)))) return false;
      // A folder that goes away meanwhile is not made again: a deleted person stays deleted.
      return (await unlessMissing(writeProfile(faceid, profile).then(() => true))) ?? false;
    },

    async removePerson(faceid) {
      if (!isPerson(await namesIn(layout.personFolder(faceid)))) return false;
      // What could not be read of the person is theirs, too.
      await rm(path.join(folder, SET_ASIDE, pack, faceid), { recursive: true, force: true });
      const removed = path.join(layout.packFolder, `${REMOVED}${randomBytes(6).toString('hex')}`);
      const done = await unlessMissing(rename(layout.personFolder(faceid), removed).then(() => true));
      if (!done) return false;
      await syncFolder(layout.packFolder);
      await removeRemains(removed);
      return true;
    },

    movePerson: (from, to) => movePersonFolder(layout, from, to),

    mergePerson: (from, into) => mergePersonFolders(layout, from, into),

    async addFace(face, vector, { crop, profile }) {
      checkEmbedding(vector, length);
      for (let attempt = 1; ; attempt++) {
        try {
          await makeFolder(layout.personFolder(face.faceid));
          if (profile) await writeProfile(face.faceid, profile);
          else await needProfile(face.faceid, await namesIn(layout.personFolder(face.faceid)));
          if (crop) await writeDurably(layout.pictureFile(face), crop);
          // The vector last: a face counts from the moment its .npy is there.
          await writeDurably(layout.vectorFile(face), encodeNpy(vector));
          return;
        } catch (error) {
          // The person was deleted by another process meanwhile: this face comes after the deletion.
          if (!hasCode(error, 'ENOENT') || attempt === ATTEMPTS) throw error;
        }
      }
    },

    async removeFace(face) {
      const names = await namesIn(layout.personFolder(face.faceid));
      if (!isPerson(names)) return false;
      // Enrolled by a program that wrote no profile: the last face would take the person along.
      await unlessMissing(needProfile(face.faceid, names));
      const removed = await unlessMissing(rm(layout.vectorFile(face)).then(() => true));
      if (!removed) return false;
      await rm(layout.pictureFile(face), { force: true });
      await unlessMissing(syncFolder(layout.personFolder(face.faceid)));
      return true;
    },

    async picture(face) {
      return unlessMissing(readFile(layout.pictureFile(face)));
    },

    createGroup: (group) => groups.create(group),
    saveGroup: (group) => groups.save(group),
    removeGroup: (groupid) => groups.remove(groupid),

    close: () => Promise.resolve(),
  };
}

const profileText = ({ username, metadata }: Profile) =>
  `${JSON.stringify({ username, metadata }, null, 2)}\n`;
