import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { loadConfig } from '../../../src/settings/config.js';
import { openSightingStore, type SightingStore } from '../../../src/sightings/store/client.js';
import type { VisitPart, Vote } from '../../../src/sightings/types.js';
import { groupingFor } from '../../../src/sightings/unknowns/grouping-for.js';
import { PACK, unitVector } from '../../support/app.js';
import { temporaryFolder } from '../../support/temporary.js';

const NOON = Date.parse('2026-11-27T12:00:00Z');
const GAP = 10_000;
const HOUR = 3_600_000;

const vote = (faceid: string, weight = 100): Vote => ({
  ...{ faceid, weight, distance: 0.2, odds: 5, oddsAtMost: false },
});

/** A stranger's visit that is over. @param at hours after noon @param far squared L2 from the first vector of all */
function visit(uid: string, at: number, far: number, more: Partial<VisitPart> = {}): VisitPart {
  const first = NOON + at * HOUR;
  return {
    ...{ uid, deviceid: 'door', first, last: first + 4000, frames: 10, fits: 5 },
    ...{ votes: [], nobody: 100, isEnded: true },
    best: {
      ...{ score: 0.5, vector: unitVector(far), crop: Uint8Array.of(1, 2, 3) },
      ...{ size: 100, sharpness: 50, yaw: 0, pitch: 0, roll: 0 },
    },
    ...more,
  };
}

async function open(t: TestContext, at?: string) {
  const file = at ?? path.join(await temporaryFolder(t), 'sightings', 'tiny.db');
  const unknowns = groupingFor(PACK, loadConfig({}));
  const store = openSightingStore({ file, gap: GAP, pair: 0.5, unknowns });
  t.after(() => store.close());
  const write = async (...parts: VisitPart[]) => {
    await store.ask('writeParts', parts, NOON);
    const end = Math.max(...parts.map(({ last }) => last)) + GAP + 1;
    await store.ask('closeVisits', end);
  };
  return { store, file, write };
}

/** By uid's order: the groups of all sightings, oldest first. */
async function groups(store: SightingStore): Promise<(string | null)[]> {
  const found = await store.ask('sightings', {}, undefined, 200);
  return found.toSorted((a, b) => a.first - b.first || a.id - b.id).map(({ unknown }) => unknown);
}

async function list(store: SightingStore, ignored?: boolean) {
  return (await store.ask('listUnknowns', { ignored, limit: 50 })).unknowns;
}

const asked = (unknown: string, token = 'token') => ({ unknown, token, now: NOON });

describe('strangers in the store of sightings', () => {
  it('stand together when they come again, at whichever camera, and apart from others', async (t) => {
    const { store, write } = await open(t);
    await write(visit('w.1', 0, 0), visit('w.2', 1, 2, { deviceid: 'hall' }));
    await write(visit('w.3', 2, 0.05, { deviceid: 'hall' }), visit('w.4', 3, 0.01));
    assert.deepEqual(await groups(store), ['u-1', 'u-2', 'u-1', 'u-1']);
    const [newest, other] = await list(store);
    assert.deepEqual(newest, {
      ...{ id: 'u-1', visits: 3, first: NOON, last: NOON + 3 * HOUR + 4000, deviceids: ['door', 'hall'] },
      ...{ pictures: [1, 3, 4], isIgnored: false, like: null },
    });
    assert.deepEqual([other.id, other.visits], ['u-2', 1]);
  });

  it('are pages, the one who was seen last first', async (t) => {
    const { store, write } = await open(t);
    for (const [at, far] of [0, 1, 2, 3, 4].entries()) await write(visit(`w.${at}`, at, far));
    const seen: string[] = [];
    let after: { last: number; id: number } | undefined;
    do {
      const page = await store.ask('listUnknowns', { ignored: undefined, limit: 2, ...(after && { after }) });
      seen.push(...page.unknowns.map(({ id }) => id));
      after = page.next;
    } while (after);
    assert.deepEqual(seen, ['u-5', 'u-4', 'u-3', 'u-2', 'u-1']);
  });

  it('are only those who were seen twice within six seconds, well enough, and are nobody’s', async (t) => {
    const { store, write } = await open(t);
    const best = visit('', 0, 0).best;
    assert.ok(best);
    await write(
      visit('w.1', 0, 0, { fits: 1 }),
      visit('w.2', 1, 0, { fits: 2, last: NOON + HOUR + 6001 }),
      visit('w.3', 2, 0, { best: { ...best, size: 39 } }),
      visit('w.4', 3, 0, { best: { ...best, sharpness: 5 } }),
      visit('w.5', 4, 0, { best: { ...best, yaw: 66 } }),
      visit('w.6', 5, 0, { best: { ...best, size: null } }),
      visit('w.7', 6, 0, { votes: [vote('g-ann')], nobody: 0 }),
      // Either of two people.
      visit('w.8', 7, 0, { votes: [vote('g-ann', 50), vote('g-bob', 50)], nobody: 20 }),
      visit('w.9', 8, 0, { fits: 2, last: NOON + 8 * HOUR + 6000 }),
    );
    assert.deepEqual(await groups(store), [null, null, null, null, null, null, null, null, 'u-1']);
  });

  it('are the same ones for every worker', async (t) => {
    const one = await open(t);
    const two = await open(t, one.file);
    await one.write(visit('a.1', 0, 0), visit('a.2', 1, 2));
    await two.write(visit('b.1', 2, 0.02), visit('b.2', 3, 4));
    await one.write(visit('a.3', 4, 3.98), visit('a.4', 5, 0.01));
    assert.deepEqual(await groups(two.store), ['u-1', 'u-2', 'u-1', 'u-3', 'u-3', 'u-1']);
    // Ignored by one, quiet in the other.
    await one.store.ask('ignoreUnknown', { ...asked('u-1'), isIgnored: true });
    const before = (await two.store.ask('happenings', 0, 100)).length;
    await two.write(visit('b.3', 6, 0));
    assert.equal((await two.store.ask('happenings', 0, 100)).length, before);
  });

  it('keep to groups that were in the file before, when many come from two workers at once', async (t) => {
    const one = await open(t);
    const two = await open(t, one.file);
    const both = [one, two].map(async ({ store }, worker) => {
      for (let at = 0; at < 20; at++)
        await store.ask(
          'writeParts',
          [visit(`${worker}.${at}`, worker + 2 * at, [0, 1, 2.6, 4][at % 4])],
          NOON,
        );
    });
    await Promise.all(both);
    const found = await list(one.store);
    assert.deepEqual(
      found.map(({ visits }) => visits),
      [10, 10, 10, 10],
    );
  });

  it('are joined when a face in between shows that they are one, and found by the ID that is gone', async (t) => {
    const { store, write } = await open(t);
    await write(visit('w.1', 0, 0), visit('w.2', 1, 0.3));
    assert.deepEqual(await groups(store), ['u-1', 'u-2']);
    await write(visit('w.3', 2, 0.075));
    assert.deepEqual(await groups(store), ['u-1', 'u-1', 'u-1']);
    assert.equal((await store.ask('readUnknown', 'u-2'))?.id, 'u-1');
    assert.equal((await list(store)).length, 1);
    assert.equal(await store.ask('readUnknown', 'u-9'), undefined);
    assert.equal(await store.ask('readUnknown', 'x'), undefined);
  });

  it('are placed again by the best face of the visit, when it is over', async (t) => {
    const { store, write } = await open(t);
    await write(visit('w.1', 0, 2));
    const open_ = visit('w.2', 1, 0, { isEnded: false });
    await store.ask('writeParts', [open_], NOON);
    assert.deepEqual(await groups(store), ['u-1', 'u-2']);
    assert.ok(open_.best);
    const better = { ...open_.best, score: 0.9, vector: unitVector(2) };
    await write({ ...open_, best: better, isEnded: true });
    assert.deepEqual(await groups(store), ['u-1', 'u-1']);
    // One who is alone stays the same stranger.
    const alone = visit('w.3', 2, 4, { isEnded: false });
    await store.ask('writeParts', [alone], NOON);
    assert.ok(alone.best);
    await write({ ...alone, best: { ...alone.best, score: 0.9, vector: unitVector(3.9) }, isEnded: true });
    assert.deepEqual((await groups(store)).slice(2), ['u-3']);
    assert.equal((await store.ask('readUnknown', 'u-2'))?.id, 'u-1');
  });

  it('leave their group when they get a name late; nothing of the group is left', async (t) => {
    const { store, write } = await open(t);
    await store.ask('writeParts', [visit('w.1', 0, 0, { isEnded: false })], NOON);
    assert.deepEqual(await groups(store), ['u-1']);
    await write(visit('w.1', 0, 0, { votes: [vote('g-ann', 900)] }));
    assert.deepEqual(await groups(store), [null]);
    assert.deepEqual(await list(store), []);
    await write(visit('w.2', 1, 0));
    assert.deepEqual(await groups(store), [null, 'u-2']);
  });

  it('are in memory as they are in the file, after a transaction that failed', async (t) => {
    const { store, write } = await open(t);
    await write(visit('w.1', 0, 2));
    const broken = visit('w.3', 2, 1, { deviceid: null as never });
    await assert.rejects(store.ask('writeParts', [visit('w.2', 1, 0), broken], NOON));
    assert.deepEqual(await groups(store), ['u-1']);
    await write(visit('w.4', 3, 0), visit('w.5', 4, 0.01));
    assert.deepEqual(await groups(store), ['u-1', 'u-2', 'u-2']);
    assert.deepEqual(
      (await list(store)).map(({ id, visits }) => [id, visits]),
      [
        ['u-2', 2],
        ['u-1', 1],
      ],
    );
  });

  it('are quiet while they are ignored, whoever they are joined with by chance, until it is undone', async (t) => {
    const { store, write } = await open(t);
    await write(visit('w.1', 0, 0));
    const told = async () => (await store.ask('happenings', 0, 100)).length;
    assert.equal(await told(), 1);
    const ignored = await store.ask('ignoreUnknown', { ...asked('u-1'), isIgnored: true });
    assert.equal(ignored?.isIgnored, true);
    await write(visit('w.2', 1, 0));
    assert.equal(await told(), 1);
    assert.deepEqual(
      [(await list(store, true)).length, (await list(store, false)).length, (await list(store)).length],
      [1, 0, 1],
    );
    // Somebody is like both: nobody else gets quiet by that.
    await write(visit('w.3', 2, 0.4));
    await write(visit('w.4', 3, 0.1));
    assert.deepEqual(await groups(store), ['u-1', 'u-1', 'u-2', 'u-1']);
    assert.equal((await store.ask('undoUnknown', 'token'))?.id, 'u-1');
    assert.equal((await list(store, true)).length, 0);
    await write(visit('w.5', 4, 0));
    assert.equal(await told(), 3);
    await store.ask('forgetUndo', 'token');
    assert.equal(await store.ask('undoUnknown', 'token'), undefined);
  });

  it('give their visits to the person they are named as, and take them back', async (t) => {
    const { store, write } = await open(t);
    await write(visit('w.1', 0, 0), visit('w.2', 1, 0.1), visit('w.3', 2, 2));
    const found = await store.ask('facesOfUnknown', 'u-1');
    assert.equal(found?.faces.length, 2);
    const named = { faceid: 'g-ann', groupid: 'g', isNew: true, faces: ['f1'] };
    const vectors = found.faces.map(({ vector }) => vector);
    assert.equal(await store.ask('nameUnknown', { ...asked('u-1'), ...named, vectors }), 2);
    const people = await store.ask('sightings', { faceid: 'g-ann' }, undefined, 10);
    assert.deepEqual(
      people.map(({ unknown, isSettled, distance }) => [unknown, isSettled, distance]),
      [
        [null, true, 0],
        [null, true, 0],
      ],
    );
    assert.deepEqual(
      (await list(store)).map(({ id }) => id),
      ['u-2'],
    );
    assert.equal(await store.ask('nameUnknown', { ...asked('u-1', 'other'), ...named, vectors }), 0);
    // A new stranger who is alike is not put into the group that has gone, but joined with it when it comes back.
    await write(visit('w.4', 3, 0));
    assert.deepEqual((await groups(store)).at(-1), 'u-3');
    const undone = { id: 'u-1', sightings: 2, faceid: 'g-ann', isNew: true, faces: ['f1'] };
    assert.deepEqual(await store.ask('undoUnknown', 'token'), undone);
    assert.deepEqual(await groups(store), ['u-1', 'u-1', 'u-2', 'u-1']);
    // The server was killed before the faces were deleted: the same token again.
    assert.deepEqual(await store.ask('undoUnknown', 'token'), { ...undone, sightings: 0 });
    await store.ask('forgetUndo', 'token');
    assert.equal(await store.ask('undoUnknown', 'token'), undefined);
  });

  it('cannot be taken back from somebody who has been erased', async (t) => {
    const { store, write } = await open(t);
    await write(visit('w.1', 0, 0));
    const named = { faceid: 'g-ann', groupid: 'g', isNew: true, faces: ['f1'], vectors: [] };
    await store.ask('nameUnknown', { ...asked('u-1'), ...named });
    await store.ask('renamePerson', 'g-ann', 'g-eve', NOON + HOUR);
    await store.ask('erasePeople', [{ faceid: 'g-eve' }]);
    assert.equal(await store.ask('undoUnknown', 'token'), undefined);
  });

  it('are made one by somebody who says so, and two again', async (t) => {
    const { store, write } = await open(t);
    await write(visit('w.1', 0, 0), visit('w.2', 1, 2));
    const joined = await store.ask('joinUnknowns', { ...asked('u-1'), into: 'u-2' });
    assert.deepEqual([joined?.id, joined?.visits], ['u-2', 2]);
    assert.equal(await store.ask('joinUnknowns', { ...asked('u-1', 'x'), into: 'u-2' }), undefined);
    await write(visit('w.3', 2, 4));
    const undone = await store.ask('undoUnknown', 'token');
    assert.deepEqual([undone?.id, undone?.sightings], ['u-1', 1]);
    assert.deepEqual(await groups(store), ['u-1', 'u-2', 'u-3']);
    await write(visit('w.4', 3, 0));
    assert.deepEqual((await groups(store)).at(-1), 'u-1');
  });

  it('are found by the ID that they had, over all that were joined since, and each again when one is taken back', async (t) => {
    const { store, write } = await open(t);
    await write(visit('w.1', 0, 0), visit('w.2', 1, 2), visit('w.3', 2, 4));
    await store.ask('joinUnknowns', { ...asked('u-1', 'one'), into: 'u-2' });
    await store.ask('joinUnknowns', { ...asked('u-2', 'two'), into: 'u-3' });
    const find = async (id: string) => (await store.ask('readUnknown', id))?.id;
    assert.deepEqual([await find('u-1'), await find('u-2')], ['u-3', 'u-3']);
    await store.ask('undoUnknown', 'two');
    assert.deepEqual([await find('u-1'), await find('u-2'), await find('u-3')], ['u-2', 'u-2', 'u-3']);
    assert.deepEqual(await groups(store), ['u-2', 'u-2', 'u-3']);
  });

  it('are those as well of whom somebody says that they are not the person they were named as', async (t) => {
    const { store, write } = await open(t);
    await write(visit('w.1', 0, 0), visit('w.2', 1, 0, { votes: [vote('g-ann', 900)] }));
    assert.deepEqual(await groups(store), ['u-1', null]);
    assert.equal(await store.ask('correctSighting', 2, 'g-ann', 'c1'), true);
    assert.deepEqual(await groups(store), ['u-1', 'u-1']);
    await store.ask('uncorrectSightings', 'c1', 'g-ann', 'g');
    assert.deepEqual(await groups(store), ['u-1', null]);
    assert.equal((await list(store))[0].visits, 1);
  });

  it('are shown beside whom they are like, where both have come often', async (t) => {
    const { store, write } = await open(t);
    for (let at = 0; at < 4; at++) await write(visit(`a.${at}`, at, 0), visit(`b.${at}`, at + 10, 0.28));
    assert.deepEqual(new Set(await groups(store)), new Set(['u-1', 'u-2']));
    await write(visit('b.9', 20, 0.2));
    assert.deepEqual(
      (await list(store)).map(({ id, like }) => [id, like]),
      [
        ['u-2', 'u-1'],
        ['u-1', 'u-2'],
      ],
    );
  });

  it('leave no trace of a face in the file when its sighting is erased', async (t) => {
    const { store, file, write } = await open(t);
    const vector = unitVector(1.2345);
    await write(visit('w.1', 0, 1.2345), visit('w.2', 1, 3));
    const bytes = Buffer.from(vector.buffer).subarray(0, 8);
    const inFiles = async () => {
      const names = await readdir(path.dirname(file));
      const all = await Promise.all(names.map((name) => readFile(path.join(path.dirname(file), name))));
      return all.some((content) => content.includes(bytes));
    };
    assert.equal(await inFiles(), true);
    const erased = await store.ask('eraseSighting', 1);
    assert.equal(erased?.isClean, true);
    assert.equal(await inFiles(), false);
    assert.deepEqual(
      (await list(store)).map(({ id }) => id),
      ['u-2'],
    );
    await store.ask('pruneUnknowns', NOON + 100 * HOUR);
    await write(visit('w.3', 2, 1.2345));
    assert.deepEqual(await groups(store), ['u-2', 'u-3']);
  });
});
