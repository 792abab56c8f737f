import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { nameFace } from '../../src/gallery/face-name.js';
import type { Match } from '../../src/gallery/types.js';
import { openOverBase, LENGTH } from '../support/over-base.js';
import { plainBase, type PlainBase } from '../support/plain-base.js';
import { until } from '../support/until.js';

const unit = (...values: number[]) => {
  const norm = Math.hypot(...values);
  return Float32Array.from({ length: LENGTH }, (_, i) => (values.at(i) ?? 0) / norm);
};
const PROBE = unit(1);
/** From near to far. */
const VECTORS = [unit(1, 0.1), unit(1, 0.3), unit(1, 0.6), unit(1, 1), unit(0, 1)];

/** Five people of a base, `a-u0` the nearest to the probe. */
async function openFive(options: { templates?: boolean } = {}) {
  const made: PlainBase[] = [];
  const gallery = openOverBase((people, asked) => {
    const base = plainBase(people, asked);
    made.push(base);
    return Promise.resolve(base);
  }, options);
  for (const [i, vector] of VECTORS.entries())
    await gallery.people.enrol({ groupid: 'a', userid: `u${i}` }, vector);
  await gallery.rebase(await gallery.snapshot());
  assert.equal(gallery.memory.overlaid(), 0);
  /** Does something between the beginning of a search and its answer. */
  const during = async (change: () => Promise<unknown>, k = 1): Promise<Match[]> => {
    const open = gallery.hold();
    const searching = gallery.core.nearest(PROBE, k);
    gallery.gate.now = Promise.resolve();
    await change();
    open();
    return searching;
  };
  /** The base is swapped for one of now while a search runs. @param change comes first, unheard of */
  const duringSwap = async (change: () => Promise<unknown>, look: () => void = () => undefined) => {
    let swapping: Promise<void> | undefined;
    const found = await during(async () => {
      await change();
      const base = await gallery.snapshot();
      swapping = gallery.rebase(base);
      await until(() => gallery.memory.layer()?.base === base);
      look();
    });
    await swapping;
    return found;
  };
  return { ...gallery, made, during, duringSwap };
}

const faceidsOf = (matches: readonly Match[]) => matches.map(({ person }) => person.faceid);

describe('a search of a base', () => {
  it('does not find whoever is deleted meanwhile, nor somebody farther than those it has not seen', async () => {
    const { people, during } = await openFive({ templates: false });
    const found = await during(async () => {
      await people.remove('a', 'u0');
      await people.enrol({ groupid: 'a', userid: 'far' }, unit(-1));
    });
    assert.deepEqual(faceidsOf(found), ['a-u1']);
  });

  it('finds whoever moves meanwhile, under the new faceid', async () => {
    const { people, during } = await openFive();
    const move = () => people.movePerson('a-u0', { groupid: 'b', userid: 'moved' });
    assert.deepEqual(faceidsOf(await during(move, 2)), ['b-moved', 'a-u1']);
  });

  it('gives the name of now', async () => {
    const { people, during, store } = await openFive();
    const before = store.vectorsRead();
    const [{ person }] = await during(() => people.updatePerson('a-u0', { username: '雪' }));
    assert.equal(person.username, '雪');
    assert.equal(store.vectorsRead(), before, 'the vectors come from the base');
  });

  it('begins anew when the base is swapped for one that says otherwise', async () => {
    const { store, duringSwap } = await openFive({ templates: false });
    const [found] = await duringSwap(() => store.movePerson('a-u0', 'b-byhand'));
    assert.equal(found.person.faceid, 'b-byhand');
    assert.ok(found.distance < 0.02);
  });

  it('does not find a face that the new base no longer has', async () => {
    const { store, duringSwap } = await openFive({ templates: false });
    const [found] = await duringSwap(async () => {
      const [face] = store.people.get('a-u0')?.faces ?? [];
      await store.removeFace(face);
      const other = { ...face, id: nameFace('a-u0', new Date(), false) };
      await store.addFace(other, unit(-1), {});
    });
    assert.equal(found.person.faceid, 'a-u1');
  });

  it('keeps the old base open until it has ended', async () => {
    const { duringSwap, made } = await openFive();
    const [found] = await duringSwap(
      () => Promise.resolve(),
      () => assert.equal(made[0].isClosed(), false),
    );
    assert.equal(found.person.faceid, 'a-u0');
    assert.deepEqual(
      made.map((base) => base.isClosed()),
      [true, false],
    );
  });

  it('for one person compares with their own vectors, without a search', async () => {
    const gallery = await openFive();
    const { core, people, during, index, gate } = gallery;
    const open = gallery.hold();
    const [match] = await core.nearest(PROBE, 1, { faceid: 'a-u4' });
    assert.ok(Math.abs(match.distance - 2) < 1e-6);
    // Newer than the base: those of the store.
    await people.enrol({ groupid: 'a', userid: 'u4' }, unit(1, 0.2));
    const [newer] = await core.nearest(PROBE, 1, { faceid: 'a-u4' });
    assert.ok(newer.distance < 0.04);
    assert.equal(newer.face.id, newer.person.faces[1].id);
    assert.equal(index.size, 3, 'two faces and the template');
    assert.deepEqual(await core.nearest(PROBE, 1, { faceid: 'a-u4', groups: new Set(['b']) }), []);
    open();
    gate.now = Promise.resolve();
    assert.deepEqual(faceidsOf(await during(() => Promise.resolve())), ['a-u0']);
  });

  it('for one person falls back to all vectors where the store cannot be read', async () => {
    const { core, people, store } = await openFive();
    await people.enrol({ groupid: 'a', userid: 'u4' }, unit(1, 0.2));
    store.readPerson = () => Promise.reject(new Error('gone'));
    const [match] = await core.nearest(PROBE, 1, { faceid: 'a-u4' });
    assert.ok(match.distance < 0.04);
    assert.equal(match.person.faceid, 'a-u4');
  });
});

describe('a swap of the base', () => {
  it('keeps whoever was deleted after it was made', async () => {
    const gallery = await openFive();
    const { core, people, store, memory } = gallery;
    await people.enrol({ groupid: 'b', userid: 'short' }, PROBE);
    const base = await gallery.snapshot();
    await people.remove('b', 'short');
    await people.remove('a', 'u0');
    await people.movePerson('a-u1', { groupid: 'a', userid: 'z' });
    await gallery.rebase(base);
    assert.deepEqual(faceidsOf(await core.nearest(PROBE, 9)), ['a-z', 'a-u2', 'a-u3', 'a-u4']);
    assert.equal(memory.count().people, store.people.size);
    assert.deepEqual(faceidsOf(await core.nearest(PROBE, 1, { faceid: 'b-short' })), []);
  });

  it('takes what was changed by hand from the base, or from the store', async () => {
    const gallery = await openFive();
    const { core, people, store } = gallery;
    await people.updatePerson('a-u3', { username: 'Ken' });
    await store.savePerson('a-u3', { username: 'By hand', metadata: {} });
    await store.savePerson('a-u2', { username: 'Also', metadata: {} });
    await store.removePerson('a-u1');
    await gallery.rebase(await gallery.snapshot());
    const names = (await core.nearest(PROBE, 9)).map(({ person }) => person.username);
    assert.deepEqual(names, ['u0', 'Also', 'By hand', 'u4']);
  });

  it('serves with the new base when the store cannot be read', async () => {
    const gallery = await openFive();
    const { core, people, store, memory } = gallery;
    const base = await gallery.snapshot();
    await people.updatePerson('a-u0', { username: 'Ken' });
    const readPerson = store.readPerson.bind(store);
    store.readPerson = () => Promise.reject(new Error('gone'));
    await assert.rejects(gallery.rebase(base), { code: 'STORE_UNAVAILABLE' });
    assert.equal(memory.layer()?.base, base);
    assert.equal((await core.nearest(PROBE, 1))[0].person.username, 'Ken');
    store.readPerson = readPerson;
    await gallery.rebase(await gallery.snapshot());
    assert.equal(memory.overlaid(), 0);
  });

  it('that is asked for while the gallery closes closes what it was given', async () => {
    const gallery = await openFive();
    const { made } = gallery;
    const swaps = [gallery.rebase(await gallery.snapshot()), gallery.rebase(await gallery.snapshot())];
    await Promise.all([...swaps, gallery.close()]);
    await gallery.rebase(await gallery.snapshot());
    assert.deepEqual(
      made.map((base) => base.isClosed()),
      [true, true, true, true],
    );
  });

  it('of many people in memory leaves others their turns', async () => {
    const gallery = openOverBase((people, asked) => Promise.resolve(plainBase(people, asked)), { slice: 2 });
    const { store, memory } = gallery;
    const most = 20_000;
    for (let i = 0; i < most; i++) {
      const faceid = `a-u${i}`;
      const face = { id: `${faceid}_20260101_000000_m${i}`, faceid, enrolledAt: '2026-01-01T00:00:00Z' };
      const faces = [{ ...face, automatic: false, hasPicture: false, vector: unit(i, 1) }];
      (store.people as Map<string, unknown>).set(faceid, { faceid, username: '', metadata: {}, faces });
      memory.setPerson(faceid, { faceid, username: '', metadata: {}, faces });
    }
    const base = await gallery.snapshot();
    let turns = 0;
    let isOver = false;
    const count = () => {
      turns += 1;
      if (!isOver) setImmediate(count);
    };
    setImmediate(count);
    await gallery.rebase(base);
    isOver = true;
    assert.ok(turns > 10, `others had ${turns} turns`);
    assert.equal(memory.overlaid(), 0);
    assert.equal(gallery.index.size, 0);
    assert.equal(memory.count().people, most);
  });
});
