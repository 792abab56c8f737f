import { KaomonError } from '../../platform/errors.js';
import { createKeyedMutex } from '../../platform/keyed-mutex.js';
import type { Face, Gallery, Person } from '../../gallery/types.js';
import type { EnrolPerson } from '../../identity/enrol.js';
import { imageIdOf } from './image-ids.js';
import { SubjectNames } from './subject-names.js';

/** A face of a collection, and whose it is. */
export interface Example {
  face: Face;
  person: Person;
  subject: string;
}

export type Collections = ReturnType<typeof createCollections>;

/** CompreFace's face collections over the gallery: one group each, its people under CompreFace's names. */
export function createCollections({ gallery }: { gallery: Gallery }) {
  /** Names by group, until the gallery changes. */
  const cache = new Map<string, SubjectNames>();
  const unsubscribe = gallery.subscribe(() => cache.clear());
  /** By group: a subject is looked up and made in one go. */
  const mutex = createKeyedMutex();

  function namesOf(groupid: string): SubjectNames {
    let names = cache.get(groupid);
    if (!names) {
      names = new SubjectNames(gallery, groupid);
      cache.set(groupid, names);
    }
    return names;
  }

  async function serially<T>(groupid: string, change: (names: SubjectNames) => Promise<T>): Promise<T> {
    try {
      return await mutex.run(groupid, () => change(new SubjectNames(gallery, groupid)));
    } finally {
      cache.clear();
    }
  }

  /** @throws KaomonError GROUP_UNKNOWN when it is not there, and the caller may not make one anywhere else either */
  async function makeGroup(groupid: string, mayMakeGroups: boolean): Promise<void> {
    if (gallery.groups().some((group) => group.groupid === groupid)) return;
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
  function personOf(names: SubjectNames, subject: string): EnrolPerson {
    const { groupid } = names;
    const known = names.find(subject);
    return known
      ? { groupid, userid: known.userid }
      : { groupid, userid: names.newUserid(subject), username: subject };
  }

  function* examples(groupid: string): Generator<Example> {
    const names = namesOf(groupid);
    for (const person of names.people()) {
      const subject = names.nameOf(person);
      for (const face of person.faces) yield { face, person, subject };
    }
  }

  return {
    namesOf,
    examples,

    /**
     * @param mayMakeGroups the collection's group is made where it is not there
     * @throws KaomonError PERSON_EXISTS, GROUP_UNKNOWN
     */
    async addSubject(groupid: string, subject: string, mayMakeGroups: boolean): Promise<Person> {
      await makeGroup(groupid, mayMakeGroups);
      return await serially(groupid, async (names) => {
        if (names.find(subject)) {
          throw new KaomonError('PERSON_EXISTS', `There is a subject "${subject}" already.`);
        }
        return await gallery.createPerson(personOf(names, subject));
      });
    },

    /**
     * Makes the collection's group where it is not there.
     * @throws KaomonError GROUP_UNKNOWN when the caller may not make one
     */
    makeGroup,

    /** Who a subject is, or is to become. */
    personOf: (groupid: string, subject: string): EnrolPerson => personOf(namesOf(groupid), subject),

    /** Runs `work` with who a subject is by then, while nobody else makes a subject of the collection. */
    withPerson: <T>(
      groupid: string,
      subject: string,
      work: (person: EnrolPerson) => Promise<T>,
    ): Promise<T> => serially(groupid, (names) => work(personOf(names, subject))),

    /**
     * Renames a subject; where the new name is another's, all faces go to that one and this one is gone.
     * @returns whether anything changed
     * @throws KaomonError PERSON_UNKNOWN
     */
    async rename(groupid: string, from: string, to: string): Promise<boolean> {
      if (from === to) return false;
      return await serially(groupid, async (names) => {
        const person = names.require(from);
        const other = names.find(to);
        if (other && other.faceid !== person.faceid) await gallery.mergePerson(person.faceid, other.faceid);
        else await gallery.updatePerson(person.faceid, { username: to });
        return true;
      });
    },

    /**
     * @param removed told who is gone
     * @returns the subject as it was written
     * @throws KaomonError PERSON_UNKNOWN
     */
    async removeSubject(
      groupid: string,
      subject: string,
      removed: (person: Person) => void,
    ): Promise<string> {
      return await serially(groupid, async (names) => {
        const person = names.require(subject);
        await gallery.remove(groupid, person.userid);
        removed(person);
        return names.nameOf(person);
      });
    },

    /** @param removed told of each who is gone. @returns how many there were */
    async removeAllSubjects(
      groupid: string,
      removed: (person: Person) => void,
    ): Promise<{ subjects: number; faces: number }> {
      return await serially(groupid, async (names) => {
        const counts = { subjects: 0, faces: 0 };
        for (const person of names.people()) {
          const all = person.faces.length;
          await gallery.remove(groupid, person.userid);
          removed(person);
          counts.subjects += 1;
          counts.faces += all;
        }
        return counts;
      });
    },

    /** @throws KaomonError FACE_UNKNOWN */
    requireExample(groupid: string, imageId: string): Example {
      const wanted = imageId.toLowerCase();
      for (const example of examples(groupid)) if (imageIdOf(example.face) === wanted) return example;
      throw new KaomonError('FACE_UNKNOWN', `There is no example with the image_id "${imageId}".`);
    },

    close: () => unsubscribe(),
  };
}
