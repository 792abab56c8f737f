import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { LONGEST_VISIT } from '../../src/sightings/limits.js';
import { openSightingStore, type SightingStore } from '../../src/sightings/store/client.js';
import { bestFace, NOON, part, STRANGER as stranger, vote } from '../support/sightings.js';
import { temporaryFolder } from '../support/temporary.js';

const GAP = 10_000;

async function open(t: TestContext, file?: string): Promise<{ store: SightingStore; file: string }> {
  const at = file ?? path.join(await temporaryFolder(t), 'sightings', 'tiny.db');
  const store = openSightingStore({ file: at, gap: GAP, pair: 0.5 });
  t.after(() => store.close());
  return { store, file: at };
}
const listed = async (store: SightingStore) => await store.ask('sightings', {}, undefined, 100);
const happened = async (store: SightingStore) =>
  (await store.ask('happenings', 0, 100)).map(({ kind, sighting }) => [kind, sighting?.faceid ?? null]);

describe('the store of sightings', () => {
  it('keeps a visit once, however often it is written, and tells of its beginning and end once', async (t) => {
    const { store } = await open(t);
    for (const frames of [10, 20, 20]) await store.ask('writeParts', [part('w.1', { frames })], NOON);
    await store.ask('writeParts', [part('w.1', { frames: 30, isEnded: true })], NOON + 16_000);
    for (let i = 0; i < 2; i++) await store.ask('closeVisits', NOON + 16_000);
    const [sighting, ...others] = await listed(store);
    assert.equal(others.length, 0);
    assert.deepEqual(
      [sighting.faceid, sighting.frames, sighting.distance, sighting.isOpen, sighting.hasPicture],
      ['g-ann', 30, 0.2, false, true],
    );
    assert.deepEqual(await happened(store), [
      ['arrived', 'g-ann'],
      ['left', 'g-ann'],
    ]);
    assert.deepEqual((await store.ask('face', sighting.id))?.crop, Uint8Array.of(1, 2, 3));
  });

  it('is another process’s too, keeps what was written when one is killed, and is for nobody else to read', async (t) => {
    const { store, file } = await open(t);
    await store.ask('writeParts', [part('w.1')], NOON);
    const other = await open(t, file);
    await other.store.ask('writeParts', [part('v.1', { deviceid: 'hall' })], NOON);
    assert.equal((await listed(store)).length, 2);
    for (const name of await readdir(path.dirname(file)))
      assert.equal((await stat(path.join(path.dirname(file), name))).mode & 0o777, 0o600, name);
    assert.equal((await stat(path.dirname(file))).mode & 0o777, 0o700);
  });

  it('joins what several workers saw of one visit, by name or by face, and not two people', async (t) => {
    const { store } = await open(t);
    await store.ask('writeParts', [part('w.1'), part('w.2', stranger, 2)], NOON);
    // The same two in another worker, and one who looks like nobody.
    const others = [
      part('v.1', { votes: [vote('g-ann', 900, 0.1)] }),
      part('v.2', stranger, 1.9),
      part('v.3', stranger, 4),
    ];
    await store.ask('writeParts', others, NOON);
    const found = await listed(store);
    assert.deepEqual(
      found.map(({ faceid, frames }) => [faceid, frames]).sort(),
      [
        [null, 10],
        [null, 20],
        ['g-ann', 20],
      ].sort(),
    );
    assert.equal(found.find(({ faceid }) => faceid !== null)?.distance, 0.1);
    // Of one worker, which says that they are two.
    await store.ask('writeParts', [part('w.3', stranger, 2)], NOON);
    assert.equal((await listed(store)).length, 4);
    // Later than the gap: another visit.
    await store.ask(
      'writeParts',
      [part('v.9', { first: NOON + 15_001, last: NOON + 15_001 })],
      NOON + 15_001,
    );
    assert.equal((await listed(store)).length, 5);
  });

  it('makes one of two visits when the name comes late, told of once', async (t) => {
    const { store } = await open(t);
    await store.ask('writeParts', [part('w.1'), part('w.2', { ...stranger, last: NOON + 100 }, 2)], NOON);
    const late = part('w.2', { votes: [vote('g-ann')], frames: 7 }, 2);
    await store.ask('writeParts', [late], NOON + 1000);
    assert.deepEqual(
      (await listed(store)).map(({ faceid, frames }) => [faceid, frames]),
      [['g-ann', 17]],
    );
    assert.deepEqual(await happened(store), [['arrived', 'g-ann']]);
  });

  it('tells of a stranger who stays at once, and of one who passed when they are gone', async (t) => {
    const { store } = await open(t);
    await store.ask('writeParts', [part('w.1', stranger)], NOON);
    await store.ask('writeParts', [part('w.2', { ...stranger, last: NOON + 100, isEnded: true }, 2)], NOON);
    assert.deepEqual(await happened(store), [['unknown', null]]);
    await store.ask('closeVisits', NOON + 20_000);
    assert.deepEqual(await happened(store), [
      ['unknown', null],
      ['unknown', null],
    ]);
  });

  it('ends the visits of a worker that died, also when the clock was set back, and takes a late part all the same', async (t) => {
    const { store } = await open(t);
    await store.ask('writeParts', [part('w.1')], NOON);
    await store.ask('closeVisits', NOON + 80_000);
    assert.equal((await listed(store))[0].isOpen, true);
    await store.ask('closeVisits', NOON + 91_000);
    assert.equal((await listed(store))[0].isOpen, false);
    await store.ask('writeParts', [part('w.1', { frames: 99 })], NOON + 92_000);
    assert.deepEqual(
      (await listed(store)).map(({ frames, isOpen }) => [frames, isOpen]),
      [[99, true]],
    );
    // It may live: it has as long as ever to say so.
    await store.ask('closeVisits', NOON - 86_400_000);
    assert.equal((await listed(store))[0].isOpen, true);
    await store.ask('closeVisits', NOON - 86_400_000 + 91_000);
    assert.equal((await listed(store))[0].isOpen, false);
    assert.deepEqual(await happened(store), [
      ['arrived', 'g-ann'],
      ['left', 'g-ann'],
    ]);
  });

  it('ends a visit that is over although the clock was set back, and none that goes on', async (t) => {
    const { store } = await open(t);
    await store.ask('writeParts', [part('w.1', { isEnded: true }), part('w.2', {}, 2)], NOON);
    const back = NOON - 3_600_000;
    await store.ask('closeVisits', back);
    const open_ = async () => (await listed(store)).map(({ isOpen }) => isOpen);
    assert.deepEqual(await open_(), [true], 'they are one, and it goes on');
    await store.ask('writeParts', [part('w.2', { isEnded: true }, 2)], back + 1000);
    await store.ask('closeVisits', back + 2000);
    assert.deepEqual(await open_(), [false]);
    assert.deepEqual(await happened(store), [
      ['arrived', 'g-ann'],
      ['left', 'g-ann'],
    ]);
  });

  it('does not make one of visits that are longer together than a visit may be', async (t) => {
    const { store } = await open(t);
    const cut = NOON + LONGEST_VISIT;
    await store.ask('writeParts', [part('w.1', { last: cut, isEnded: true })], cut);
    await store.ask('closeVisits', cut);
    await store.ask('writeParts', [part('w.2', { first: cut + 500, last: cut + 900 })], cut + 1000);
    const found = await listed(store);
    assert.deepEqual(
      found.map(({ first, last }) => last - first),
      [400, LONGEST_VISIT],
    );
    await store.ask('closeVisits', cut + 20_000);
    assert.deepEqual(
      (await listed(store)).map(({ isOpen }) => isOpen),
      [true, false],
    );
  });

  it('counts what is kept', async (t) => {
    const { store } = await open(t);
    const nothing = await store.ask('figures');
    assert.deepEqual(
      { ...nothing, bytes: 0 },
      { sightings: 0, strangers: 0, unknowns: 0, oldest: null, bytes: 0 },
    );
    await store.ask('writeParts', [part('w.1'), part('w.2', { ...stranger, last: NOON + 9000 }, 2)], NOON);
    const { bytes, ...figures } = await store.ask('figures');
    assert.deepEqual(figures, { sightings: 2, strangers: 1, unknowns: 0, oldest: NOON + 5000 });
    assert.ok(bytes >= 4096 && bytes % 4096 === 0, String(bytes));
  });

  it('refuses what cannot be written, and does the rest', async (t) => {
    const { store } = await open(t);
    const broken = store.ask('writeParts', [part('w.1', { deviceid: null as never })], NOON);
    await assert.rejects(broken, { code: 'INTERNAL' });
    await store.ask('writeParts', [part('w.2')], NOON);
    assert.equal((await listed(store)).length, 1);
  });

  it('pages newest first without a gap or a double, with every filter', async (t) => {
    const { store } = await open(t);
    const people = ['g-ann', 'g-bob', 'h-cy', undefined];
    const parts = Array.from({ length: 41 }, (_, i) => {
      const faceid = people[i % people.length];
      const at = NOON + Math.floor(i / 2) * 60_000;
      return part(
        `w.${i}`,
        {
          ...(faceid ? { votes: [vote(faceid)] } : stranger),
          ...{ deviceid: i % 2 ? 'hall' : 'door', first: at, last: at + 1000, isEnded: true },
        },
        2,
      );
    });
    await store.ask('writeParts', parts, NOON);
    const all = await listed(store);
    const paged = [];
    for (let after: { last: number; id: number } | undefined; ;) {
      const page = await store.ask('sightings', {}, after, 7);
      paged.push(...page);
      after = page.at(-1);
      if (page.length < 7) break;
    }
    assert.deepEqual(paged, all);
    assert.deepEqual(
      [...all].sort((a, b) => b.last - a.last || b.id - a.id),
      all,
    );
    const filters = [
      [{ faceid: 'g-ann' }, (one: (typeof all)[0]) => one.faceid === 'g-ann'],
      [{ groups: ['g', 'h'] }, (one: (typeof all)[0]) => one.faceid !== null],
      [
        { groups: ['h'], deviceid: 'door' },
        (one: (typeof all)[0]) => one.faceid === 'h-cy' && one.deviceid === 'door',
      ],
      [{ groups: [] }, () => false],
      [{ unknown: true }, (one: (typeof all)[0]) => one.faceid === null],
      [
        { unknown: false, from: NOON + 120_000, to: NOON + 300_000 },
        (one: (typeof all)[0]) =>
          one.faceid !== null && one.last >= NOON + 120_000 && one.first < NOON + 300_000,
      ],
      [{ unknown: 'u-1' }, () => false],
    ] as const;
    for (const [filter, fits] of filters) {
      const found = await store.ask('sightings', filter, undefined, 100);
      assert.deepEqual(found, all.filter(fits), JSON.stringify(filter));
    }
    assert.deepEqual(await store.ask('deviceids', ['h']), ['door']);
    assert.deepEqual(await store.ask('deviceids', undefined), ['door', 'hall']);
  });

  it('erases a person from every byte of the files, and what is still on its way does not come back', async (t) => {
    const { store, file } = await open(t);
    const secret = Float32Array.of(0.1234567, 0.7654321, 0.5, 0.4);
    const best = { ...bestFace(), vector: secret, crop: Buffer.from('the-crop-of-ann') };
    const visits = Array.from({ length: 300 }, (_, i) =>
      part(`w.${i}`, { best, first: NOON + i * 60_000, last: NOON + i * 60_000, votes: [vote('g-annabel')] }),
    );
    await store.ask('writeParts', visits, NOON);
    await store.ask(
      'writeParts',
      [part('x.1', { deviceid: 'hall', votes: [vote('g-bob', 300), vote('g-annabel', 100)] }, 2)],
      NOON,
    );
    const gone = { sightings: 300, pictures: 300 };
    const erased = await store.ask('erasePeople', [{ faceid: 'g-annabel' }]);
    assert.deepEqual(erased, { ...gone, each: [gone], isClean: true });
    await store.ask('writeParts', [part('w.299', { best, votes: [vote('g-annabel')], frames: 77 })], NOON);
    assert.deepEqual(
      (await listed(store)).map(({ faceid }) => faceid),
      ['g-bob'],
    );
    await store.ask('clean');
    for (const name of await readdir(path.dirname(file))) {
      const bytes = await readFile(path.join(path.dirname(file), name));
      for (const trace of ['annabel', 'the-crop-of-ann', Buffer.from(secret.buffer)])
        assert.ok(!bytes.includes(trace), `${name} holds ${String(trace)}`);
    }
    const none = { sightings: 0, pictures: 0 };
    assert.deepEqual(await store.ask('erasePeople', [{ faceid: 'g-annabel' }]), {
      ...{ ...none, each: [none] },
      isClean: true,
    });
  });

  it('does not erase whoever is enrolled under the ID of one who was deleted before', async (t) => {
    const { store } = await open(t);
    await store.ask('writeParts', [part('w.1', { first: NOON + 1 })], NOON);
    assert.equal((await store.ask('erasePeople', [{ faceid: 'g-ann', before: NOON }])).sightings, 0);
    assert.equal(await store.ask('renamePerson', 'g-ann', 'h-ann', NOON), 0);
    assert.equal(await store.ask('renamePerson', 'g-ann', 'h-ann', NOON + 1), 1);
    assert.equal((await store.ask('sightings', { groups: ['h'] }, undefined, 9)).length, 1);
    // The worker has not heard of it yet, or has: the name stays.
    await store.ask('writeParts', [part('w.1', { votes: [vote('h-ann')], frames: 20 })], NOON);
    assert.deepEqual(
      (await listed(store)).map(({ faceid, frames }) => [faceid, frames]),
      [['h-ann', 20]],
    );
  });

  it('leaves them the name of a visit that goes on', async (t) => {
    const { store } = await open(t);
    await store.ask('writeParts', [part('w.1', { first: NOON + 1, nobody: 50, isEnded: true })], NOON);
    await store.ask('renamePerson', 'g-ann', 'h-ann', NOON);
    await store.ask('erasePeople', [{ faceid: 'h-ann' }]);
    // The rest of it, seen by another worker and less well.
    const rest = { first: NOON + 5001, last: NOON + 5500, votes: [vote('g-ann', 10)], frames: 1 };
    await store.ask('writeParts', [part('v.1', rest)], NOON);
    assert.deepEqual(
      (await listed(store)).map(({ faceid, frames }) => [faceid, frames]),
      [['g-ann', 11]],
    );
  });

  it('prunes people and strangers each by their own age', async (t) => {
    const { store } = await open(t);
    const at = (days: number) => ({
      first: NOON - days * 86_400_000,
      last: NOON - days * 86_400_000,
      isEnded: true,
    });
    const parts = [1, 5, 9].flatMap((days) => [
      part(`w.${days}`, at(days)),
      part(`v.${days}`, { ...stranger, ...at(days) }, 2),
    ]);
    await store.ask('writeParts', parts, NOON);
    const before = { people: NOON - 7 * 86_400_000, strangers: NOON - 3 * 86_400_000 };
    assert.equal(await store.ask('prune', before, 2), 2);
    assert.equal(await store.ask('prune', before, 2), 1);
    assert.deepEqual(
      (await listed(store)).map(({ faceid }) => faceid).sort(),
      [null, 'g-ann', 'g-ann'].sort(),
    );
  });
});
