import { createGroupCounts } from '../group-counts.js';
import { splitFaceId } from '../ids.js';
import type { Face, Person } from '../types.js';
import type { Base, BasePerson, Range } from './base.js';

/** People who were made from their records and may be asked for again: some 4 MB. */
const KEPT = 8192;

/** Somebody of a base. */
export interface LayerPerson {
  person: Person;
  /** As the base holds it: empty where no name was given. */
  username: string;
  rows: Range;
}

/** See {@link createLayer}. */
export type Layer = ReturnType<typeof createLayer>;

/**
 * A base under an overlay: it knows for whom of its people the overlay answers ("covered"), and counts the others. The
 * rows of a covered person are tombstones, unless both say the same of the person, who may then leave the overlay.
 * @param made told of every person that is made from a record
 */
export function createLayer(base: Base, made: (person: Person) => Person) {
  const { people, vectors } = base;
  /** Whether the rows of a covered person may still be found. */
  const covered = new Map<string, boolean>();
  const less = createGroupCounts();
  const kept = new Map<number, LayerPerson>();
  const keptById = new Map<string, LayerPerson>();
  /** Their indices, the oldest at `next` once it is full: a map's first key is slow to find where many were deleted. */
  const ring = new Int32Array(KEPT).fill(-1);
  let next = 0;

  function at(index: number): LayerPerson {
    const known = kept.get(index);
    if (known) return known;
    const record = people.personAt(index);
    const one = { person: made(toPerson(record)), username: record.username, rows: record.rows };
    kept.set(index, one);
    keptById.set(record.faceid, one);
    const oldest = kept.get(ring[next]);
    if (oldest) {
      kept.delete(ring[next]);
      keptById.delete(oldest.person.faceid);
    }
    ring[next] = index;
    next = (next + 1) % KEPT;
    return one;
  }

  function find(faceid: string): LayerPerson | undefined {
    const known = keptById.get(faceid);
    if (known) return known;
    const index = people.indexOf(faceid);
    return index < 0 ? undefined : at(index);
  }

  const count = ({ person }: LayerPerson, sign: 1 | -1) =>
    less.add(person.groupid, { people: sign, faces: sign * person.faces.length });

  return {
    base,
    find,
    holds: (faceid: string): boolean => people.indexOf(faceid) >= 0,

    /** Whose row this is, and which of the faces; `face` is undefined for the template. */
    ownerOf(row: number): LayerPerson & { face: Face | undefined } {
      const owner = at(people.ownerOf(row));
      return { ...owner, face: owner.person.faces.at(row - owner.rows.first) };
    },

    /**
     * The overlay answers for this person from now on. Does nothing when there is no such person.
     * @param saysTheSame the rows may still be found, unless it was called without this before
     */
    cover(faceid: string, saysTheSame = false): void {
      const found = covered.get(faceid);
      if (found === false || found === saysTheSame) return;
      const one = find(faceid);
      if (!one) return;
      if (found === undefined) count(one, 1);
      covered.set(faceid, saysTheSame);
      if (!saysTheSame) vectors.remove(one.rows);
    },

    /** Whether {@link uncover} is possible. */
    saysTheSame: (faceid: string): boolean => covered.get(faceid) === true,

    /** The overlay answers no more for a person of whom both say the same. */
    uncover(faceid: string): void {
      const one = covered.get(faceid) === true ? find(faceid) : undefined;
      if (!one) return;
      covered.delete(faceid);
      count(one, -1);
    },

    /** Whether a row of this person is found no more. */
    isGone: (faceid: string): boolean => covered.get(faceid) === false,

    /** How many people and faces it answers for. */
    total: () => ({ people: people.people - less.total.people, faces: people.faces - less.total.faces }),

    of(groupid: string) {
      const group = people.groups().get(groupid);
      if (!group) return { people: 0, faces: 0 };
      const { first, end } = group.people;
      return { people: end - first - less.of(groupid).people, faces: group.faces - less.of(groupid).faces };
    },
  };
}

function toPerson({ faceid, username, metadata, consent, faces }: BasePerson): Person {
  const { groupid, userid } = splitFaceId(faceid) ?? { groupid: '', userid: '' };
  const person: Person = { faceid, groupid, userid, username: username || userid, metadata, faces };
  if (consent) person.consent = consent;
  const first = faces.at(0);
  if (first) person.enrolledAt = first.enrolledAt;
  return person;
}
