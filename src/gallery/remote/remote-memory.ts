import { createCorrections } from '../corrections.js';
import type { Count } from '../group-counts.js';
import { splitFaceId } from '../ids.js';
import type { KnownPeople } from '../memory.js';
import { createMoves } from '../moves.js';
import { profileOf } from '../store/profile.js';
import type { Profile, ReadPerson } from '../store/store.js';
import type { Group, Person } from '../types.js';

/** People who were asked for or changed and may be asked for again. */
const KEPT = 16_384;

interface Known {
  /** undefined: gone. */
  person: Person | undefined;
  profile: Profile;
}

/** A person from what was read of them. */
export function toPerson({ faceid, username, metadata, consent, faces }: ReadPerson): Person {
  const { groupid, userid } = splitFaceId(faceid) ?? { groupid: '', userid: '' };
  const person: Person = {
    ...{ faceid, groupid, userid, username: username || userid, metadata },
    faces: faces.map(({ id, enrolledAt, automatic, hasPicture }) => {
      return { id, faceid, enrolledAt, automatic, hasPicture };
    }),
  };
  if (consent) person.consent = consent;
  const first = person.faces.at(0);
  if (first) person.enrolledAt = first.enrolledAt;
  return person;
}

/** See {@link createRemoteMemory}. */
export type RemoteMemory = ReturnType<typeof createRemoteMemory>;

/**
 * What this process knows of a gallery that is elsewhere: who was asked for or changed lately, groups, corrections, and how
 * many there are. It holds no vectors but those of corrections.
 */
export function createRemoteMemory() {
  const people = new Map<string, Known>();
  const moves = createMoves();
  const corrections = createCorrections();
  let stored: Group[] = [];
  let counts: ReadonlyMap<string, Count> = new Map();

  function keep(faceid: string, known: Known): void {
    people.delete(faceid);
    people.set(faceid, known);
    if (people.size <= KEPT) return;
    const [oldest] = people.keys();
    people.delete(oldest);
  }

  const person = (faceid: string): Person | undefined => people.get(faceid)?.person;

  function drop(faceid: string): void {
    corrections.set(faceid, []);
    keep(faceid, { person: undefined, profile: { username: '', metadata: {} } });
  }

  function setPerson(faceid: string, read: ReadPerson | undefined): void {
    if (!read) {
      drop(faceid);
      return;
    }
    if (read.corrections) corrections.set(faceid, read.corrections);
    const faces = [...read.faces].sort((a, b) => (a.enrolledAt + a.id < b.enrolledAt + b.id ? -1 : 1));
    keep(faceid, { person: moves.made(toPerson({ ...read, faces })), profile: profileOf(read) });
  }

  const count = (groups?: Iterable<string>): Count => {
    const sum = { people: 0, faces: 0 };
    for (const groupid of groups ?? ['']) {
      const { people: some = 0, faces = 0 } = counts.get(groupid) ?? {};
      sum.people += some;
      sum.faces += faces;
    }
    return sum;
  };

  const known: KnownPeople = {
    // The store makes them.
    withTemplates: false,
    lacksFirst: () => false,
    lacksVectors: () => false,
    corrections,
    person,
    drop,
    setPerson,
    count,
    has: (faceid) => person(faceid) !== undefined,
    hasFace: (faceid, id) => person(faceid)?.faces.some((face) => face.id === id) ?? false,
    faceIds: (faceid) => new Set(person(faceid)?.faces.map(({ id }) => id)),
    profile: (faceid) => people.get(faceid)?.profile ?? { username: '', metadata: {} },

    setProfile(faceid, profile) {
      const faces = person(faceid)?.faces ?? [];
      setPerson(faceid, { faceid, ...profile, faces });
      return person(faceid) ?? toPerson({ faceid, ...profile, faces });
    },

    succeed(from, to) {
      if (person(to) && !person(from)) moves.note(from, to);
    },

    hasGroup: (groupid) => stored.some((group) => group.groupid === groupid) || count([groupid]).people > 0,

    groups() {
      const there = new Set(stored.map(({ groupid }) => groupid));
      const implied = [...counts.keys()].filter(
        (groupid) => groupid !== '' && !there.has(groupid) && count([groupid]).people > 0,
      );
      return [...stored, ...implied.map((groupid) => ({ groupid, groupname: groupid }))];
    },

    setGroups(groups) {
      stored = groups;
    },
  };

  return {
    ...known,
    /** Notes that an object of a person is made now. */
    made: moves.made,

    /** The person as they are now; undefined when gone. Who was not heard of since is as before. */
    current(before: Person): Person | undefined {
      const faceid = moves.follow(before);
      if (people.has(faceid)) return person(faceid);
      return faceid === before.faceid ? before : undefined;
    },

    setCounts(all: ReadonlyMap<string, Count>): void {
      counts = all;
    },

    /** Forgets who was asked for: events were missed. */
    clear(): void {
      people.clear();
    },
  };
}
