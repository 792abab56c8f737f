import { isDeepStrictEqual } from 'node:util';
import type { Base } from './base/base.js';
import { createLayer, type Layer, type LayerPerson } from './base/layer.js';
import { type Listed, listPeople, type PeopleQuery } from './directory.js';
import type { Count } from './group-counts.js';
import type { VectorIndex } from './index/vector-index.js';
import { type Corrections, createCorrections } from './corrections.js';
import { createMoves } from './moves.js';
import { createOverlay, type Owner } from './overlay.js';
import { profileOf } from './store/profile.js';
import type { Profile, ReadPerson } from './store/store.js';
import { copyVectors } from './copy-vectors.js';
import type { Group, Person, VectorsOf } from './types.js';

/** The gallery as this process knows it; see {@link createMemory}. */
export type Memory = ReturnType<typeof createMemory>;

/** What the operations ask of memory, which may hold everybody, or whoever was asked for. */
export type KnownPeople = Pick<
  Memory,
  | 'withTemplates'
  | 'corrections'
  | 'person'
  | 'has'
  | 'hasFace'
  | 'hasGroup'
  | 'profile'
  | 'setProfile'
  | 'setPerson'
  | 'drop'
  | 'succeed'
  | 'groups'
  | 'setGroups'
  | 'count'
  | 'faceIds'
  | 'lacksFirst'
  | 'lacksVectors'
>;

/**
 * So much higher is the number of a base that was surely begun after a deletion: when it happened the next one may have
 * been under way, and one more finished but not yet noticed.
 */
const LATER = 3;

/**
 * People and faces by id: a base, which may be missing, and over it those who are newer, with their vectors in the index
 * (the tail). Nothing here is asynchronous, so nobody sees a half-made change.
 * @param withTemplates puts a template of each person with several faces into the index; the base has its own
 */
export function createMemory(index: VectorIndex, withTemplates = false, base?: Base) {
  const moves = createMoves();
  const overlay = createOverlay(index, withTemplates, moves.made);
  const { people, counts } = overlay;
  const corrections: Corrections = createCorrections();
  let layer: Layer | undefined = base && createLayer(base, moves.made);
  /** The next layer, while it is compared with the overlay. */
  let incoming: Layer | undefined;
  let stored: Group[] = base?.people.storedGroups ?? [];

  const person = (faceid: string): Person | undefined =>
    people.has(faceid) ? people.get(faceid) : layer?.find(faceid)?.person;

  const has = (faceid: string): boolean =>
    people.has(faceid) ? people.get(faceid) !== undefined : (layer?.holds(faceid) ?? false);

  /** Somebody for whom the base answers. */
  const inBase = (faceid: string): LayerPerson | undefined =>
    people.has(faceid) ? undefined : layer?.find(faceid);

  /** The overlay alone answers for a person from now on. */
  function cover(faceid: string): void {
    layer?.cover(faceid);
    incoming?.cover(faceid);
  }

  /** With the vectors that the base has. */
  function withVectors({ person, rows }: LayerPerson, faces: ReadPerson['faces']): ReadPerson['faces'] {
    const places = new Map(person.faces.map(({ id }, i) => [id, rows.first + i]));
    return faces.map((face) => {
      const row = face.vector ? undefined : places.get(face.id);
      return row === undefined ? face : { ...face, vector: layer?.base.vectors.vectorAt(row) };
    });
  }

  function setPerson(faceid: string, read: ReadPerson | undefined): void {
    if (!read) {
      // Whoever asks for people who never were must not fill the memory.
      if (has(faceid)) drop(faceid);
      return;
    }
    if (read.corrections) corrections.set(faceid, read.corrections);
    const known = inBase(faceid);
    if (known && isSame(known, read, read.faces)) return;
    const faces = known ? withVectors(known, read.faces) : read.faces;
    cover(faceid);
    overlay.update({ ...read, faceid, faces });
  }

  /** A base that is made at this moment may still hold them, so it is noted that they are gone. */
  function drop(faceid: string): void {
    corrections.set(faceid, []);
    cover(faceid);
    overlay.markGone(faceid, layer?.base.people.number ?? 0);
  }

  const profile = (faceid: string): Profile => {
    const known = inBase(faceid);
    if (known) return profileOf({ ...known.person, username: known.username });
    return overlay.profile(faceid) ?? { username: '', metadata: {} };
  };

  const find = (query: PeopleQuery): Listed<string> =>
    listPeople({ overlaid: overlay.sorted, overlay: people, base: layer?.base.people }, query);

  /** How many people and faces there are, of these groups or of all. */
  function count(groups?: Iterable<string>): Count {
    const parts = groups
      ? [...groups].flatMap((groupid) => [counts.of(groupid), layer?.of(groupid)])
      : [counts.total, layer?.total()];
    const sum = { people: 0, faces: 0 };
    for (const part of parts) {
      sum.people += part?.people ?? 0;
      sum.faces += part?.faces ?? 0;
    }
    return sum;
  }

  return {
    withTemplates,
    /** Of everybody, whether base or overlay answers for them. */
    corrections,
    person,
    has,
    count,
    profile,
    setPerson,
    drop,
    inBase,

    /** See {@link Gallery.copyVectors}. */
    copyVectors(of: readonly VectorsOf[], into: Float32Array): boolean[] {
      return layer ? copyVectors(layer.base.vectors, inBase, of, into) : of.map(() => false);
    },

    /** As `page`, but only the faceids, which costs less where the people are many. */
    find,

    /** Some of the people, by faceid. It takes about a millisecond: see {@link Listed.after}. */
    page(query: PeopleQuery): Listed<Person> {
      const { found, ...rest } = find(query);
      return { ...rest, found: found.flatMap((faceid) => person(faceid) ?? []) };
    },

    /** Whether somebody has a face of this id. @param faceid whose it would be */
    hasFace: (faceid: string, id: string): boolean =>
      overlay.hasFace(id) || (inBase(faceid)?.person.faces.some((face) => face.id === id) ?? false),

    hasGroup: (groupid: string): boolean =>
      stored.some((group) => group.groupid === groupid) || count([groupid]).people > 0,

    /** Those of the store, then those that only people refer to, as after folders were copied in without the group's file. */
    groups(): Group[] {
      const known = new Set(stored.map(({ groupid }) => groupid));
      const named = new Set([...(layer?.base.people.groups().keys() ?? []), ...counts.groupids()]);
      const implied = [...named].filter((groupid) => !known.has(groupid) && count([groupid]).people > 0);
      return [...stored, ...implied.map((groupid) => ({ groupid, groupname: groupid }))];
    },

    setGroups(groups: Group[]): void {
      stored = groups;
    },

    /** Changes or makes a person; the faces stay. */
    setProfile(faceid: string, profile: Profile): Person {
      const known = inBase(faceid);
      if (known) setPerson(faceid, { faceid, ...profile, faces: known.person.faces });
      else cover(faceid);
      return inBase(faceid)?.person ?? overlay.put(faceid, profile);
    },

    /** Notes that a person has become another; call it in the same turn that adds them under the new faceid. */
    succeed(from: string, to: string): void {
      if (!has(from) && has(to)) moves.note(from, to);
    },

    /** The person as they are now, perhaps under another faceid; undefined when deleted. */
    current: (before: Person): Person | undefined => person(moves.follow(before)),

    /** Whose vector has this id in the index; undefined when it was removed. */
    ownerOf: (id: string): Owner | undefined => overlay.ownerOf(id),

    /** Whose row of a layer this is; undefined when it may not be found any more. @param of this one, or an earlier one */
    ownerOfRow(of: Layer, row: number): Owner | undefined {
      const { person: held, face } = of.ownerOf(row);
      if (of === layer) {
        if (of.isGone(held.faceid)) return undefined;
        // Who is not overlaid is as the layer says, and need not be looked for again: a search asks for thousands.
        if (!people.has(held.faceid)) return { person: held, face };
      }
      const now = person(held.faceid);
      if (!now) return undefined;
      if (!face) return of === layer || hasFaces(now, held.faces) ? { person: now, face } : undefined;
      const same = now.faces.find(({ id }) => id === face.id);
      return same && { person: now, face: same };
    },

    /** The base that new searches ask. */
    layer: (): Layer | undefined => layer,

    /** How many people and faces the index holds, of these groups or of all; templates are not counted. */
    inTail: (groups?: Iterable<string>): Count =>
      groups
        ? [...groups].reduce(
            (sum, groupid) => {
              const { people, faces } = counts.of(groupid);
              return { people: sum.people + people, faces: sum.faces + faces };
            },
            { people: 0, faces: 0 },
          )
        : counts.total,

    /** Ids of the faces whose vectors are in memory. */
    faceIds: (faceid: string): Set<string> => new Set(person(faceid)?.faces.map(({ id }) => id)),

    /** Whether adding a face makes the person's first template, which needs the vector of the face they have. */
    lacksFirst: (faceid: string): boolean => withTemplates && people.get(faceid)?.faces.length === 1,

    /** Whether {@link setPerson} needs more vectors than were read: see {@link Overlay.lacksVectors}. */
    lacksVectors: (read: ReadPerson): boolean => !inBase(read.faceid) && overlay.lacksVectors(read),

    /** The people for whom the overlay answers, or who are gone, by faceid. @returns undefined behind the last */
    nextOverlaid: (after: string): string | undefined => overlay.sorted.after(after),
    /** How many those are. */
    overlaid: (): number => overlay.sorted.size,

    /** From now on changes go to this layer as well; {@link compare} everybody in the overlay with it, then {@link swap}. */
    prepare(next: Base): void {
      incoming = createLayer(next, moves.made);
    },

    /** Tells the incoming layer of somebody in the overlay. */
    compare(faceid: string): void {
      const there = people.get(faceid);
      const record = incoming?.find(faceid);
      if (!record || !people.has(faceid)) return;
      const saysTheSame = there !== undefined && isSame(record, profile(faceid), there.faces);
      incoming?.cover(faceid, saysTheSame);
    },

    /** Gives the incoming layer up. */
    abandon(): void {
      incoming = undefined;
    },

    /** From now on the incoming layer answers. */
    swap(): void {
      layer = incoming;
      incoming = undefined;
    },

    /**
     * Somebody leaves the overlay, if the base says the same of them. Call it when the searches that began before the
     * swap have ended: they do not look into this base.
     * @returns whether the overlay says nothing of them any more
     */
    settle(faceid: string): boolean {
      if (!people.has(faceid)) return true;
      if (!layer) return false;
      const since = overlay.goneSince(faceid);
      const isGone = since !== undefined && !layer.holds(faceid) && layer.base.people.number >= since + LATER;
      if (!isGone && !layer.saysTheSame(faceid)) return false;
      layer.uncover(faceid);
      overlay.forget(faceid);
      return true;
    },
  };
}

const hasFaces = ({ faces: there }: Pick<Person, 'faces'>, faces: readonly { id: string }[]): boolean => {
  if (there.length !== faces.length) return false;
  const ids = new Set(there.map(({ id }) => id));
  return faces.every(({ id }) => ids.has(id));
};

const isSame = (known: LayerPerson, profile: Profile, faces: readonly { id: string }[]): boolean =>
  known.username === profile.username &&
  isDeepStrictEqual(known.person.metadata, profile.metadata) &&
  isDeepStrictEqual(known.person.consent, profile.consent) &&
  hasFaces(known.person, faces);
