import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { listPeople, type PeopleQuery } from '../../src/gallery/directory.js';
import { createSortedIds } from '../../src/gallery/sorted-ids.js';
import type { Person } from '../../src/gallery/types.js';
import { plainBase } from '../support/plain-base.js';

/** A group's ID may be the beginning of another's. */
const GROUPS = ['a', 'a.b', 'a_', 'A', 'aa', 'b'];
const NAMES = ['雪', 'Björn', 'ヤマダ', 'Ann', ''];

const personOf = (faceid: string, username: string): Person => {
  const [groupid, userid] = faceid.split('-');
  return { faceid, groupid, userid, username: username || userid, metadata: {}, faces: [] };
};

/** Everybody in pages of a query, as a caller reads them. */
function readAll(sources: Parameters<typeof listPeople>[0], query: PeopleQuery): string[] {
  const all: string[] = [];
  let { skip = 0, limit } = query;
  for (let after: string | undefined = query.after ?? ''; after !== undefined && limit > 0;) {
    const page = listPeople(sources, { ...query, after, skip, limit });
    all.push(...page.found);
    skip -= page.skipped;
    limit -= page.found.length;
    after = page.after;
  }
  return all;
}

describe('the people in order', () => {
  const faceid = fc
    .tuple(fc.constantFrom(...GROUPS), fc.constantFrom('0', '1', 'B', 'ann', 'z.z', '_'))
    .map((parts) => parts.join('-'));
  const people = fc.dictionary(faceid, fc.constantFrom(...NAMES));

  it('are those of the base and of the overlay, each once, whatever is asked for', () => {
    const query = fc.record(
      {
        groups: fc.subarray([...GROUPS, 'nobody']).map((groups) => new Set(groups)),
        after: faceid,
        skip: fc.integer({ min: 0, max: 12 }),
        search: fc.constantFrom('', 'n', 'bjorn', 'やま', 'zz', '1'),
      },
      { requiredKeys: [] },
    );
    const limit = fc.integer({ min: 1, max: 12 });
    const gone = fc.uniqueArray(faceid);
    const property = fc.property(people, people, gone, query, limit, (older, newer, dead, asked, limit) => {
      const base = plainBase(
        Object.entries(older).map(([faceid, username]) => ({ faceid, username, metadata: {}, faces: [] })),
      );
      const overlay = new Map<string, Person | undefined>(dead.map((faceid) => [faceid, undefined]));
      for (const [faceid, username] of Object.entries(newer)) overlay.set(faceid, personOf(faceid, username));
      const overlaid = createSortedIds();
      for (const faceid of overlay.keys()) overlaid.add(faceid);

      const model = new Map(
        Object.entries(older).map(([faceid, username]) => [faceid, personOf(faceid, username)]),
      );
      for (const [faceid, person] of overlay) {
        if (person) model.set(faceid, person);
        else model.delete(faceid);
      }
      const { groups, after = '', skip = 0, search = '' } = asked;
      const key = search === 'bjorn' ? 'björn' : search === 'やま' ? 'ヤマ' : search;
      const expected = [...model.values()]
        .filter(({ faceid, groupid, userid, username }) => {
          const isFound = [userid, username].some((text) => text.toLowerCase().includes(key));
          return faceid > after && (!groups || groups.has(groupid)) && isFound;
        })
        .map(({ faceid }) => faceid)
        .sort()
        .slice(skip, skip + limit);
      assert.deepEqual(readAll({ overlaid, overlay, base: base.people }, { ...asked, limit }), expected);
      const pages = readAll({ overlaid, overlay, base: base.people }, { ...asked, limit: 1 });
      assert.deepEqual(pages, expected.slice(0, 1));
    });
    fc.assert(property, { numRuns: 500 });
  });

  it('are looked through in pieces when nearly nobody fits', () => {
    const overlay = new Map<string, Person | undefined>();
    const overlaid = createSortedIds();
    for (let i = 0; i < 20_000; i++) {
      const one = personOf(`g-u${i}`, i === 9_876 ? 'Zoë' : 'Ann');
      overlay.set(one.faceid, one);
      overlaid.add(one.faceid);
    }
    const sources = { overlaid, overlay, base: undefined };
    const first = listPeople(sources, { limit: 5, search: 'zoe' });
    assert.deepEqual(first.found, []);
    assert.notEqual(first.after, undefined);
    assert.deepEqual(readAll(sources, { limit: 5, search: 'zoe' }), ['g-u9876']);
    assert.deepEqual(readAll(sources, { limit: 1, skip: 19_999 }), [[...overlay.keys()].sort().at(-1)]);
  });
});

describe('sorted ids', () => {
  it('are a sorted set at any size, whatever comes and goes', () => {
    const ids = createSortedIds();
    const model = new Set<string>();
    let state = 7;
    const random = () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let i = 0; i < 20_000; i++) {
      const id = `g-${Math.floor(random() * 6000)}`;
      if (random() < (i < 12_000 ? 0.7 : 0.2)) {
        ids.add(id);
        model.add(id);
      } else {
        ids.delete(id);
        model.delete(id);
      }
      if (i % 1000 !== 0) continue;
      const listed: string[] = [];
      for (let next = ids.from(''); next !== undefined; next = ids.after(next)) listed.push(next);
      assert.deepEqual(listed, [...model].sort());
      assert.equal(ids.size, model.size);
      assert.equal(
        ids.from(id),
        [...model].sort().find((one) => one >= id),
      );
    }
    for (const id of [...model].sort()) ids.delete(id);
    assert.equal(ids.from(''), undefined);
    for (let i = 0; i < 5000; i++) ids.add(String(i).padStart(5, '0'));
    assert.equal(ids.size, 5000);
  });
});
