import { isDeepStrictEqual } from 'node:util';
import pMap from 'p-map';
/**
 * A person is the same whichever pack embedded their pictures, but a store holds one pack's faces. Without this, names
 * would vanish with a change of pack, and a deleted person would stay in the other pack's folder and come back with it.
 */
import type { EmbeddingStore, Profile, Removed, Stamp, Stamper } from './store.js';

/** People read at a time. */
const AT_ONCE = 64;

/**
 * The store of one pack, together with those of the others. People whom only another pack has are listed without a face,
 * to be enrolled again. Deleting, moving and merging a person happens in every pack, and so does deleting a face, which has
 * one ID in all of them. Embeddings of other packs are never compared.
 */
export function acrossPacks(own: EmbeddingStore): EmbeddingStore {
  /** A person's name and metadata in other packs, preferring one that has some; undefined when no pack has the person. */
  async function profileElsewhere(faceid: string): Promise<Profile | undefined> {
    let found: Profile | undefined;
    for (const other of await own.others()) {
      const profile = await other.profile(faceid);
      if (profile && hasSome(profile)) return profile;
      found ??= profile;
    }
    return found;
  }

  /** Adds a person whom only other packs have to this one. @returns whether this pack has the person now */
  async function adopt(faceid: string): Promise<boolean> {
    if (await own.profile(faceid)) return true;
    const profile = await profileElsewhere(faceid);
    if (!profile) return false;
    await own.keepPerson(faceid, profile);
    return true;
  }

  /** A consent that was renewed must not end because another pack has the old one. */
  async function spreadConsent(faceid: string, { consent }: Profile): Promise<void> {
    for (const other of await own.others()) {
      const profile = await other.profile(faceid);
      if (profile && !isDeepStrictEqual(profile.consent, consent))
        await other.savePerson(faceid, { ...profile, consent });
    }
  }

  async function listElsewhere(): Promise<Set<string>> {
    const faceids = new Set<string>();
    for (const other of await own.others()) for (const faceid of await other.list()) faceids.add(faceid);
    return faceids;
  }

  return {
    ...own,

    async load(options) {
      const contents = await own.load(options);
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

    ...(own.stamper && { stamper: () => stampAcross(own) }),

    async list() {
      return [...new Set([...(await own.list()), ...(await listElsewhere())])];
    },

    ...(own.peopleIn && {
      async peopleIn(groupid: string) {
        const listed = (await own.peopleIn?.(groupid)) ?? [];
        for (const other of await own.others()) listed.push(...((await other.peopleIn?.(groupid)) ?? []));
        return [...new Set(listed)];
      },
    }),

    async readPerson(faceid, known) {
      const person = await own.readPerson(faceid, known);
      if (person) return person;
      const profile = await profileElsewhere(faceid);
      return profile && { faceid, ...profile, faces: [] };
    },

    async recover() {
      const others = await own.others();
      // What one cannot finish keeps none of the others from it.
      const done = await Promise.allSettled([...others, own].map((store) => store.recover()));
      for (const one of done) if (one.status === 'rejected') throw one.reason;
    },

    async createPerson(faceid, profile) {
      if (await profileElsewhere(faceid)) return false;
      return await own.createPerson(faceid, profile);
    },

    async addPeople(people) {
      if ((await own.others()).length === 0) return await own.addPeople(people);
      const elsewhere = await pMap(people, ({ faceid }) => profileElsewhere(faceid), {
        concurrency: AT_ONCE,
      });
      const added = await own.addPeople(people.filter((_, i) => !elsewhere[i]));
      return elsewhere.map((profile) => !profile && (added.shift() ?? false));
    },

    async savePerson(faceid, profile) {
      const isSaved =
        (await own.savePerson(faceid, profile)) ||
        ((await adopt(faceid)) && (await own.savePerson(faceid, profile)));
      if (isSaved) await spreadConsent(faceid, profile);
      return isSaved;
    },

    // This pack goes last, so that an interrupted deletion is visible and can be repeated.
    async removePerson(faceid) {
      const removed: (Removed | undefined)[] = [];
      for (const other of await own.others()) removed.push(await other.removePerson(faceid));
      removed.push(await own.removePerson(faceid));
      return removed.reduce(addRemoved, undefined);
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
      if (extras.profile?.consent) await spreadConsent(face.faceid, extras.profile);
    },

    async addCorrection(correction, vector, crop) {
      await adopt(correction.faceid);
      return await own.addCorrection(correction, vector, crop);
    },

    async removeFace(face) {
      for (const other of await own.others()) await other.removeFace(face);
      return await own.removeFace(face);
    },
  };
}

/** Whether anything is known of a person but the ID. */
const hasSome = ({ username, metadata, consent }: Profile): boolean =>
  username !== '' || Object.keys(metadata).length > 0 || consent !== undefined;

function addRemoved(a: Removed | undefined, b: Removed | undefined): Removed | undefined {
  if (!a || !b) return a ?? b;
  return {
    faces: a.faces + b.faces,
    pictures: a.pictures + b.pictures,
    corrections: a.corrections + b.corrections,
  };
}

/** Of people whom only other packs have: their dates in all of these. */
async function stampAcross(own: EmbeddingStore): Promise<Stamper> {
  const stamps: Stamper[] = [];
  for (const { stamper } of [own, ...(await own.others())]) if (stamper) stamps.push(await stamper());
  const [ownStamp, ...others] = stamps;
  return (faceid, faces) => {
    const here = ownStamp(faceid, faces);
    if (here) return here;
    const elsewhere = others.flatMap((stamp) => stamp(faceid, []) ?? []);
    if (elsewhere.length === 0) return undefined;
    const sum: Stamp = { modified: 0, changed: 0, newest: 0 };
    for (const { modified, changed, newest } of elsewhere) {
      sum.modified += modified;
      sum.changed += changed;
      sum.newest = Math.max(sum.newest, newest);
    }
    return sum;
  };
}
