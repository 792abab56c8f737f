import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { GalleryEvent } from '../../src/events/event.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import type { EmbeddingStore } from '../../src/gallery/store/store.js';
import { createTiny, openTiny, TINY } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const random = seededRandom(8);
const event = (kind: GalleryEvent['kind'], from: string, faceid: string): GalleryEvent => ({
  ...{ kind, from, faceid, groupid: 'default', at: '2026-01-01T00:00:00Z' },
  ...{ uid: `${kind} ${faceid}`, worker: 'another', pack: 'tiny' },
});

describe('a person whom another worker moves or merges', () => {
  for (const [kind, change] of [
    [
      'moved',
      (of: Awaited<ReturnType<typeof openTiny>>) =>
        of.movePerson('default-ken', { groupid: 'default', userid: 'kenji' }),
    ],
    ['merged', (of: Awaited<ReturnType<typeof openTiny>>) => of.mergePerson('default-ken', 'default-kenji')],
  ] as const) {
    it(`is ${kind}: at no moment nobody, for whoever was answered before and for a search`, async (t) => {
      const folder = await temporaryFolder(t);
      const writer = await openTiny(folder);
      const ken = randomUnitVector(random, TINY);
      await writer.enrol({ groupid: 'default', userid: 'ken', username: 'Ken' }, ken);
      if (kind === 'merged') {
        const other = randomUnitVector(random, TINY);
        await writer.enrol({ groupid: 'default', userid: 'kenji', username: 'Ken' }, other);
      }
      // The move comes between two reads of a look that has begun before it.
      let moveNow: (() => Promise<unknown>) | undefined;
      const store = createFileStore({ folder, pack: 'tiny', length: TINY, warn: () => undefined });
      const slow: EmbeddingStore = {
        ...store,
        async readPerson(faceid, known) {
          const read = await store.readPerson(faceid, known);
          const move = moveNow;
          moveNow = undefined;
          await move?.();
          return read;
        },
      };
      const follower = await createTiny(slow);
      const [before] = (await follower.nearest(ken, 1)).map(({ person }) => person);
      const state = { isOver: false };
      const watch = (async () => {
        for (; !state.isOver; await new Promise((resolve) => setImmediate(resolve))) {
          assert.equal(follower.current(before)?.username, 'Ken');
          assert.equal((await follower.nearest(ken, 1)).at(0)?.person.username, 'Ken');
        }
      })();
      moveNow = () => change(writer);
      await follower.apply(event('begun', 'default-ken', 'default-kenji'));
      await follower.settle(event('begun', 'default-ken', 'default-kenji'));
      await follower.apply(event(kind, 'default-ken', 'default-kenji'));
      state.isOver = true;
      await watch;
      assert.equal(follower.current(before)?.faceid, 'default-kenji');
      assert.equal(await follower.person('default-ken'), undefined);
    });
  }
});
