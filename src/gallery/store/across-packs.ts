import pMap from 'p-map';
/**
 * A person is one, whatever packs have embedded the pictures. A store holds one pack's faces; with another pack's people
 * left out, names would vanish with a change of pack, and whom somebody deletes would lie in the other pack's folder for
 * ever and be back with it.
 */
import type { EmbeddingStore, Profile } from './store.js';

/** People read at a time. */
const AT_ONCE = 64;

/**
 * The store of one pack among those of others. People whom only another pack has are listed, without a face: they are
 * to be enrolled again. Whoever is deleted, moved or merged is so in every pack, and so is a face that is deleted, which
 * has one ID in all of them. What another pack has is never compared.
 */
export function acrossPacks(own: EmbeddingStore): EmbeddingStore {
  /** The name and metadata that other packs have of a person, rather than none; undefined: they have no such person. */
  async function profileElsewhere(faceid: string): Promise<Profile | undefined> {
    let found: Profile | undefined;
    for (const other of await own.others()) {
      const profile = await other.profile(faceid);
      if (profile && (profile.username !== '' || Object.keys(profile.metadata).length > 0)) return profile;
      found ??= profile;
    }
    return found;
  }

  /** Makes this pack's person of one whom only others have. @returns whether there is one now */
  async function adopt(faceid: string): Promise<boolean> {
    if (await own.profile(faceid)) return true;
    const profile = await profileElsewhere(faceid);
    if (!profile) return false;
    await own.keepPerson(faceid, profile);
    return true;
  }

  async function listElsewhere(): Promise<Set<string>> {
    const faceids = new Set<string>();
    for (const other of await own.others()) for (const faceid of await other.list()) faceids.add(faceid);
    return faceids;
  }

  return {
    ...own,

    async load() {
      const contents = await own.load();
      const here = new Set(contents.people.map(({ faceid }) => faceid));
      const missing = [...(await listElsewhere())].filter((faceid) => !here.has(faceid));
      const readOne = async (faceid: string) => {
        const profile = await profileElsewhere(faceid);
        return profile && { faceid, ...profile, faces: [] };
      };
      const people = await pMap(missing, readOne, { concurrency: AT_ONCE });
      const all = [...contents.people, ...people.filter((person) => person !== undefined)];
      all.sort((a, b) => (a.faceid < b.faceid ? -1 : 1));
      return { ...contents, people: all };
    },

    async list() {
      return [...new Set([...(await own.list()), ...(await listElsewhere())])];
    },

    async readPerson(faceid, known) {
      const person = await own.readPerson(faceid, known);
      if (person) return person;
      const profile = await profileElsewhere(faceid);
      return profile && { faceid, ...profile, faces: [] };
    },

    async recover() {
      for (const other of await own.others()) await other.recover();
      await own.recover();
    },

    async createPerson(faceid, profile) {
      if (await profileElsewhere(faceid)) return false;
      return await own.createPerson(faceid, profile);
    },

    async savePerson(faceid, profile) {
      return (
        (await own.savePerson(faceid, profile)) || ((await adopt(faceid)) && own.savePerson(faceid, profile))
      );
    },

    // This pack's part goes last: what is cut short is seen, and can be done again.
    async removePerson(faceid) {
      let removed = false;
      for (const other of await own.others()) removed = (await other.removePerson(faceid)) || removed;
      return (await own.removePerson(faceid)) || removed;
    },

    async movePerson(from, to) {
      if ((await own.profile(to)) ?? (await profileElsewhere(to))) return 'exists';
      if (!(await adopt(from))) return 'missing';
      for (const other of await own.others()) await other.movePerson(from, to);
      return await own.movePerson(from, to);
    },

    async mergePerson(from, into) {
      if (!(await adopt(from)) || !(await adopt(into))) return false;
      for (const other of await own.others()) {
        if ((await other.movePerson(from, into)) === 'exists') await other.mergePerson(from, into);
      }
      return await own.mergePerson(from, into);
    },

    async addFace(face, vector, extras) {
      if (!extras.profile) await adopt(face.faceid);
      await own.addFace(face, vector, extras);
    },

    async removeFace(face) {
      for (const other of await own.others()) await other.removeFace(face);
      return await own.removeFace(face);
    },
  };
}
