import assert from 'node:assert/strict';
import path from 'node:path';
import { it } from 'node:test';
import type { LiveGallery } from '../../src/gallery/gallery.js';
import { everybody, inFilesAlone, openTiny, TINY } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';
import { startWorker } from '../support/workers.js';

const random = seededRandom(12);
const vector = () => randomUnitVector(random, TINY);

/** What the counter must say: everybody walked over. */
async function counted(gallery: LiveGallery, groups?: ReadonlySet<string>): Promise<number> {
  return (await everybody(gallery)).reduce(
    (sum, { faces, groupid }) => sum + (!groups || groups.has(groupid) ? faces.length : 0),
    0,
  );
}

it('the faces that are searched are counted, by group, through everything that happens to them', async (t) => {
  const folder = await temporaryFolder(t);
  const gallery = await openTiny(folder);
  const staff = new Set(['staff']);
  const both = new Set(['staff', 'default']);
  const check = async (all: number, ofStaff: number, what: string) => {
    assert.deepEqual([gallery.searched(), gallery.searched(staff)], [all, ofStaff], what);
    for (const groups of [undefined, staff, both, new Set<string>()]) {
      assert.equal(gallery.searched(groups), await counted(gallery, groups), what);
    }
  };
  await check(0, 0, 'nobody');
  await gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
  await gallery.createPerson({ groupid: 'staff', userid: 'ann' });
  await check(0, 0, 'a person without a face is not searched');
  const { id } = await gallery.enrol({ groupid: 'staff', userid: 'ann' }, vector());
  await check(1, 1, 'a first face');
  await gallery.enrol({ groupid: 'staff', userid: 'ann' }, vector());
  await gallery.enrol({ groupid: 'default', userid: 'ben' }, vector());
  await gallery.enrol({ groupid: 'default', userid: 'cy' }, vector());
  await check(4, 2, 'a second face gives a stranger a second chance');
  await gallery.removeFace('staff-ann', id);
  await check(3, 1, 'one of two faces gone');
  const [last] = (await gallery.person('staff-ann'))?.faces ?? [];
  await gallery.removeFace('staff-ann', last.id);
  await check(2, 0, 'the last face gone');
  await gallery.movePerson('default-ben', { groupid: 'staff', userid: 'ben' });
  await check(2, 1, 'moved to another group');
  await gallery.mergePerson('default-cy', 'staff-ben');
  await check(2, 2, 'merged');
  await gallery.updatePerson('staff-ben', { username: 'Ben' });
  await gallery.reload();
  await check(2, 2, 'compared with the store');
  assert.equal((await openTiny(folder)).searched(), 2, 'after a restart');
  await gallery.removeGroup('staff', { withPeople: true });
  await check(0, 0, 'the group deleted with its people');
});

it(
  'the threshold of every worker moves when people come and go in one of them',
  { skip: inFilesAlone() },
  async (t) => {
    const folder = await temporaryFolder(t);
    const env = { EMBEDDINGS_DIR: path.join(folder, 'embeddings'), EVENT_LOG: 'file' };
    const [first, second] = await Promise.all([startWorker(env), startWorker(env)]);
    t.after(() => Promise.all([first.close(), second.close()]));
    const both = [first, second];
    const everywhere = async (people: number) => {
      for (const worker of both) await until(async () => (await worker.ask('searched')) === people);
      const [one, other] = await Promise.all(both.map((worker) => worker.ask('threshold')));
      assert.equal(one, other);
      return one;
    };
    const enrol = (n: number) => first.ask('enrol', 'default', `u${n}`, [...vector()]);
    const empty = await everywhere(0);
    for (let n = 0; n < 10; n++) await enrol(n);
    assert.equal(await everywhere(10), empty, 'up to ten the loosest rate holds');
    for (let n = 10; n < 30; n++) await enrol(n);
    const thirty = await everywhere(30);
    assert.ok(thirty < empty, `${thirty} with thirty people, ${empty} with none`);
    await second.ask('createGroup', 'staff');
    await second.ask('move', 'default-u0', 'staff', 'u0');
    for (const worker of both) {
      await until(async () => (await worker.ask('searched', ['staff'])) === 1);
      assert.equal(await worker.ask('searched', ['default']), 29);
      assert.equal(await worker.ask('threshold', ['staff']), empty, 'one person is searched there');
    }
    for (let n = 1; n < 30; n++) await second.ask('remove', 'default', `u${n}`);
    assert.equal(await everywhere(1), empty);
  },
);
