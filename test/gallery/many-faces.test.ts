/** A person with thousands of faces over Redis and an engine: made, moved and deleted in one step, as anybody else. */
import assert from 'node:assert/strict';
import { after, describe, it, type TestContext } from 'node:test';
import { ownerOfId } from '../../src/gallery/remote/template-ids.js';
import type { FilledPerson } from '../../src/gallery/store/store.js';
import { TINY } from '../support/galleries.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { forWholeFile } from '../support/redis-kinds.js';
import { openOverPlainEngine } from '../support/remote-stores.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const settingsOfOne = forWholeFile(async (t) => (await startRedis(t)).settings, after);
const random = seededRandom(60);
const MANY = 6000;
const AT = '2026-01-02T03:04:05Z';

/** @param from the number of the first face, whose picture is kept */
function filled(faceid: string, from: number, count: number): FilledPerson {
  const faces = Array.from({ length: count }, (_, i) => {
    const id = `${faceid}_20260102_030405_m${(from + i).toString(16)}`;
    const crop = i === 0 ? Uint8Array.of(1, 2, 3) : undefined;
    const face = { id, faceid, enrolledAt: AT, automatic: false, hasPicture: crop !== undefined };
    return { face, vector: randomUnitVector(random, TINY), crop };
  });
  return { faceid, profile: { username: 'Ken', metadata: {} }, faces };
}

async function stage(t: TestContext) {
  const settings = await settingsOfOne();
  const { engine, store } = await openOverPlainEngine(t, settings);
  const people = async () => {
    await store.journal.carried();
    const owners = engine.ids('tiny').map(ownerOfId);
    return Object.fromEntries(
      [...new Set(owners)].map((one) => [one, owners.filter((x) => x === one).length]),
    );
  };
  return { store, people };
}

/** As their faces came in the course of time: by the thousand. */
async function grown(store: Awaited<ReturnType<typeof stage>>['store']): Promise<void> {
  const parts = [0, 1, 2].map((part) => filled(`default-ken${part || ''}`, part * 2000, MANY / 3));
  assert.deepEqual(await store.addPeople(parts), [true, true, true]);
  for (const from of ['default-ken1', 'default-ken2'])
    assert.ok(await store.mergePerson(from, 'default-ken'));
}

describe(`a person with ${MANY} faces in Redis`, { skip: REDIS_MISSING }, () => {
  it('is moved with all of them', async (t) => {
    const { store, people } = await stage(t);
    await grown(store);
    assert.equal(await store.movePerson('default-ken', 'staff-ken'), 'moved');
    assert.equal(await store.profile('default-ken'), undefined);
    const moved = await store.readPerson('staff-ken', new Set());
    assert.equal(moved?.faces.filter(({ vector }) => vector).length, MANY);
    const shown = moved.faces.filter(({ hasPicture }) => hasPicture);
    assert.deepEqual(
      await Promise.all(shown.map(async (face) => [...((await store.picture(face)) ?? [])])),
      [0, 1, 2].map(() => [1, 2, 3]),
    );
    assert.deepEqual(await people(), { 'staff-ken': MANY + 1 }, 'and a template');
  });

  it('is deleted with all of them', async (t) => {
    const { store, people } = await stage(t);
    await grown(store);
    const before = await store.readPerson('default-ken', new Set());
    const shown = before?.faces.filter(({ hasPicture }) => hasPicture) ?? [];
    assert.deepEqual(await store.removePerson('default-ken'), { faces: MANY, pictures: 3, corrections: 0 });
    assert.deepEqual(await store.list(), []);
    for (const face of shown) assert.equal(await store.picture(face), undefined);
    assert.deepEqual(await people(), {});
  });

  it('is made with all of them, as an import does', async (t) => {
    const { store, people } = await stage(t);
    assert.deepEqual(await store.addPeople([filled('default-ken', 0, MANY)]), [true]);
    assert.equal((await store.readPerson('default-ken', new Set()))?.faces.length, MANY);
    assert.deepEqual(await people(), { 'default-ken': MANY + 1 });
  });
});
