import { KaomonError } from '../../platform/errors.js';
import { createKeyedMutex } from '../../platform/keyed-mutex.js';
import { addErased } from '../../gallery/erased.js';
import { splitFaceId } from '../../gallery/ids.js';
import type { Erased, Face, Gallery, Person } from '../../gallery/types.js';
import type { EnrolPerson } from '../../identity/enrol.js';
import { createFacePlaces, type FacePlaces } from './face-places.js';
import { SubjectNames } from './subject-names.js';

/** A face of a collection, and whose it is. */
export interface Example {
  face: Face;
  person: Person;
  subject: string;
}

/** Which examples to list. */
export interface ExamplesAsked {
  /** Only this subject's. */
  subject?: string;
  offset: number;
  limit: number;
  signal?: AbortSignal;
}

export type Collections = ReturnType<typeof createCollections>;

/** CompreFace's face collections over the gallery: one group each, its people under CompreFace's names. */
export function createCollections({ gallery }: { gallery: Gallery }) {
  /** By group. */
  const collections = new Map<string, { names: SubjectNames; places: FacePlaces }>();
  /** By group: a subject is looked up and made in one go. */
  const mutex = createKeyedMutex();
  const unfollow = gallery.follow({
    one(faceid, person) {
      const collection = collections.get(splitFaceId(faceid)?.groupid ?? '');
      collection?.places.touch(faceid);
      if (person) collection?.names.note(person);
    },
    all() {
      for (const { names, places } of collections.values()) {
        places.touchAll();
        names.noteAll();
      }
    },
  });

  function collectionOf(groupid: string) {
    let collection = collections.get(groupid);
    if (!collection) {
      collection = { names: new SubjectNames(gallery, groupid), places: createFacePlaces(gallery, groupid) };
      collections.set(groupid, collection);
    }
    return collection;
  }
  const namesOf = (groupid: string) => collectionOf(groupid).names;

  const serially = <T>(groupid: string, change: (names: SubjectNames) => Promise<T>): Promise<T> =>
    mutex.run(groupid, () => change(namesOf(groupid)));

  /** @throws KaomonError GROUP_UNKNOWN when it is not there, and the caller may not make one anywhere else either */
  async function makeGroup(groupid: string, mayMakeGroups: boolean): Promise<void> {
    if (await gallery.group(groupid)) return;
    if (!mayMakeGroups) {
      throw new KaomonError(
        'GROUP_UNKNOWN',
        `The collection is the group "${groupid}", which is not there: an administrator makes it first.`,
      );
    }
    try {
      await gallery.createGroup({ groupid, groupname: groupid });
    } catch (error) {
      // Another request or another worker was quicker.
      if (!(error instanceof KaomonError) || error.code !== 'GROUP_EXISTS') throw error;
    }
  }

  /** A subject's person. A new one's username is the subject even where it is the userid, too. */
  async function personOf(names: SubjectNames, subject: string): Promise<EnrolPerson> {
    const { groupid } = names;
    const known = await names.findStill(subject);
    return known
      ? { groupid, userid: known.userid }
      : { groupid, userid: await names.newUserid(subject), username: subject };
  }

  async function exampleOf(names: SubjectNames, imageId: string): Promise<Example | undefined> {
    const found = await names.findFace(imageId.toLowerCase());
    return found && { ...found, subject: await names.nameOf(found.person) };
  }

  return {
    namesOf,

    /**
     * The examples of a collection, or of one subject: by person, oldest first.
     * @throws KaomonError CLIENT_GONE
     */
    async listExamples(
      groupid: string,
      { subject, offset, limit, signal }: ExamplesAsked,
    ): Promise<{ examples: Example[]; total: number }> {
      const { names, places } = collectionOf(groupid);
      if (subject === undefined) {
        const examples: Example[] = [];
        for (const { person, at } of await places.page(offset, limit, signal))
          examples.push({ face: person.faces[at], person, subject: await names.nameOf(person) });
        return { examples, total: gallery.searched(new Set([groupid])) };
      }
      const person = await names.findAtLast(subject);
      if (!person) return { examples: [], total: 0 };
      const name = await names.nameOf(person);
      const faces = person.faces.slice(offset, offset + limit);
      return { examples: faces.map((face) => ({ face, person, subject: name })), total: person.faces.length };
    },

    /**
     * @param mayMakeGroups the collection's group is made where it is not there
     * @throws KaomonError PERSON_EXISTS, GROUP_UNKNOWN
     */
    async addSubject(groupid: string, subject: string, mayMakeGroups: boolean): Promise<Person> {
      await makeGroup(groupid, mayMakeGroups);
      return await serially(groupid, async (names) => {
        if (await names.findStill(subject)) {
          throw new KaomonError('PERSON_EXISTS', `There is a subject "${subject}" already.`);
        }
        return await gallery.createPerson(await personOf(names, subject));
      });
    },

    /**
     * Makes the collection's group where it is not there.
     * @throws KaomonError GROUP_UNKNOWN when the caller may not make one
     */
    makeGroup,

    /** Who a subject is, or is to become. */
    personOf: (groupid: string, subject: string): Promise<EnrolPerson> => personOf(namesOf(groupid), subject),

    /** Runs `work` with who a subject is by then, while nobody else makes a subject of the collection. */
    withPerson: <T>(
      groupid: string,
      subject: string,
      work: (person: EnrolPerson) => Promise<T>,
    ): Promise<T> => serially(groupid, async (names) => work(await personOf(names, subject))),

    /**
     * Renames a subject; where the new name is another's, all faces go to that one and this one is gone.
     * @returns whether anything changed
     * @throws KaomonError PERSON_UNKNOWN
     */
    async rename(groupid: string, from: string, to: string): Promise<boolean> {
      if (from === to) return false;
      return await serially(groupid, async (names) => {
        const person = await names.require(from);
        const other = await names.findStill(to);
        if (other && other.faceid !== person.faceid) await gallery.mergePerson(person.faceid, other.faceid);
        else await gallery.updatePerson(person.faceid, { username: to });
        return true;
      });
    },

    /**
     * @param removed told who is gone
     * @returns the subject as it was written, and what was erased
     * @throws KaomonError PERSON_UNKNOWN
     */
    async removeSubject(
      groupid: string,
      subject: string,
      removed: (person: Person) => void,
    ): Promise<{ subject: string; erased: Erased }> {
      return await serially(groupid, async (names) => {
        const person = await names.require(subject);
        const name = await names.nameOf(person);
        const erased = await gallery.remove(groupid, person.userid);
        removed(person);
        return { subject: name, erased };
      });
    },

    /** @param removed told of each who is gone. @returns how many there were */
    async removeAllSubjects(
      groupid: string,
      removed: (person: Person) => void,
    ): Promise<{ subjects: number; faces: number; erased: Erased }> {
      return await serially(groupid, async (names) => {
        const counts = { subjects: 0, faces: 0, erased: {} };
        await names.catchUp();
        for await (const person of names.everyone()) {
          const all = person.faces.length;
          try {
            addErased(counts.erased, await gallery.remove(groupid, person.userid));
          } catch (error) {
            // Somebody else was quicker.
            if (!(error instanceof KaomonError) || error.statusCode !== 404) throw error;
            continue;
          }
          removed(person);
          counts.subjects += 1;
          counts.faces += all;
        }
        return counts;
      });
    },

    /**
     * The examples with these image_ids, also those that another worker has added and this one has not heard of yet.
     * @returns undefined where there is none
     */
    async findExamples(groupid: string, imageIds: readonly string[]): Promise<(Example | undefined)[]> {
      const names = namesOf(groupid);
      const found: (Example | undefined)[] = [];
      for (const id of imageIds) found.push(await exampleOf(names, id));
      if (!found.includes(undefined)) return found;
      await names.catchUp();
      for (const [i, id] of imageIds.entries()) found[i] ??= await exampleOf(names, id);
      return found;
    },

    /** @throws KaomonError FACE_UNKNOWN */
    async requireExample(groupid: string, imageId: string): Promise<Example> {
      const [example] = await this.findExamples(groupid, [imageId]);
      if (example) return example;
      throw new KaomonError('FACE_UNKNOWN', `There is no example with the image_id "${imageId}".`);
    },

    close: () => unfollow(),
  };
}
