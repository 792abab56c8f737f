import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { reembed } from '../../src/cli/reembed.js';
import { KaomonError } from '../../src/platform/errors.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import type { Face } from '../../src/gallery/types.js';
import type { AnalyzeOptions, KeptCut } from '../../src/vision/types.js';
import { face as foundFace, unitVector } from '../support/app.js';
import { temporaryFolder } from '../support/temporary.js';

const face = (faceid: string, unique: string): Face => ({
  ...{ id: `${faceid}_20240102_030405_m${unique}`, faceid, enrolledAt: '2024-01-02T03:04:05Z' },
  ...{ automatic: false, hasPicture: true },
});

/** Ken with two kept pictures, Mai with one in which no face is found, Aya without a picture, Rei with a damaged one. */
async function prepare(t: TestContext) {
  const folder = await temporaryFolder(t);
  const open = async (pack: string) => {
    const store = createFileStore({ folder, pack, length: 4, warn: () => undefined });
    await store.load();
    t.after(() => store.close());
    return store;
  };
  const [from, to] = [await open('old'), await open('new')];
  const profile = { username: 'Ken T.', metadata: { badge: 7 } };
  await from.addFace(face('g-ken', '1'), unitVector(0), { crop: Buffer.from('ken 1'), profile });
  await from.addFace(face('g-ken', '2'), unitVector(0), { crop: Buffer.from('ken 2') });
  await from.addFace(face('g-mai', '3'), unitVector(1), { crop: Buffer.from('nothing') });
  await from.addFace(face('g-aya', '4'), unitVector(2), {
    profile: { username: '彩', metadata: { floor: 3 } },
  });
  await from.addFace(face('g-rei', '5'), unitVector(2), { crop: Buffer.from('damaged') });
  await from.createPerson('g-none', { username: 'Never had one', metadata: {} });
  const asked: string[] = [];
  const cut: KeptCut = { alignment: 'chip', padding: 0.25 };
  const vision = {
    analyze: (bytes: Uint8Array, { kept }: AnalyzeOptions = {}) => {
      const text = Buffer.from(bytes).toString();
      asked.push(text);
      assert.deepEqual(kept, cut);
      if (text === 'damaged') return Promise.reject(new KaomonError('IMAGE_UNREADABLE', 'It is damaged.'));
      const found = { ...foundFace(100, 3), ...(text === 'nothing' && { probability: 0 }) };
      return Promise.resolve({
        width: 1,
        height: 1,
        faces: [found],
        times: { queue: 0, decode: 0, detect: 0, embed: 0 },
      });
    },
  };
  return { from, to, vision, cut, asked };
}

describe('embedding a gallery for another pack', () => {
  it('fills the new gallery from the kept pictures, names and all, and leaves the old one', async (t) => {
    const { from, to, vision, cut } = await prepare(t);
    const before = await from.load();
    assert.deepEqual(await reembed({ from, to, vision, cut, atOnce: 2 }), {
      ...{ embedded: 3, present: 0, pictureless: 1, asCut: 1, stopped: false },
      ...{ damaged: [face('g-rei', '5').id], toEnrol: ['g-aya', 'g-rei'] },
    });
    const { people } = await to.load();
    assert.deepEqual(
      people.map(({ faceid, username, metadata, faces }) => [faceid, username, metadata, faces.length]),
      [
        ['g-aya', '彩', { floor: 3 }, 0],
        ['g-ken', 'Ken T.', { badge: 7 }, 2],
        ['g-mai', '', {}, 1],
        ['g-none', 'Never had one', {}, 0],
        ['g-rei', '', {}, 0],
      ],
      'nobody is lost',
    );
    const ken = people[1];
    assert.deepEqual([ken.username, ken.metadata], ['Ken T.', { badge: 7 }]);
    assert.deepEqual(
      ken.faces.map(({ id }) => id),
      [face('g-ken', '1').id, face('g-ken', '2').id],
    );
    assert.ok(
      ken.faces.every(
        ({ vector, hasPicture }) => hasPicture && Math.abs(vector[0] - unitVector(3)[0]) < 1e-6,
      ),
    );
    assert.equal(Buffer.from((await to.picture(ken.faces[0])) ?? []).toString(), 'ken 1');
    assert.deepEqual(
      await from.load(),
      before.otherPacks.new ? before : { ...before, otherPacks: { new: 3 } },
    );
  });

  it('is stopped and taken up again', async (t) => {
    const { from, to, vision, cut, asked } = await prepare(t);
    const first = await reembed({ from, to, vision, cut, atOnce: 1, stopped: () => asked.includes('ken 1') });
    assert.deepEqual([first.embedded, first.stopped], [1, true]);
    asked.length = 0;
    const second = await reembed({ from, to, vision, cut, atOnce: 1 });
    assert.deepEqual([second.embedded, second.present, second.stopped], [2, 1, false]);
    assert.deepEqual(asked, ['ken 2', 'nothing', 'damaged'], 'ken 1 is not looked at again');
    const third = await reembed({ from, to, vision, cut, atOnce: 1 });
    assert.deepEqual([third.embedded, third.present, third.toEnrol], [0, 3, ['g-aya', 'g-rei']]);
  });
});
