import type { BasePeople } from './base/base.js';
import { searchKey } from './names.js';
import type { SortedIds } from './sorted-ids.js';
import type { Person } from './types.js';

/** Which people to list, by faceid. */
export interface PeopleQuery {
  /** Of these groups only. */
  groups?: ReadonlySet<string>;
  /** Only people behind this faceid, which need not be anybody's. */
  after?: string;
  /** So many that fit are passed over first. Default: 0. */
  skip?: number;
  /** The most to list; 1 or more. */
  limit: number;
  /** Part of the name or of the userid, as it was typed. */
  search?: string;
}

/** Some of the people that a query asks for. */
export interface Listed<T> {
  found: T[];
  /** How many that fit were passed over. */
  skipped: number;
  /**
   * Where to go on, with the rest of `skip` and `limit`; undefined at the end. A search looks at a few thousand people at
   * a time, so there may be more although fewer than `limit` were found.
   */
  after: string | undefined;
}

/** Where the people are listed from. */
export interface DirectorySources {
  /** Everybody that the overlay says something of, be it that they are gone. */
  overlaid: SortedIds;
  /** undefined: gone. */
  overlay: ReadonlyMap<string, Person | undefined>;
  base: BasePeople | undefined;
}

/** What one call of {@link listPeople} may look at: about a millisecond. */
const BUDGET = 4096;
/** What it costs to look for a text in a person of the base, whose key is ready, as a share of one in the overlay. */
const IN_BASE = 1 / 8;

/** Search keys made before. An overlay's person stays the same object. */
const keys = new WeakMap<Person, { username: string; name: string; userid: string }>();

/** @param key as `searchKey` makes it */
function fits(person: Person, key: string): boolean {
  if (key === '') return true;
  const { username, userid } = person;
  let known = keys.get(person);
  if (known?.username !== username) {
    known = { username, name: searchKey(username), userid: searchKey(userid) };
    keys.set(person, known);
  }
  return known.name.includes(key) || known.userid.includes(key);
}

/** The faceids of some groups, as ranges in their order; the end excluded. A group's people stand together: see ids.ts. */
function rangesOf(groups: ReadonlySet<string> | undefined): { first: string; end: string | undefined }[] {
  if (!groups) return [{ first: '', end: undefined }];
  // "-" is below all that an ID may hold, and "." is the next character.
  return [...groups].sort().map((groupid) => ({ first: `${groupid}-`, end: `${groupid}.` }));
}

/**
 * The faceids of the people whom a query asks for, in order, of the base and of what lies over it. Looks at nobody before
 * `after`, and passes over a run of the base's people in one step.
 */
export function listPeople(
  { overlaid, overlay, base }: DirectorySources,
  { groups, after, skip = 0, limit, search = '' }: PeopleQuery,
): Listed<string> {
  const key = searchKey(search);
  const found: string[] = [];
  let skipped = 0;
  let budget = BUDGET;
  /** The last faceid that was looked at. */
  let last = after;

  const isDone = () => found.length >= limit || budget <= 0;
  const take = (faceid: string) => {
    if (skipped < skip) skipped += 1;
    else found.push(faceid);
  };

  /** Takes people of the base, who are not overlaid. @returns the first that was not looked at */
  function takeRun(people: BasePeople, first: number, end: number): number {
    let at = first;
    if (key === '') {
      const passed = Math.min(skip - skipped, end - at);
      skipped += passed;
      for (at += passed; at < end && !isDone(); at++, budget -= 1) take(people.faceidAt(at));
    } else {
      while (at < end && !isDone()) {
        const until = Math.min(end, at + Math.ceil(budget / IN_BASE));
        const next = people.find(key, at, until);
        const seen = next < 0 ? until : next + 1;
        budget -= (seen - at) * IN_BASE + (next < 0 ? 0 : 1);
        if (next >= 0) take(people.faceidAt(next));
        at = seen;
      }
    }
    if (at > first) last = people.faceidAt(at - 1);
    return at;
  }

  /**
   * @param first excluded: nobody's, or somebody who was looked at
   * @param end excluded; undefined: everybody from `first` on
   * @returns whether nobody is left
   */
  function takeRange(first: string, end: string | undefined): boolean {
    let at = base?.firstFrom(first) ?? 0;
    const endAt = (end === undefined ? base?.people : base?.firstFrom(end)) ?? 0;
    if (base && at < endAt && base.faceidAt(at) === first) at += 1;
    for (let next = overlaid.after(first); ; next = overlaid.after(next)) {
      if (next !== undefined && end !== undefined && next >= end) next = undefined;
      if (base) {
        const runEnd = next === undefined ? endAt : Math.min(endAt, base.firstFrom(next));
        at = takeRun(base, at, runEnd);
        if (at < runEnd) return false;
      }
      if (next === undefined) return true;
      if (isDone()) return false;
      if (base && at < endAt && base.faceidAt(at) === next) at += 1;
      last = next;
      budget -= 1;
      const person = overlay.get(next);
      if (person && fits(person, key)) take(next);
    }
  }

  for (const { first, end } of rangesOf(groups)) {
    if (after !== undefined && end !== undefined && after >= end) continue;
    if (!takeRange(after !== undefined && after >= first ? after : first, end) || isDone())
      return { found, skipped, after: last };
  }
  return { found, skipped, after: undefined };
}
