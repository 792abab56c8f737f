/** What somebody says of a person over Redis in the very moment in which another worker moves or merges them. */
import assert from 'node:assert/strict';
import { after, describe, it, type TestContext } from 'node:test';
import { createRemoteLayout } from '../../src/gallery/remote/layout.js';
import { createRemoteChanges } from '../../src/gallery/remote/remote-changes.js';
import { TINY } from '../support/galleries.js';
import { connectHooked } from '../support/hooked-redis.js';
import { REDIS_MISSING, startRedis } from '../support/redis.js';
import { forWholeFile } from '../support/redis-kinds.js';
import { openOverPlainEngine } from '../support/remote-stores.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const settingsOfOne = forWholeFile(async (t) => (await startRedis(t)).settings, after);
const random = seededRandom(190);
const PROFILE = { username: '', metadata: {} };
const [KEN, TO] = ['default-ken', 'staff-kenji'];

async function stage(t: TestContext) {
  const settings = await settingsOfOne();
  const { store } = await openOverPlainEngine(t, settings);
  const { redis, hooked, hooks } = await connectHooked(t, settings);
  const layout = createRemoteLayout(settings, 'tiny');
  // Another worker's.
  const { rename } = createRemoteChanges({
    ...{ redis: hooked, layout, reader: store.reader, journal: store.journal },
    ...{ templates: false, length: TINY, vectorsOf: () => Promise.resolve(new Map()) },
  });
  const idOf = (faceid: string, number: number) => `${faceid}_20260102_030405_n${number}`;
  const say = async (faceid: string, number: number) => {
    const correction = { id: idOf(faceid, number), faceid, at: '2026-01-02T03:04:05Z', hasPicture: true };
    assert.ok(await store.addCorrection(correction, randomUnitVector(random, TINY), Uint8Array.of(number)));
  };
  /** Once, between what the other worker reads and what it writes. */
  const meanwhile = (work: () => Promise<unknown>) => {
    let isDone = false;
    hooks.before = async (command) => {
      if (command !== 'commitStep' || isDone) return;
      isDone = true;
      await work();
    };
  };
  return { store, redis, layout, rename, idOf, say, meanwhile };
}

for (const mode of ['move', 'merge'] as const)
  describe(`what is said while a person is ${mode}d`, { skip: REDIS_MISSING }, () => {
    it('goes with them, and nothing is left of it under the old ID', async (t) => {
      const { store, redis, layout, rename, idOf, say, meanwhile } = await stage(t);
      await store.createPerson(KEN, PROFILE);
      if (mode === 'merge') await store.createPerson(TO, PROFILE);
      await say(KEN, 1);
      meanwhile(() => say(KEN, 2));
      assert.equal(await rename(KEN, TO, mode), 'done');
      const { corrections = [] } = (await store.readPerson(TO, new Set())) ?? {};
      assert.deepEqual(
        corrections.map(({ id }) => id),
        [idOf(TO, 1), idOf(TO, 2)],
      );
      for (const [i, correction] of corrections.entries())
        assert.deepEqual([...((await store.picture(correction)) ?? [])], [i + 1]);
      assert.deepEqual(await redis.keys(`${layout.face('')}${KEN}*`), []);
      assert.deepEqual(await store.corrected(), [TO]);
    });

    it('does not come back where it is taken back', async (t) => {
      const { store, redis, layout, rename, idOf, say, meanwhile } = await stage(t);
      await store.createPerson(KEN, PROFILE);
      if (mode === 'merge') await store.createPerson(TO, PROFILE);
      for (const number of [1, 2]) await say(KEN, number);
      meanwhile(() => store.removeCorrection({ faceid: KEN, id: idOf(KEN, 1) }));
      assert.equal(await rename(KEN, TO, mode), 'done');
      assert.deepEqual(await redis.smembers(layout.correctionsOf(TO)), [idOf(TO, 2)]);
    });
  });
