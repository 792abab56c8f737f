import { type Listed, listPeople, type PeopleQuery } from './directory.js';
import { splitFaceId } from './ids.js';
import type { VectorIndex } from './index/vector-index.js';
import { createSortedIds } from './sorted-ids.js';
import type { Profile, ReadPerson } from './store/store.js';
import { createTemplates } from './templates.js';
import type { Face, Group, Person } from './types.js';

/** The gallery as this process knows it; see {@link createMemory}. */
export type Memory = ReturnType<typeof createMemory>;

/**
 * People and faces by id, with their vectors in the index. Nothing here is asynchronous, so nobody sees a half-made change.
 * @param withTemplates puts a template of each person with several faces into the index
 */
export function createMemory(index: VectorIndex, withTemplates = false) {
  const people = new Map<string, Person>();
  const profiles = new Map<string, Profile>();
  const faces = new Map<string, Face>();
  const peopleOf = new Map<string, number>();
  const facesOf = new Map<string, number>();
  const templates = createTemplates(index);
  /** From a person who was moved or merged to the one they became, for holders of the old object such as tracks. */
  const successors = new WeakMap<Person, Person>();
  let stored: Group[] = [];
  const sorted = createSortedIds();

  const count = (counts: Map<string, number>, groupid: string, by: number) =>
    counts.set(groupid, (counts.get(groupid) ?? 0) + by);

  /** Oldest first, as `Person.faces` is. */
  function insert(person: Person, face: Face): void {
    let at = person.faces.length;
    while (at > 0 && person.faces[at - 1].enrolledAt > face.enrolledAt) at -= 1;
    person.faces.splice(at, 0, face);
  }

  function date(person: Person): void {
    const first = person.faces.at(0);
    if (first) person.enrolledAt = first.enrolledAt;
    else delete person.enrolledAt;
  }

  function setProfile(faceid: string, profile: Profile): Person {
    let person = people.get(faceid);
    if (!person) {
      const { groupid, userid } = splitFaceId(faceid) ?? { groupid: '', userid: '' };
      person = { faceid, groupid, userid, username: '', metadata: {}, faces: [] };
      people.set(faceid, person);
      sorted.add(faceid);
      count(peopleOf, groupid, 1);
    }
    person.username = profile.username || person.userid;
    person.metadata = profile.metadata;
    profiles.set(faceid, profile);
    return person;
  }

  function addFace(person: Person, face: Face, vector: Float32Array): void {
    index.add(face.id, vector);
    faces.set(face.id, face);
    insert(person, face);
    date(person);
    count(facesOf, person.groupid, 1);
  }

  function dropFace(person: Person, id: string): void {
    index.remove(id);
    faces.delete(id);
    person.faces = person.faces.filter((face) => face.id !== id);
    date(person);
    count(facesOf, person.groupid, -1);
  }

  function drop(faceid: string): void {
    const person = people.get(faceid);
    if (!person) return;
    templates.drop(faceid);
    for (const { id } of person.faces) dropFace(person, id);
    people.delete(faceid);
    sorted.delete(faceid);
    profiles.delete(faceid);
    count(peopleOf, person.groupid, -1);
  }

  const find = (query: PeopleQuery): Listed<string> =>
    listPeople({ overlaid: sorted, overlay: people, base: undefined }, query);

  const person = (faceid: string): Person | undefined => people.get(faceid);

  return {
    person,
    has: (faceid: string): boolean => people.has(faceid),
    hasFace: (id: string): boolean => faces.has(id),

    /** How many there are in all. */
    count: (): { people: number; faces: number } => ({ people: people.size, faces: faces.size }),

    /** Some of the people, by faceid. It takes about a millisecond: see {@link Listed.after}. */
    page(query: PeopleQuery): Listed<Person> {
      const { found, ...rest } = find(query);
      return { ...rest, found: found.flatMap((faceid) => person(faceid) ?? []) };
    },

    /** As `page`, but only the faceids, which costs less where the people are many. */
    find,

    /** The name (empty when none was given) and metadata. */
    profile: (faceid: string): Profile => profiles.get(faceid) ?? { username: '', metadata: {} },

    /** How many faces the people of these groups have. */
    facesIn: (groups: Iterable<string>): number =>
      [...groups].reduce((sum, groupid) => sum + (facesOf.get(groupid) ?? 0), 0),

    /** How many people these groups have. */
    countPeople: (groups: Iterable<string>): number =>
      [...groups].reduce((sum, groupid) => sum + (peopleOf.get(groupid) ?? 0), 0),

    hasGroup: (groupid: string): boolean =>
      stored.some((group) => group.groupid === groupid) || (peopleOf.get(groupid) ?? 0) > 0,

    /** Those of the store, then those that only people refer to, as after folders were copied in without the group's file. */
    groups(): Group[] {
      const known = new Set(stored.map(({ groupid }) => groupid));
      const implied = [...peopleOf].filter(([groupid, number]) => number > 0 && !known.has(groupid));
      return [...stored, ...implied.map(([groupid]) => ({ groupid, groupname: groupid }))];
    },

    setGroups(groups: Group[]): void {
      stored = groups;
    },

    setProfile,

    drop,

    /** Notes who `before` has become; call it in the same turn that adds them under the new faceid. */
    succeed(before: Person | undefined, faceid: string): void {
      const after = people.get(faceid);
      if (before && after && before !== after && people.get(before.faceid) !== before)
        successors.set(before, after);
    },

    /** The person as they are now, perhaps under another faceid; undefined when deleted. */
    current(person: Person): Person | undefined {
      let now = person;
      for (let next = successors.get(now); next; next = successors.get(now)) now = next;
      return people.get(now.faceid);
    },

    /** Whose vector has this id, and of which face; `face` is undefined for the person's template. */
    ownerOf(id: string): { person: Person; face: Face | undefined } | undefined {
      const face = faces.get(id);
      const person = people.get(face?.faceid ?? templates.ownerOf(id) ?? '');
      return person && { person, face };
    },

    /** Ids of the faces whose vectors are in the index. */
    faceIds: (faceid: string): Set<string> => new Set(people.get(faceid)?.faces.map(({ id }) => id)),

    /** Whether adding a face makes the person's first template, which needs the vector of the face they have. */
    lacksFirst: (faceid: string): boolean => withTemplates && people.get(faceid)?.faces.length === 1,

    /**
     * Whether {@link setPerson} needs more vectors than were read to make the person's template: it needs those of all
     * faces, unless faces were only added to a template.
     */
    lacksVectors({ faceid, faces: read }: ReadPerson): boolean {
      if (!withTemplates || read.length < 2 || read.every(({ vector }) => vector)) return false;
      const there = people.get(faceid)?.faces ?? [];
      const wanted = new Set(read.map(({ id }) => id));
      return templates.count(faceid) !== there.length || there.some(({ id }) => !wanted.has(id));
    },

    /**
     * Updates a person to what the store holds.
     * @param read undefined when there is no such person. Without the vectors of faces that are in memory, unless
     *   {@link lacksVectors} says that they are needed
     */
    setPerson(faceid: string, read: ReadPerson | undefined): void {
      if (!read) {
        drop(faceid);
        return;
      }
      const person = setProfile(faceid, { username: read.username, metadata: read.metadata });
      const wanted = new Set(read.faces.map(({ id }) => id));
      const gone = person.faces.filter(({ id }) => !wanted.has(id));
      // First, because it was made with the faces that are gone.
      if (gone.length > 0) templates.drop(faceid);
      for (const { id } of gone) dropFace(person, id);
      const added: Float32Array[] = [];
      for (const { vector, ...face } of read.faces) {
        if (!vector || faces.has(face.id)) continue;
        addFace(person, face, vector);
        added.push(vector);
      }
      if (!withTemplates || person.faces.length < 2) templates.drop(faceid);
      else if (templates.count(faceid) > 0) templates.add(faceid, added);
      else templates.add(faceid, vectorsOf(read));
    },
  };
}

/** The vectors of all faces; empty when one is missing. */
function vectorsOf({ faces }: ReadPerson): Float32Array[] {
  const vectors = faces.flatMap(({ vector }) => vector ?? []);
  return vectors.length === faces.length ? vectors : [];
}
