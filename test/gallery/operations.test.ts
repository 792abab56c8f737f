import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, rename, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type GalleryEvent, NO_PUBLISHER, type Publisher } from '../../src/events/event.js';
import type { LiveGallery } from '../../src/gallery/gallery.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import type { GalleryChange } from '../../src/gallery/types.js';
import { everybody, inFilesAlone, openTiny, summarise, TINY } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';
import { randomUnitVector, seededRandom } from '../support/vectors.js';

const random = seededRandom(5);
const vector = () => randomUnitVector(random, TINY);
const PNG = Uint8Array.of(0x89, 0x50, 0x4e, 0x47);

async function start(t: TestContext): Promise<{ folder: string; gallery: LiveGallery }> {
  const folder = await temporaryFolder(t);
  return { folder, gallery: await openTiny(folder) };
}

/** The gallery as it is, and as it is after a restart: what is said of one must hold for the other. */
async function nowAndAfterRestart(
  { folder, gallery }: { folder: string; gallery: LiveGallery },
  check: (gallery: LiveGallery) => Promise<void> | void,
): Promise<void> {
  await check(gallery);
  await check(await openTiny(folder));
}

async function nearestOf(gallery: LiveGallery, probe: Float32Array): Promise<string[]> {
  return (await gallery.nearest(probe, 1)).map(({ person }) => person.faceid);
}

describe('what a worker left open', () => {
  it('is published in its name where the store has it, and closed as not made where it has not', async (t) => {
    const folder = await temporaryFolder(t);
    const dying = await openTiny(folder);
    const settled: string[] = [];
    const publisher: Publisher = {
      ...NO_PUBLISHER,
      settle({ uid }, kind) {
        settled.push(`${uid} ${kind}`);
        return Promise.resolve();
      },
    };
    const looking = await openTiny(folder, { publisher });
    const { id: face, faceid } = await dying.enrol({ groupid: 'default', userid: 'ken' }, vector());
    const gone = (await dying.enrol({ groupid: 'default', userid: 'ann' }, vector())).faceid;
    await dying.remove('default', 'ann');
    const begun = (uid: string, about: Partial<GalleryEvent>): GalleryEvent => ({
      ...{ kind: 'begun', groupid: 'default', at: '2026-01-01T00:00:00Z', worker: 'dying', pack: 'tiny' },
      ...{ uid, ...about },
    });
    const changes = [
      begun('a', { will: 'enrolled', faceid, face }),
      begun('b', { will: 'enrolled', faceid, face: `${face}1` }),
      begun('c', { will: 'removed', faceid: gone }),
      begun('d', { will: 'updated', faceid }),
    ];
    for (const change of changes) await looking.settle(change);
    // A name may have been the same before, and what is not there may still come.
    assert.deepEqual(settled.splice(0), ['a enrolled', 'c removed']);
    assert.equal((await looking.person(faceid))?.faces.length, 1);
    for (const change of changes) await looking.settle(change, { isLast: true, isTold: false });
    assert.deepEqual(settled, ['a enrolled', 'b given-up', 'c removed', 'd updated']);
  });
});

describe('a person', () => {
  it('can be made without a face, once, and is kept', async (t) => {
    const test = await start(t);
    const metadata = { office: 'Kyōto', floor: 3, guest: false, note: null };
    const made = await test.gallery.createPerson({
      groupid: 'default',
      userid: 'a',
      username: '雪',
      metadata,
    });
    assert.deepEqual(made.faces, []);
    assert.equal(made.enrolledAt, undefined);
    await nowAndAfterRestart(test, async (gallery) => {
      assert.deepEqual((await everybody(gallery)).map(summarise), [
        { faceid: 'default-a', username: '雪', metadata, faces: [] },
      ]);
      await assert.rejects(gallery.createPerson({ groupid: 'default', userid: 'a' }), {
        code: 'PERSON_EXISTS',
        statusCode: 409,
      });
    });
    await assert.rejects(test.gallery.createPerson({ groupid: 'none', userid: 'a' }), {
      code: 'GROUP_UNKNOWN',
    });
    await assert.rejects(test.gallery.createPerson({ groupid: 'default', userid: '..' }), {
      code: 'USERID_INVALID',
    });
  });

  it('takes a name and metadata, each without touching the other', async (t) => {
    const test = await start(t);
    await test.gallery.enrol({ groupid: 'default', userid: 'a' }, vector());
    await test.gallery.updatePerson('default-a', { username: 'Ken' });
    await test.gallery.updatePerson('default-a', { metadata: { floor: 1 } });
    await nowAndAfterRestart(test, async (gallery) => {
      assert.equal((await gallery.person('default-a'))?.username, 'Ken');
      assert.deepEqual((await gallery.person('default-a'))?.metadata, { floor: 1 });
    });
    await test.gallery.updatePerson('default-a', { username: '' });
    await nowAndAfterRestart(test, async (gallery) =>
      assert.equal((await gallery.person('default-a'))?.username, 'a'),
    );
    for (const faceid of ['default-b', '../default-a', 'x'])
      await assert.rejects(test.gallery.updatePerson(faceid, {}), { code: 'PERSON_UNKNOWN' });
  });

  it('keeps the name that a later picture does not give', async (t) => {
    const test = await start(t);
    await test.gallery.enrol({ groupid: 'default', userid: 'a', username: 'Ken' }, vector());
    await test.gallery.updatePerson('default-a', { metadata: { floor: 1 } });
    await test.gallery.enrol({ groupid: 'default', userid: 'a' }, vector());
    await test.gallery.enrol({ groupid: 'default', userid: 'a', username: 'Kenji' }, vector());
    await nowAndAfterRestart(test, async (gallery) => {
      const person = await gallery.person('default-a');
      assert.deepEqual(
        [person?.username, person?.metadata, person?.faces.length],
        ['Kenji', { floor: 1 }, 3],
      );
      assert.equal(person?.enrolledAt, person?.faces[0].enrolledAt);
    });
  });

  it('moves to another group with faces, pictures, name and metadata', async (t) => {
    const test = await start(t);
    const hers = vector();
    await test.gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
    const face = await test.gallery.enrol(
      { groupid: 'default', userid: 'a', username: '雪', crop: PNG },
      hers,
    );
    await test.gallery.updatePerson('default-a', { metadata: { floor: 2 } });
    const moved = await test.gallery.movePerson('default-a', { groupid: 'staff', userid: 'b' });
    assert.deepEqual([moved.faceid, moved.groupid, moved.userid], ['staff-b', 'staff', 'b']);
    const newId = face.id.replace('default-a', 'staff-b');
    await nowAndAfterRestart(test, async (gallery) => {
      assert.deepEqual((await everybody(gallery)).map(summarise), [
        { faceid: 'staff-b', username: '雪', metadata: { floor: 2 }, faces: [face.id.split('_').at(-1)] },
      ]);
      const [match] = await gallery.nearest(hers, 5);
      assert.deepEqual([match.person.faceid, match.face.id], ['staff-b', newId]);
      assert.deepEqual(new Uint8Array((await gallery.picture('staff-b', newId)) ?? []), PNG);
      await assert.rejects(gallery.picture('default-a', face.id), { code: 'PERSON_UNKNOWN' });
    });
    if (!inFilesAlone()) assert.deepEqual(await readdir(path.join(test.folder, 'tiny')), ['staff-b']);
  });

  it('does not move onto somebody, to a group that is not there, or away from nowhere', async (t) => {
    const { gallery } = await start(t);
    await gallery.enrol({ groupid: 'default', userid: 'a' }, vector());
    await gallery.createPerson({ groupid: 'default', userid: 'b' });
    const to = (groupid: string, userid: string) => gallery.movePerson('default-a', { groupid, userid });
    await assert.rejects(to('default', 'b'), { code: 'PERSON_EXISTS' });
    await assert.rejects(to('none', 'a'), { code: 'GROUP_UNKNOWN' });
    await assert.rejects(to('default', 'a/b'), { code: 'USERID_INVALID' });
    await assert.rejects(gallery.movePerson('default-c', { groupid: 'default', userid: 'd' }), {
      code: 'PERSON_UNKNOWN',
    });
    assert.equal((await to('default', 'a')).faceid, 'default-a');
    assert.equal(gallery.info().people, 2);
  });

  it('takes in the faces of another, who is gone then', async (t) => {
    const test = await start(t);
    const [first, second] = [vector(), vector()];
    await test.gallery.enrol({ groupid: 'default', userid: 'a', username: 'A' }, first);
    await test.gallery.enrol({ groupid: 'default', userid: 'b', username: 'B', crop: PNG }, second);
    const merged = await test.gallery.mergePerson('default-b', 'default-a');
    assert.equal(merged.faces.length, 2);
    await nowAndAfterRestart(test, async (gallery) => {
      assert.deepEqual(
        (await everybody(gallery)).map(({ username, faces }) => [username, faces.length]),
        [['A', 2]],
      );
      for (const probe of [first, second]) assert.deepEqual(await nearestOf(gallery, probe), ['default-a']);
      assert.deepEqual(
        (await gallery.person('default-a'))?.faces.map(({ hasPicture }) => hasPicture).sort(),
        [false, true],
      );
    });
    await assert.rejects(test.gallery.mergePerson('default-b', 'default-a'), { code: 'PERSON_UNKNOWN' });
    await assert.rejects(test.gallery.mergePerson('default-a', 'default-c'), { code: 'PERSON_UNKNOWN' });
  });

  it('keeps both faces of a merge when their names are the same', { skip: inFilesAlone() }, async (t) => {
    const test = await start(t);
    for (const userid of ['a', 'b']) {
      const { id } = await test.gallery.enrol({ groupid: 'default', userid }, vector());
      const folder = path.join(test.folder, 'tiny', `default-${userid}`);
      const file = await readFile(path.join(folder, `${id}.npy`));
      await writeFile(path.join(folder, `default-${userid}_20250101_000000_msame.npy`), file);
    }
    const again = await openTiny(test.folder);
    await again.mergePerson('default-b', 'default-a');
    await nowAndAfterRestart({ ...test, gallery: again }, async (gallery) =>
      assert.equal((await gallery.person('default-a'))?.faces.length, 4),
    );
  });
});

describe('a move', () => {
  /** A process that is no more. */
  function deadPid(): number {
    const { pid } = spawnSync(process.execPath, ['--version']);
    return pid;
  }

  it(
    'that a crash cut short is finished at the next start, and no face is lost',
    { skip: inFilesAlone() },
    async (t) => {
      const { folder, gallery } = await start(t);
      const vectors = [vector(), vector()];
      const ids: string[] = [];
      for (const one of vectors)
        ids.push(
          (await gallery.enrol({ groupid: 'default', userid: 'a', username: '雪', crop: PNG }, one)).id,
        );
      const tiny = path.join(folder, 'tiny');
      const file = (faceid: string, name: string) => path.join(tiny, faceid, name);
      const files = ids.flatMap((id) => ['png', 'npy'].map((kind) => `${id}.${kind}`));
      const pairs = [
        ...files.map((name) => [name, name.replace('-a', '-b')]),
        ['person.json', 'person.json'],
      ];
      const note = { from: 'default-a', to: 'default-b', files: pairs, dropProfile: false, host: hostname() };
      await mkdir(path.join(tiny, 'default-b'));
      for (const [from, to] of pairs.slice(0, 2))
        await rename(file('default-a', from), file('default-b', to));

      // While the process that moves is alive nobody meddles, and every face is found in one place or the other.
      await writeFile(
        path.join(tiny, '.moving-1.json'),
        JSON.stringify({ ...note, pid: process.ppid, process: 'other' }),
      );
      const meanwhile = await openTiny(folder);
      for (const one of vectors) assert.ok((await meanwhile.nearest(one, 1))[0].distance < 1e-6);
      assert.equal(meanwhile.info().people, 2);

      await writeFile(
        path.join(tiny, '.moving-1.json'),
        JSON.stringify({ ...note, pid: deadPid(), process: 'other' }),
      );
      const after = await openTiny(folder);
      assert.deepEqual(
        (await everybody(after)).map(({ faceid, username, faces }) => [faceid, username, faces.length]),
        [['default-b', '雪', 2]],
      );
      for (const one of vectors) assert.ok((await after.nearest(one, 1))[0].distance < 1e-6);
      assert.deepEqual(await readdir(tiny), ['default-b']);
    },
  );
});

describe('a move that seems to go on in a process that lives', { skip: inFilesAlone() }, () => {
  const OLD = 10 * 60_000;

  /** Two faces, of which one has moved, and a note of it. */
  async function cutShort(t: TestContext) {
    const folder = await temporaryFolder(t);
    const store = createFileStore({ folder, pack: 'tiny', length: TINY, warn: () => undefined });
    t.after(() => store.close());
    await store.prepare();
    const tiny = path.join(folder, 'tiny');
    const names = [1, 2].map((second) => `default-a_20260102_03040${second}_m1`);
    for (const id of names) {
      const face = { id, faceid: 'default-a', enrolledAt: '2026-01-02T03:04:05Z', automatic: false };
      await store.addFace({ ...face, hasPicture: false }, vector(), {});
    }
    const files = names.map((id) => [`${id}.npy`, `${id.replace('-a', '-b')}.npy`]);
    const note = { from: 'default-a', to: 'default-b', dropProfile: false, host: 'elsewhere', pid: 1 };
    await mkdir(path.join(tiny, 'default-b'));
    await rename(path.join(tiny, 'default-a', files[0][0]), path.join(tiny, 'default-b', files[0][1]));
    const all = [...files, ['person.json', 'person.json']];
    await writeFile(path.join(tiny, '.moving-1.json'), JSON.stringify({ ...note, files: all, process: 'x' }));
    return { store, folder, tiny };
  }

  it('is looked at again once it is old, and finished', async (t) => {
    const { store, tiny } = await cutShort(t);
    t.mock.timers.enable({ apis: ['setTimeout', 'Date'], now: Date.now() });
    await store.recover();
    assert.equal((await readdir(path.join(tiny, 'default-a'))).length, 2, 'nobody meddles while it is young');
    t.mock.timers.tick(OLD + 1000);
    const end = performance.now() + 20_000;
    while ((await readdir(tiny)).join() !== 'default-b' && performance.now() < end)
      await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(await readdir(tiny), ['default-b']);
    assert.equal((await readdir(path.join(tiny, 'default-b'))).length, 3);
  });

  it('is not looked at all the time where the clock was far ahead when it began', async (t) => {
    const { store, tiny } = await cutShort(t);
    const ahead = new Date(Date.now() + 365 * 24 * 60 * 60_000);
    await utimes(path.join(tiny, '.moving-1.json'), ahead, ahead);
    const waits = t.mock.method(globalThis, 'setTimeout');
    await store.recover();
    assert.deepEqual(
      waits.mock.calls.map((call) => call.arguments[1]),
      [OLD],
    );
  });

  it('is set aside where it is old and somebody else was enrolled there meanwhile', async (t) => {
    const { store, folder, tiny } = await cutShort(t);
    const bob = path.join(tiny, 'default-b', 'person.json');
    await writeFile(bob, '{"username":"Bob"}');
    const long = new Date(Date.now() - 2 * OLD);
    await utimes(path.join(tiny, '.moving-1.json'), long, long);
    await store.recover();
    assert.equal(await readFile(bob, 'utf8'), '{"username":"Bob"}');
    assert.equal((await readdir(path.join(tiny, 'default-a'))).length, 2);
    assert.deepEqual(await readdir(path.join(folder, 'set-aside', 'tiny')), ['.moving-1.json']);
    assert.match(store.damage.list()[0].reason, /default-b is somebody else by now/);
  });
});

describe('a face', () => {
  it('goes alone, and the person stays', async (t) => {
    const test = await start(t);
    const [first, second] = [vector(), vector()];
    const a = await test.gallery.enrol({ groupid: 'default', userid: 'a' }, first);
    const b = await test.gallery.enrol({ groupid: 'default', userid: 'a' }, second);
    await test.gallery.removeFace('default-a', a.id);
    await nowAndAfterRestart(test, async (gallery) => {
      assert.deepEqual(
        (await gallery.person('default-a'))?.faces.map(({ id }) => id),
        [b.id],
      );
      assert.ok((await gallery.nearest(first, 1))[0].distance > 1e-3);
    });
    await test.gallery.removeFace('default-a', b.id);
    await nowAndAfterRestart(test, async (gallery) => {
      assert.deepEqual((await gallery.person('default-a'))?.faces, []);
      assert.equal((await gallery.person('default-a'))?.enrolledAt, undefined);
      assert.deepEqual(await gallery.nearest(second, 1), []);
    });
    await assert.rejects(test.gallery.removeFace('default-a', b.id), { code: 'FACE_UNKNOWN' });
    await assert.rejects(test.gallery.removeFace('default-b', b.id), { code: 'PERSON_UNKNOWN' });
  });

  it('takes nothing back that another process said of the person and this one has not heard of yet', async (t) => {
    const test = await start(t);
    const [here, there] = [test.gallery, await openTiny(test.folder)];
    const { id } = await here.enrol({ groupid: 'default', userid: 'a' }, vector());
    await there.updatePerson('default-a', { username: 'Ken' });
    await here.removeFace('default-a', id);
    const named = await openTiny(test.folder);
    assert.deepEqual((await named.person('default-a'))?.username, 'Ken');

    await here.enrol({ groupid: 'default', userid: 'a', username: 'Ken' }, vector());
    await there.remove('default', 'a');
    await here.enrol({ groupid: 'default', userid: 'a', username: 'Ken' }, vector());
    const again = await openTiny(test.folder);
    assert.equal((await again.person('default-a'))?.username, 'Ken');
    assert.equal((await again.person('default-a'))?.faces.length, 1);
    assert.equal((await here.person('default-a'))?.faces.length, 1);
  });

  it('has a picture only when one was kept', async (t) => {
    const test = await start(t);
    const kept = await test.gallery.enrol({ groupid: 'default', userid: 'a', crop: PNG }, vector());
    const bare = await test.gallery.enrol({ groupid: 'default', userid: 'a' }, vector());
    await nowAndAfterRestart(test, async (gallery) => {
      assert.deepEqual(new Uint8Array((await gallery.picture('default-a', kept.id)) ?? []), PNG);
      assert.equal(await gallery.picture('default-a', bare.id), undefined);
      const has = (await gallery.person('default-a'))?.faces.map(({ id, hasPicture }) => [id, hasPicture]);
      assert.deepEqual(
        new Map(has as [string, boolean][]),
        new Map([
          [kept.id, true],
          [bare.id, false],
        ]),
      );
      await assert.rejects(gallery.picture('default-a', '../../etc/passwd'), { code: 'FACE_UNKNOWN' });
    });
    await test.gallery.removeFace('default-a', kept.id);
    if (inFilesAlone()) return;
    const left = await readdir(path.join(test.folder, 'tiny', 'default-a'));
    assert.deepEqual(left.sort(), [`${bare.id}.npy`, 'person.json'].sort());
  });

  it('gives its vector back', async (t) => {
    const test = await start(t);
    const hers = vector();
    const face = await test.gallery.enrol({ groupid: 'default', userid: 'a' }, hers);
    const [read] = await test.gallery.vectors('default-a');
    assert.equal(read.face.id, face.id);
    assert.deepEqual(read.vector, hers);
    await assert.rejects(test.gallery.vectors('default-b'), { code: 'PERSON_UNKNOWN' });
  });

  it('is refused, and not stored, when its vector is none', async (t) => {
    const test = await start(t);
    const wrongs = [
      vector().subarray(1),
      new Float32Array(TINY),
      new Float32Array(TINY).fill(NaN),
      vector().map((value, i) => (i === 0 ? Infinity : value)),
      vector().map((value) => value * 1.01),
      vector().map((value) => value * 1e-4),
    ];
    for (const wrong of wrongs)
      await assert.rejects(test.gallery.enrol({ groupid: 'default', userid: 'a' }, wrong), RangeError);
    await nowAndAfterRestart(test, (gallery) => assert.equal(gallery.info().faces, 0));
  });
});

describe('a group', () => {
  it('takes another name', async (t) => {
    const test = await start(t);
    await test.gallery.updateGroup('default', ' Everyone ');
    await nowAndAfterRestart(test, (gallery) =>
      assert.deepEqual(gallery.groups(), [{ groupid: 'default', groupname: 'Everyone' }]),
    );
    await assert.rejects(test.gallery.updateGroup('none', 'x'), { code: 'GROUP_UNKNOWN' });
  });

  it('goes when it is empty, or with its people when that is asked for', async (t) => {
    const test = await start(t);
    const hers = vector();
    await test.gallery.createGroup({ groupid: 'staff', groupname: '' });
    await test.gallery.enrol({ groupid: 'staff', userid: 'a' }, hers);
    await test.gallery.enrol({ groupid: 'default', userid: 'b' }, vector());
    await assert.rejects(test.gallery.removeGroup('staff', { withPeople: false }), {
      code: 'GROUP_NOT_EMPTY',
      statusCode: 409,
    });
    await test.gallery.removeGroup('staff', { withPeople: true });
    await nowAndAfterRestart(test, async (gallery) => {
      assert.deepEqual(
        gallery.groups().map(({ groupid }) => groupid),
        ['default'],
      );
      assert.deepEqual(
        (await everybody(gallery)).map(({ faceid }) => faceid),
        ['default-b'],
      );
      assert.deepEqual(await nearestOf(gallery, hers), ['default-b']);
      await assert.rejects(gallery.removeGroup('staff', { withPeople: true }), { code: 'GROUP_UNKNOWN' });
    });
  });

  it('is real when only people name it', { skip: inFilesAlone() }, async (t) => {
    const test = await start(t);
    await test.gallery.createGroup({ groupid: 'staff', groupname: 'Staff' });
    await test.gallery.enrol({ groupid: 'staff', userid: 'a' }, vector());
    const groups = path.join(test.folder, 'groups');
    await writeFile(path.join(groups, 'staff.json'), 'torn');
    const again = await openTiny(test.folder);
    const byId = new Map(again.groups().map(({ groupid, groupname }) => [groupid, groupname]));
    assert.deepEqual(
      byId,
      new Map([
        ['default', 'Default'],
        ['staff', 'staff'],
      ]),
    );
  });
});

describe('a restricted search', () => {
  it('finds its people when all that are nearer are of other groups', async (t) => {
    const { gallery } = await start(t);
    await gallery.createGroup({ groupid: 'few', groupname: '' });
    const probe = vector();
    const near = () => {
      const noise = vector();
      const sum = probe.map((value, i) => value + noise[i] * 0.05);
      return sum.map((value) => value / Math.hypot(...sum));
    };
    for (let i = 0; i < 300; i++) await gallery.enrol({ groupid: 'default', userid: `u${i % 60}` }, near());
    const opposite = probe.map((value) => -value);
    await gallery.enrol({ groupid: 'few', userid: 'x' }, opposite);
    await gallery.enrol({ groupid: 'few', userid: 'y' }, vector());
    const few = await gallery.nearest(probe, 3, { groups: new Set(['few']) });
    assert.deepEqual(
      few.map(({ person }) => person.userid),
      ['y', 'x'],
    );
    const one = await gallery.nearest(probe, 1, { faceid: 'few-x' });
    assert.deepEqual(
      one.map(({ person }) => person.faceid),
      ['few-x'],
    );
    assert.deepEqual(await gallery.nearest(probe, 1, { groups: new Set() }), []);
    assert.deepEqual(await gallery.nearest(probe, 1, { groups: new Set(['default']), faceid: 'few-x' }), []);
    assert.deepEqual(await gallery.nearest(probe, 1, { faceid: 'few-z' }), []);
    const both = await gallery.nearest(probe, 62, { groups: new Set(['few', 'default']) });
    assert.equal(both.length, 62);
  });
});

describe('a subscriber', () => {
  it('is told of every change until it ends', async (t) => {
    const { gallery } = await start(t);
    const told: GalleryChange[] = [];
    const end = gallery.subscribe((change) => told.push(change));
    await gallery.createGroup({ groupid: 'g', groupname: '' });
    const face = await gallery.enrol({ groupid: 'g', userid: 'a' }, vector());
    await gallery.createPerson({ groupid: 'g', userid: 'b' });
    await gallery.updatePerson('g-b', { username: 'B' });
    await gallery.movePerson('g-b', { groupid: 'g', userid: 'c' });
    await gallery.mergePerson('g-a', 'g-c');
    const [{ id }] = (await gallery.person('g-c'))?.faces ?? [];
    await gallery.removeFace('g-c', id);
    await assert.rejects(gallery.removeFace('g-c', id));
    await gallery.updateGroup('g', 'G');
    await gallery.removeGroup('g', { withPeople: true });
    end();
    await gallery.createGroup({ groupid: 'h', groupname: '' });
    assert.deepEqual(
      told.map((change) => Object.fromEntries(Object.entries(change).filter(([name]) => name !== 'at'))),
      [
        { kind: 'group-created', groupid: 'g' },
        { kind: 'enrolled', groupid: 'g', faceid: 'g-a', face: face.id },
        { kind: 'created', groupid: 'g', faceid: 'g-b' },
        { kind: 'updated', groupid: 'g', faceid: 'g-b' },
        { kind: 'moved', groupid: 'g', faceid: 'g-c', from: 'g-b' },
        { kind: 'merged', groupid: 'g', faceid: 'g-c', from: 'g-a' },
        { kind: 'face-removed', groupid: 'g', faceid: 'g-c', face: id },
        { kind: 'group-updated', groupid: 'g' },
        { kind: 'removed', groupid: 'g', faceid: 'g-c' },
        { kind: 'group-removed', groupid: 'g' },
      ],
    );
  });
});
