import { createDamage } from '../../src/platform/files/damage.js';
import { renameFace } from '../../src/gallery/face-name.js';
import { splitFaceId } from '../../src/gallery/ids.js';
import { profileOf } from '../../src/gallery/store/profile.js';
import type { EmbeddingStore, Profile, StoredFace, StoredPerson } from '../../src/gallery/store/store.js';
import type { Group } from '../../src/gallery/types.js';

/** A store in memory, for thousands of changes a second, and what it holds. */
export interface MemoryStore extends EmbeddingStore {
  people: ReadonlyMap<string, StoredPerson>;
  /** How many vectors were read. */
  vectorsRead(): number;
}

/** @param groups to begin with */
export function createMemoryStore(groups: Group[]): MemoryStore {
  const people = new Map<string, StoredPerson>();
  const stored = new Map(groups.map((group) => [group.groupid, group]));
  let vectorsRead = 0;
  let asked = 0;
  let threshold: number | undefined;
  // Each answer comes later, as of a real store; some when others have had a turn.
  const soon = async <T>(work: () => T): Promise<T> => {
    asked += 1;
    await (asked % 3 === 0 ? new Promise((resolve) => setImmediate(resolve)) : Promise.resolve());
    return work();
  };
  const age = (faces: StoredFace[]) =>
    faces.sort((a, b) => (a.enrolledAt < b.enrolledAt ? -1 : a.enrolledAt > b.enrolledAt ? 1 : 0));
  const ofPerson = (faceid: string, profile: Profile): StoredPerson => {
    return { faceid, ...profileOf(profile), faces: [] };
  };

  function take(from: StoredPerson, into: StoredPerson): void {
    const taken = new Set(into.faces.map(({ id }) => id));
    for (const { id, ...rest } of from.corrections ?? []) {
      const renamed = renameFace(id, from.faceid, into.faceid, new Set());
      (into.corrections ??= []).push({ ...rest, id: renamed, faceid: into.faceid });
    }
    for (const face of from.faces) {
      const id = renameFace(face.id, from.faceid, into.faceid, taken);
      into.faces.push({ ...face, id, faceid: into.faceid });
    }
    age(into.faces);
    people.delete(from.faceid);
  }

  return {
    people,
    vectorsRead: () => vectorsRead,
    damage: createDamage(() => undefined),
    prepare: () => Promise.resolve(),
    countOtherPacks: () => Promise.resolve({}),
    load: () =>
      soon(() => ({
        groups: [...stored.values()],
        people: structuredClone([...people.values()]),
        otherPacks: {},
      })),
    list: () => soon(() => [...people.keys()]),
    readPerson: (faceid, known) =>
      soon(() => {
        const person = people.get(faceid);
        if (!person) return undefined;
        const faces = person.faces.map(({ vector, ...face }) => {
          if (known.has(face.id)) return { ...face };
          vectorsRead += 1;
          return { ...face, vector: vector.slice() };
        });
        return { ...person, faces, corrections: [...(person.corrections ?? [])] };
      }),
    readGroups: () => soon(() => [...stored.values()]),
    recover: () => Promise.resolve(),
    obstacle: () => Promise.resolve(undefined),
    profile: (faceid) => soon(() => people.get(faceid)),
    others: () => Promise.resolve([]),

    createPerson: (faceid, profile) =>
      soon(() => !people.has(faceid) && people.set(faceid, ofPerson(faceid, profile)).size > 0),
    keepPerson: (faceid, profile) =>
      soon(() => !people.has(faceid) && people.set(faceid, ofPerson(faceid, profile)).size > 0),
    addPeople: (added) =>
      soon(() =>
        added.map(({ faceid, profile, faces }) => {
          if (people.has(faceid)) return false;
          const stored = faces.map(({ face, vector }) => ({ ...face, vector: vector.slice() }));
          people.set(faceid, { ...ofPerson(faceid, profile), faces: age(stored) });
          return true;
        }),
      ),
    savePerson: (faceid, profile) =>
      soon(() => {
        const person = people.get(faceid);
        if (person) people.set(faceid, { ...person, ...profile });
        return person !== undefined;
      }),
    removePerson: (faceid) =>
      soon(() => {
        const person = people.get(faceid);
        people.delete(faceid);
        if (!person) return undefined;
        return { faces: person.faces.length, pictures: 0, corrections: person.corrections?.length ?? 0 };
      }),
    movePerson: (from, to) =>
      soon(() => {
        const person = people.get(from);
        if (!person) return 'missing';
        if (people.has(to)) return 'exists';
        const moved = ofPerson(to, person);
        people.set(to, moved);
        take(person, moved);
        return 'moved';
      }),
    mergePerson: (from, into) =>
      soon(() => {
        const [a, b] = [people.get(from), people.get(into)];
        if (a && b) take(a, b);
        return a !== undefined && b !== undefined;
      }),
    addFace: (face, vector, { profile }) =>
      soon(() => {
        const before = people.get(face.faceid) ?? ofPerson(face.faceid, { username: '', metadata: {} });
        const faces = age([...before.faces, { ...face, vector: vector.slice() }]);
        people.set(face.faceid, { ...before, ...profile, faces });
        return undefined;
      }),
    removeFace: ({ faceid, id }) =>
      soon(() => {
        const person = people.get(faceid);
        if (!person?.faces.some((face) => face.id === id)) return false;
        people.set(faceid, { ...person, faces: person.faces.filter((face) => face.id !== id) });
        return true;
      }),
    picture: () => Promise.resolve(undefined),
    corrected: () =>
      soon(() => [...people.values()].filter((one) => one.corrections).map(({ faceid }) => faceid)),
    addCorrection: (correction, vector) =>
      soon(() => {
        const person = people.get(correction.faceid);
        if (!person) return false;
        const corrections = [...(person.corrections ?? []), { ...correction, vector: vector.slice() }];
        people.set(correction.faceid, { ...person, corrections });
        return true;
      }),
    removeCorrection: ({ faceid, id }) =>
      soon(() => {
        const person = people.get(faceid);
        const corrections = (person?.corrections ?? []).filter((one) => one.id !== id);
        if (!person || corrections.length === person.corrections?.length) return false;
        people.set(faceid, { ...person, corrections });
        return true;
      }),

    createGroup: (group) =>
      soon(() => !stored.has(group.groupid) && stored.set(group.groupid, group).size > 0),
    saveGroup: (group) => soon(() => void stored.set(group.groupid, group)),
    removeGroup: (groupid) => soon(() => stored.delete(groupid)),
    readThreshold: () => soon(() => threshold),
    saveThreshold: (identical) => soon(() => void (threshold = identical)),
    close: () => Promise.resolve(),
  };
}

/** The group of a person. */
export const groupOf = (faceid: string): string => splitFaceId(faceid)?.groupid ?? '';
