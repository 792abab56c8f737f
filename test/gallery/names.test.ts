import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { createMemory } from '../../src/gallery/memory.js';
import { checkName, searchKey } from '../../src/gallery/names.js';
import type { PageOptions } from '../../src/gallery/types.js';
import { createPeoplePages } from '../../src/gallery/people-pages.js';
import { everybody } from '../support/galleries.js';

const vector = Float32Array.of(1, 0, 0, 0);

/** Lists of a memory that these people were put into. */
function listsOf(people: readonly { faceid: string; username?: string; faces?: number }[]) {
  const memory = createMemory(createExactIndex(4));
  for (const { faceid, username = '', faces: count = 0 } of people) {
    const face = (n: number) => ({
      ...{ id: `${faceid}_20260101_00000${n}_m0`, faceid, enrolledAt: `2026-01-01T00:00:0${n}Z` },
      ...{ automatic: false, hasPicture: false, vector },
    });
    const faces = Array.from({ length: count }, (_, n) => face(n));
    memory.setPerson(faceid, { faceid, username, metadata: {}, faces });
  }
  return { memory, ...createPeoplePages(memory) };
}

describe('everybody', () => {
  it('is listed by faceid, whoever came, went and came back', async () => {
    const { memory, ...lists } = listsOf(['g-c', 'g-a', 'g-b'].map((faceid) => ({ faceid })));
    const listed = async () => (await everybody(lists)).map(({ faceid }) => faceid);
    assert.deepEqual(await listed(), ['g-a', 'g-b', 'g-c']);
    memory.drop('g-b');
    memory.setProfile('g-0', { username: '', metadata: {} });
    assert.deepEqual(await listed(), ['g-0', 'g-a', 'g-c']);
    memory.drop('g-a');
    memory.setProfile('g-a', { username: 'Ann', metadata: {} });
    assert.deepEqual(await listed(), ['g-0', 'g-a', 'g-c']);
    assert.equal((await everybody(lists))[1].username, 'Ann');
  });

  it('is listed once and counted right, however small the pages, by position and by cursor', async () => {
    const of = (i: number) => ({ faceid: `g${i % 3}-u${i}`, username: i % 5 ? '' : 'Ann', faces: i % 2 });
    const all = Array.from({ length: 60 }, (_, i) => of(i)).sort((a, b) => (a.faceid < b.faceid ? -1 : 1));
    const lists = listsOf(all);
    const groups = new Set(['g0', 'g2', 'none']);
    for (const { options, fits } of [
      { options: {}, fits: () => true },
      { options: { groups }, fits: ({ faceid }) => !faceid.startsWith('g1') },
      { options: { search: 'ANN' }, fits: ({ username }) => username === 'Ann' },
      { options: { search: 'u1', groups }, fits: ({ faceid }) => /g[02]-u1/.test(faceid) },
      { options: { pictures: 'none' }, fits: ({ faces }) => faces === 0 },
      {
        options: { pictures: 'some', search: 'ann' },
        fits: (one) => one.username === 'Ann' && one.faces > 0,
      },
      { options: { groups: new Set<string>() }, fits: () => false },
    ] as { options: Omit<PageOptions, 'limit'>; fits: (one: (typeof all)[0]) => boolean }[]) {
      const expected = all.filter(fits).map(({ faceid }) => faceid);
      for (const limit of [1, 7, 60]) {
        const byPlace: string[] = [];
        for (let offset = 0; offset <= expected.length; offset += limit) {
          const page = await lists.people({ ...options, offset, limit, count: true });
          assert.equal(page.total, expected.length, JSON.stringify(options));
          byPlace.push(...page.people.map(({ faceid }) => faceid));
        }
        assert.deepEqual(byPlace, expected, JSON.stringify(options));
        const byCursor: string[] = [];
        for (let after: string | undefined = ''; after !== undefined;) {
          const page = await lists.people({ ...options, after, limit });
          byCursor.push(...page.people.map(({ faceid }) => faceid));
          after = page.next;
        }
        assert.deepEqual(byCursor, expected, JSON.stringify(options));
      }
      const walked: string[] = [];
      for await (const { faceid } of lists.everyone(options)) walked.push(faceid);
      if (options.search === undefined) assert.deepEqual(walked, expected);
    }
  });
});

describe('names', () => {
  it('are kept in one form, and refused where nobody could see what they are', () => {
    assert.equal(checkName('Bjo\u0308rn', 'username'), 'Björn');
    for (const name of ['山田 太郎', 'O’Brien', 'محمد', 'नेहा', 'Zoë \u{1f600}']) {
      assert.equal(checkName(name, 'username'), name.normalize('NFC'));
    }
    for (const name of ['a\u0007', 'a\u202e', '\ud83d', '\ufffd']) {
      const refused = { code: 'FIELD_INVALID', details: { field: 'username' } };
      assert.throws(() => checkName(name, 'username'), refused);
    }
  });

  it('are found however they are typed', () => {
    const same: string[][] = [
      ['Björn', 'bjorn', 'BJÖRN', 'Bjo\u0308rn', 'Ｂｊｏｒｎ'],
      ['Straße', 'strasse'],
      ['Łukasz Ærø', 'lukasz aero'],
      ['ヤマダ', 'やまだ', 'ﾔﾏﾀﾞ'],
    ];
    for (const [first, ...others] of same) {
      for (const other of others) assert.equal(searchKey(other), searchKey(first), `${other} is ${first}`);
    }
    assert.notEqual(searchKey('カ'), searchKey('ガ'), 'voiced kana are others');
  });

  it('are searched of 100,000 people without holding the event loop', async () => {
    const { memory, people } = listsOf([{ faceid: 'default-bjorn', username: 'Björn' }]);
    for (let i = 0; i < 100_000; i++)
      memory.setProfile(`default-u${i}`, { username: `Jürgen ${i}`, metadata: {} });
    const found = async (search: string, groups?: ReadonlySet<string>, signal?: AbortSignal) => {
      const page = await people({ search, groups, limit: 10, count: true, signal });
      return [page.total, ...page.people.map(({ faceid }) => faceid)];
    };
    let turns = 0;
    let searching = true;
    const count = () => {
      turns += 1;
      if (searching) setImmediate(count);
    };
    setImmediate(count);
    assert.deepEqual(await found('BJORN'), [1, 'default-bjorn']);
    assert.ok(turns > 10, `others had ${turns} turns`);
    // A name that has changed since is found by the new one.
    memory.setProfile('default-u0', { username: 'ヤマダ', metadata: {} });
    assert.deepEqual(await found('やまだ'), [1, 'default-u0']);
    searching = false;
    assert.deepEqual(await found('', new Set(['staff'])), [0]);
    const gone = new AbortController();
    const asked = found('nobody', undefined, gone.signal);
    gone.abort();
    await assert.rejects(asked, { code: 'CLIENT_GONE' });
  });
});
