/** Lists the people of a remote gallery from Redis: by faceid, by name, by group, without holding everybody. */
import { KaomonError, throwIfGone } from '../../platform/errors.js';
import type { PageOptions, PeopleSort } from '../types.js';
import type { Count } from '../group-counts.js';
import { consentState } from '../consent.js';
import { searchKey } from '../names.js';
import type { RemoteRedis } from './commands.js';
import type { RemoteLayout } from './layout.js';
import { isNamed, nameQuery, ownerOfEntry } from './name-keys.js';
import type { RemotePerson, RemoteReader } from './reader.js';

/** People in a call. */
const STEP = 500;
/** So many names that begin as somebody typed are sorted; with more, everybody is looked at in order, and soon fits. */
const MOST_NAMES = 20_000;
/** The most people that are put into another order than by faceid. */
const MOST_SORTED = 50_000;

type Fitting = Pick<PageOptions, 'groups' | 'search' | 'pictures' | 'consent' | 'after' | 'signal'>;

/** See {@link createRemotePages}. */
export type RemotePages = ReturnType<typeof createRemotePages>;

/** From a faceid (excluded) to another (excluded), as Redis writes it. */
interface Range {
  min: string;
  max: string;
}

export interface RemotePage {
  people: RemotePerson[];
  next: string | undefined;
  total: number | undefined;
}

export function createRemotePages({
  redis,
  layout,
  reader,
}: {
  redis: RemoteRedis;
  layout: RemoteLayout;
  reader: RemoteReader;
}) {
  const { order, bare, names } = layout;

  /** A group's people stand together: see ids.ts. */
  function rangesOf({ groups, after }: Fitting): Range[] {
    const behind = after === undefined ? '-' : `(${after}`;
    if (!groups) return [{ min: behind, max: '+' }];
    // "-" is below all that an ID may hold, and "." is the next character.
    return [...groups].sort().flatMap((groupid): Range[] => {
      const [first, end] = [`${groupid}-`, `${groupid}.`];
      if (after !== undefined && after >= end) return [];
      return [{ min: after !== undefined && after >= first ? behind : `(${first}`, max: `(${end}` }];
    });
  }

  async function countIn(key: string, ranges: readonly Range[]): Promise<number> {
    let sum = 0;
    for (const { min, max } of ranges) sum += await redis.zlexcount(key, min, max);
    return sum;
  }

  async function* inOrder(key: string, ranges: readonly Range[]): AsyncGenerator<string[]> {
    for (const { min, max } of ranges) {
      for (let from = min; ;) {
        const faceids = await redis.zrangebylex(key, from, max, 'LIMIT', 0, STEP);
        if (faceids.length > 0) yield faceids;
        if (faceids.length < STEP) break;
        from = `(${faceids[faceids.length - 1]}`;
      }
    }
  }

  /** Those whose names begin so, by faceid; undefined: they are too many to be sorted. */
  async function named(query: string): Promise<string[] | undefined> {
    const bytes = Buffer.from(query);
    const min = Buffer.concat([Buffer.from('['), bytes]);
    const max = Buffer.concat([Buffer.from('('), bytes, Buffer.of(0xff)]);
    const entries = await redis.zrangebylex(names, min, max, 'LIMIT', 0, MOST_NAMES + 1);
    if (entries.length > MOST_NAMES) return undefined;
    return [...new Set(entries.map(ownerOfEntry))].sort();
  }

  /** The faceids of those who may fit, in order, some at a time. */
  async function* faceids(fitting: Fitting): AsyncGenerator<string[]> {
    const { groups, search = '', pictures, after, signal } = fitting;
    const query = nameQuery(search);
    const found = query === '' ? undefined : await named(query);
    if (!found) {
      for await (const some of inOrder(pictures === 'none' ? bare : order, rangesOf(fitting))) {
        throwIfGone(signal);
        yield some;
      }
      return;
    }
    const allowed = found.filter(
      (faceid) =>
        (after === undefined || faceid > after) &&
        (!groups || groups.has(faceid.slice(0, faceid.indexOf('-')))),
    );
    for (let at = 0; at < allowed.length; at += STEP) yield allowed.slice(at, at + STEP);
  }

  /** Those who fit, some at a time. */
  async function* fitting(wanted: Fitting): AsyncGenerator<RemotePerson[]> {
    const query = nameQuery(wanted.search ?? '');
    const { pictures, consent } = wanted;
    const at = Date.now();
    for await (const some of faceids(wanted)) {
      throwIfGone(wanted.signal);
      const people = await reader.read(some);
      yield people.filter(
        (person): person is RemotePerson =>
          person !== undefined &&
          (query === '' || isNamed(query, person.faceid, person.username)) &&
          (pictures === undefined || (pictures === 'none') === (person.faces.length === 0)) &&
          (consent === undefined || consentState(person.consent, at) === consent),
      );
    }
  }

  const isPlain = ({ search = '', pictures, consent }: Fitting): boolean =>
    nameQuery(search) === '' && pictures !== 'some' && consent === undefined;

  async function count(wanted: Fitting): Promise<number> {
    const { search = '', pictures, consent, groups } = wanted;
    const ranges = rangesOf({ groups });
    if (nameQuery(search) === '' && consent === undefined) {
      const all = pictures === 'none' ? 0 : await countIn(order, ranges);
      if (pictures === undefined) return all;
      const without = await countIn(bare, ranges);
      return pictures === 'none' ? without : all - without;
    }
    let sum = 0;
    for await (const some of fitting({ ...wanted, after: undefined })) sum += some.length;
    return sum;
  }

  /** The ranges from where `skip` people are passed over, whom nobody looks at: by rank, which costs the same at any number. */
  async function behind(key: string, ranges: readonly Range[], skip: number): Promise<Range[]> {
    let left = skip;
    for (const [i, { min, max }] of ranges.entries()) {
      if (left === 0) return ranges.slice(i);
      const there = await redis.zlexcount(key, min, max);
      if (left >= there) {
        left -= there;
        continue;
      }
      const before = min === '-' ? 0 : await redis.zlexcount(key, '-', min.replace('(', '['));
      const first = (await redis.zrange(key, before + left, String(before + left))).at(0);
      // Who comes or goes meanwhile shifts the ranks, into another group even.
      const from = first !== undefined && (min === '-' || first > min.slice(1)) ? `[${first}` : min;
      return [{ min: from, max }, ...ranges.slice(i + 1)];
    }
    return [];
  }

  /** Walks from ID to ID, never by rank: others come and go all the time, and nobody may be met twice or missed for it. */
  async function plainPage(
    wanted: Fitting,
    skip: number,
    limit: number,
  ): Promise<Pick<RemotePage, 'people' | 'next'>> {
    const key = wanted.pictures === 'none' ? bare : order;
    const people: RemotePerson[] = [];
    for (const { min, max } of await behind(key, rangesOf(wanted), skip)) {
      for (let from = min; ;) {
        throwIfGone(wanted.signal);
        const most = limit - people.length;
        const faceids = await redis.zrangebylex(key, from, max, 'LIMIT', 0, most);
        for (const person of await reader.read(faceids)) if (person) people.push(person);
        const last = faceids.at(-1);
        // Whoever went between the list and the reading leaves room for the next.
        if (people.length >= limit) return { people, next: last };
        if (last === undefined || faceids.length < most) break;
        from = `(${last}`;
      }
    }
    return { people, next: undefined };
  }

  async function sorted(
    wanted: Fitting,
    sort: PeopleSort,
    { offset, limit }: { offset: number; limit: number },
  ): Promise<RemotePage> {
    const all: RemotePerson[] = [];
    for await (const some of fitting(wanted)) {
      all.push(...some);
      if (all.length > MOST_SORTED)
        throw new KaomonError(
          'FIELD_INVALID',
          `More than ${MOST_SORTED} people are not listed in another order than by ID: search for a name, or choose a group.`,
          { details: { field: 'sort', limit: MOST_SORTED } },
        );
    }
    const keys: Record<PeopleSort, (person: RemotePerson) => string | number> = {
      name: ({ username, faceid }) => searchKey(username || faceid.slice(faceid.indexOf('-') + 1)),
      newest: ({ faces }) => faces[0]?.enrolledAt ?? '',
      faces: ({ faces }) => faces.length,
    };
    const sign = sort === 'name' ? 1 : -1;
    const placed = all.map((person) => ({ person, key: keys[sort](person) }));
    placed.sort((a, b) => (a.key === b.key ? 0 : a.key < b.key ? -sign : sign));
    const people = placed.slice(offset, offset + limit).map(({ person }) => person);
    return { people, next: undefined, total: all.length };
  }

  return {
    faceids,
    fitting,
    count,

    async page({
      limit,
      offset = 0,
      count: isCounted = false,
      sort,
      ...wanted
    }: PageOptions): Promise<RemotePage> {
      if (sort !== undefined) return sorted(wanted, sort, { offset, limit });
      const total = isCounted ? await count(wanted) : undefined;
      if (limit === 0) return { people: [], next: undefined, total };
      if (isPlain(wanted)) return { ...(await plainPage(wanted, offset, limit)), total };
      const people: RemotePerson[] = [];
      let skip = offset;
      for await (const some of fitting(wanted)) {
        people.push(...some.slice(skip, skip + limit - people.length));
        skip = Math.max(0, skip - some.length);
        if (people.length >= limit) break;
      }
      return { people, next: people.length >= limit ? people[people.length - 1].faceid : undefined, total };
    },

    /** How many people and faces there are, in all (the group '') and by group. */
    async counts(): Promise<Map<string, Count>> {
      const counts = new Map<string, Count>();
      for (const [field, text] of Object.entries(await redis.hgetall(layout.counts()))) {
        const [what, groupid = ''] = field.split(':');
        const count = counts.get(groupid) ?? { people: 0, faces: 0 };
        counts.set(groupid, count);
        if (what === 'p') count.people = Number(text);
        else if (what === 'f') count.faces = Number(text);
      }
      return counts;
    },

    async inGroup(groupid: string): Promise<string[]> {
      const found: string[] = [];
      for await (const some of inOrder(order, rangesOf({ groups: new Set([groupid]) }))) found.push(...some);
      return found;
    },
  };
}
