import { createGroupCounts } from './group-counts.js';
import { splitFaceId } from './ids.js';
import type { VectorIndex } from './index/vector-index.js';
import { createSortedIds } from './sorted-ids.js';
import { profileOf } from './store/profile.js';
import type { Profile, ReadPerson } from './store/store.js';
import { createTemplates } from './templates.js';
import type { Face, Person } from './types.js';

/** Whose vector was found, and of which face; `face` is undefined for the person's template. */
export interface Owner {
  person: Person;
  face: Face | undefined;
}

/** See {@link createOverlay}. */
export type Overlay = ReturnType<typeof createOverlay>;

/**
 * The people who are newer than the base, with their vectors in an index (the tail), and who of the base is gone.
 * Everybody, where there is no base.
 * @param withTemplates puts a template of each person with several faces into the index
 * @param made told of every person's object that is made
 */
export function createOverlay(index: VectorIndex, withTemplates: boolean, made: (person: Person) => Person) {
  /** undefined: gone. */
  const people = new Map<string, Person | undefined>();
  /** The number of the base when somebody went. */
  const goneSince = new Map<string, number>();
  const sorted = createSortedIds();
  const profiles = new Map<string, Profile>();
  const faces = new Map<string, Face>();
  const counts = createGroupCounts();
  const templates = createTemplates(index);

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

  function addFace(person: Person, face: Face, vector: Float32Array): void {
    index.add(face.id, vector);
    faces.set(face.id, face);
    insert(person, face);
    date(person);
    counts.add(person.groupid, { faces: 1 });
  }

  function dropFace(person: Person, id: string): void {
    index.remove(id);
    faces.delete(id);
    person.faces = person.faces.filter((face) => face.id !== id);
    date(person);
    counts.add(person.groupid, { faces: -1 });
  }

  function note(faceid: string, person: Person | undefined): void {
    people.set(faceid, person);
    sorted.add(faceid);
  }

  /** A person with this profile; made where necessary. */
  function put(faceid: string, profile: Profile): Person {
    let person = people.get(faceid);
    if (!person) {
      const { groupid, userid } = splitFaceId(faceid) ?? { groupid: '', userid: '' };
      person = made({ faceid, groupid, userid, username: '', metadata: {}, faces: [] });
      goneSince.delete(faceid);
      note(faceid, person);
      counts.add(groupid, { people: 1 });
    }
    person.username = profile.username || person.userid;
    person.metadata = profile.metadata;
    if (profile.consent) person.consent = profile.consent;
    else delete person.consent;
    profiles.set(faceid, profile);
    return person;
  }

  /** Takes a person's vectors out of the index. The object stays as it is, for those who hold it. */
  function clear(faceid: string): void {
    const person = people.get(faceid);
    if (!person) return;
    templates.drop(faceid);
    for (const { id } of person.faces) {
      index.remove(id);
      faces.delete(id);
    }
    profiles.delete(faceid);
    counts.add(person.groupid, { people: -1, faces: -person.faces.length });
  }

  return {
    people: people as ReadonlyMap<string, Person | undefined>,
    sorted,
    counts,
    put,

    hasFace: (id: string): boolean => faces.has(id),
    profile: (faceid: string): Profile | undefined => profiles.get(faceid),

    /** Whose vector has this id in the index. */
    ownerOf(id: string): Owner | undefined {
      const face = faces.get(id);
      const person = people.get(face?.faceid ?? templates.ownerOf(id) ?? '');
      return person && { person, face };
    },

    /**
     * Whether {@link update} needs more vectors than were read to make the person's template: it needs those of all
     * faces, unless faces were only added to a template.
     */
    lacksVectors({ faceid, faces: read }: ReadPerson): boolean {
      if (!withTemplates || read.length < 2 || read.every(({ vector }) => vector)) return false;
      const there = people.get(faceid)?.faces ?? [];
      const wanted = new Set(read.map(({ id }) => id));
      return templates.count(faceid) !== there.length || there.some(({ id }) => !wanted.has(id));
    },

    /**
     * Adds a person, or changes one to what was read.
     * @param read without the vectors of faces that are here, unless {@link lacksVectors} says that they are needed
     */
    update(read: ReadPerson): void {
      const { faceid } = read;
      const person = put(faceid, profileOf(read));
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

    /** Takes a person out, of whom a base may know, this one or a later one. @param number of the base now; 0: none */
    markGone(faceid: string, number: number): void {
      clear(faceid);
      note(faceid, undefined);
      goneSince.set(faceid, number);
    },

    /** The number of the base when this person went; undefined when they are here. */
    goneSince: (faceid: string): number | undefined => goneSince.get(faceid),

    /** Says nothing of this person any more. */
    forget(faceid: string): void {
      clear(faceid);
      people.delete(faceid);
      goneSince.delete(faceid);
      sorted.delete(faceid);
    },
  };
}

/** The vectors of all faces; empty when one is missing. */
function vectorsOf({ faces }: ReadPerson): Float32Array[] {
  const vectors = faces.flatMap(({ vector }) => vector ?? []);
  return vectors.length === faces.length ? vectors : [];
}
