import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { findPeople } from '../../src/gallery/find-people.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import { createMemory } from '../../src/gallery/memory.js';
import { checkName, searchKey } from '../../src/gallery/names.js';
import type { Person } from '../../src/gallery/types.js';

const person = (userid: string, username: string): Person => ({
  ...{ faceid: `default-${userid}`, groupid: 'default', userid, username, metadata: {}, faces: [] },
});

describe('everybody', () => {
  it('is listed by faceid, whoever came, went and came back', () => {
    const memory = createMemory(createExactIndex(4));
    const nobody = { username: '', metadata: {} };
    const listed = () => memory.page({ limit: 9 }).found.map(({ faceid }) => faceid);
    for (const faceid of ['g-c', 'g-a', 'g-b']) memory.setProfile(faceid, nobody);
    assert.deepEqual(listed(), ['g-a', 'g-b', 'g-c']);
    memory.drop('g-b');
    memory.setProfile('g-0', nobody);
    assert.deepEqual(listed(), ['g-0', 'g-a', 'g-c']);
    memory.drop('g-a');
    memory.setProfile('g-a', { ...nobody, username: 'Ann' });
    assert.deepEqual(listed(), ['g-0', 'g-a', 'g-c']);
    assert.equal(memory.page({ limit: 9 }).found[1].username, 'Ann');
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
    const people = Array.from({ length: 100_000 }, (_, i) => person(`u${i}`, `Jürgen ${i}`));
    people.push(person('bjorn', 'Björn'));
    let turns = 0;
    let searching = true;
    const count = () => {
      turns += 1;
      if (searching) setImmediate(count);
    };
    setImmediate(count);
    assert.deepEqual(await findPeople(people, 'BJORN'), people.slice(-1));
    assert.ok(turns > 10, `others had ${turns} turns`);
    // A name that has changed since is found by the new one.
    people[0].username = 'ヤマダ';
    assert.deepEqual(await findPeople(people, 'やまだ'), people.slice(0, 1));
    searching = false;
    assert.deepEqual(await findPeople(people, '', new Set(['staff'])), []);
    const gone = new AbortController();
    const others = people.map((one) => ({ ...one }));
    const asked = findPeople(others, 'x', undefined, gone.signal);
    gone.abort();
    await assert.rejects(asked, { code: 'CLIENT_GONE' });
  });
});
