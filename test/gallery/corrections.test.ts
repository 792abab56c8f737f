import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { GalleryEvent } from '../../src/events/event.js';
import type { LiveGallery } from '../../src/gallery/gallery.js';
import { inFilesAlone, openTiny, TINY } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';

/** A unit vector at this squared distance from {@link at}(0), in one of the seven directions around it. */
function at(distance: number, direction = 1): Float32Array {
  const vector = new Float32Array(TINY);
  const cosine = 1 - distance / 2;
  vector[0] = cosine;
  vector[direction] = Math.sqrt(Math.max(0, 1 - cosine ** 2));
  return vector;
}

const ADA = 'default-ada';
const BOB = 'default-bob';

/** Ada is at 0, Bob at 1.2 in the direction 1. */
async function start(t: TestContext): Promise<{ folder: string; gallery: LiveGallery }> {
  const folder = await temporaryFolder(t);
  const gallery = await openTiny(folder);
  await gallery.enrol({ groupid: 'default', userid: 'ada', username: '雪' }, at(0));
  await gallery.enrol({ groupid: 'default', userid: 'bob' }, at(1.2));
  return { folder, gallery };
}

const names = async (gallery: LiveGallery, probe: Float32Array, k = 1) =>
  (await gallery.nearest(probe, k)).map(({ person }) => person.faceid);

describe('a correction', () => {
  it('rules out its person for faces that are nearer to it than to all of theirs, and nobody else', async (t) => {
    const { folder, gallery } = await start(t);
    const wrong = at(0.2);
    assert.deepEqual(await names(gallery, wrong, 2), [ADA, BOB]);
    const { correction, already } = await gallery.correct(ADA, wrong);
    assert.equal(already, false);
    for (const one of [gallery, await openTiny(folder)]) {
      assert.deepEqual(await names(one, wrong), [BOB], 'the next candidate');
      assert.deepEqual(await names(one, wrong, 5), [BOB]);
      assert.deepEqual(await names(one, at(0.15)), [BOB], 'a face beside it');
      assert.deepEqual(await names(one, at(0.01)), [ADA], 'Ada herself');
      assert.deepEqual(await names(one, at(0.2, 3)), [ADA], 'as far from her, but elsewhere');
      assert.deepEqual(await one.nearest(wrong, 1, { groups: new Set(['other']) }), []);
      assert.deepEqual(one.corrections(), [correction]);
      const [own] = await one.nearest(wrong, 1, { faceid: ADA });
      assert.deepEqual([own.person.faceid, own.correction], [ADA, correction.id], 'told of one person');
      assert.equal(one.ruledOut(ADA, wrong, 0.2)?.id, correction.id);
      assert.equal(one.ruledOut(BOB, wrong, 0.2), undefined);
    }
  });

  it('is said once, and taken back', async (t) => {
    const { folder, gallery } = await start(t);
    const wrong = at(0.2);
    const { correction } = await gallery.correct(ADA, wrong, Uint8Array.of(1, 2, 3));
    assert.deepEqual(await gallery.correct(ADA, wrong), { correction, already: true });
    assert.deepEqual(await gallery.correctionPicture(ADA, correction.id), Buffer.from([1, 2, 3]));
    await gallery.removeCorrection(ADA, correction.id);
    for (const one of [gallery, await openTiny(folder)]) {
      assert.deepEqual(await names(one, wrong), [ADA]);
      assert.deepEqual(one.corrections(), []);
    }
    await assert.rejects(gallery.removeCorrection(ADA, correction.id), { code: 'CORRECTION_UNKNOWN' });
    await assert.rejects(gallery.correct('default-nobody', wrong), { code: 'PERSON_UNKNOWN' });
    await assert.rejects(gallery.correct('../x', wrong), { code: 'PERSON_UNKNOWN' });
    if (inFilesAlone()) return;
    const left = await readdir(path.join(folder, 'tiny', ADA));
    assert.equal(left.length, 2, `a face and the person: ${left.join()}`);
  });

  it('of a picture that is enrolled for the person is refused, and says which picture', async (t) => {
    const { gallery } = await start(t);
    const [{ id }] = (await gallery.person(ADA))?.faces ?? [];
    await assert.rejects(gallery.correct(ADA, at(0)), {
      code: 'CORRECTION_REFUSED',
      details: { faceid: ADA, face: id },
    });
    // Who enrols it nevertheless, after it was said, means it.
    await gallery.correct(ADA, at(0.2));
    await gallery.enrol({ groupid: 'default', userid: 'ada' }, at(0.2));
    assert.deepEqual(await names(gallery, at(0.2)), [ADA]);
  });

  it('leaves the nearest of many, however many are ruled out', async (t) => {
    const { gallery } = await start(t);
    const probe = at(0.2);
    for (let i = 0; i < 10; i++) {
      await gallery.enrol({ groupid: 'default', userid: `p${i}` }, at(0.01 * i, 2));
      for (let j = 0; j < 10; j++) await gallery.correct(`default-p${i}`, at(0.2 + 0.001 * j));
    }
    await gallery.correct(ADA, probe);
    assert.deepEqual(await names(gallery, probe, 3), [BOB]);
    assert.equal(gallery.corrections({ faceid: 'default-p3' }).length, 10);
    assert.equal(gallery.corrections({ groups: new Set(['other']) }).length, 0);
  });

  it('goes with the person who is moved or merged, and is erased with one who is deleted', async (t) => {
    const { folder, gallery } = await start(t);
    const wrong = at(0.2);
    await gallery.correct(ADA, wrong, Uint8Array.of(7));
    await gallery.createGroup({ groupid: 'staff', groupname: '' });
    await gallery.movePerson(ADA, { groupid: 'staff', userid: 'ada' });
    for (const one of [gallery, await openTiny(folder)]) {
      assert.deepEqual(await names(one, wrong), [BOB]);
      const [moved] = one.corrections();
      assert.match(moved.id, /^staff-ada_/);
      assert.deepEqual(await one.correctionPicture('staff-ada', moved.id), Buffer.from([7]));
    }
    await gallery.enrol({ groupid: 'default', userid: 'eve' }, at(0.05));
    await gallery.mergePerson('staff-ada', 'default-eve');
    for (const one of [gallery, await openTiny(folder)]) {
      assert.deepEqual(await names(one, wrong), [BOB]);
      assert.deepEqual(
        one.corrections().map(({ faceid }) => faceid),
        ['default-eve'],
      );
    }
    await gallery.remove('default', 'eve');
    assert.deepEqual(gallery.corrections(), []);
    const files = inFilesAlone() ? [] : await readdir(folder, { recursive: true });
    assert.deepEqual(
      files.filter((file) => /eve|ada|\.not/.test(file)),
      [],
    );
    // Somebody else who comes under this ID begins anew.
    await gallery.enrol({ groupid: 'default', userid: 'eve' }, at(0));
    assert.deepEqual(await names(gallery, wrong), ['default-eve']);
  });

  it('is heeded by another worker when its event comes, twice or late', async (t) => {
    const { folder, gallery } = await start(t);
    const other = await openTiny(folder);
    const wrong = at(0.2);
    const events: GalleryEvent[] = [];
    gallery.subscribe((change) =>
      events.push({ ...change, uid: `${events.length}`, worker: 'there', pack: 'tiny' }),
    );
    const { correction } = await gallery.correct(ADA, wrong);
    assert.deepEqual([events[0].kind, events[0].face], ['corrected', correction.id]);
    assert.deepEqual(await names(other, wrong), [ADA]);
    await other.apply(events[0]);
    await other.apply(events[0]);
    assert.deepEqual(await names(other, wrong), [BOB]);
    // What the other has not heard of yet can be taken back there nevertheless.
    const later = await gallery.correct(ADA, at(0.3, 4));
    await other.removeCorrection(ADA, later.correction.id);
    await gallery.removeCorrection(ADA, correction.id);
    await other.reload();
    assert.deepEqual(await names(other, wrong), [ADA]);
  });

  it('of which a person may have 200 has a limit that says what to do', async (t) => {
    const { gallery } = await start(t);
    for (let i = 0; i < 200; i++) await gallery.correct(ADA, at(0.3 + i / 1000, 1 + (i % 7)));
    await assert.rejects(gallery.correct(ADA, at(0.29)), {
      code: 'CORRECTION_REFUSED',
      details: { faceid: ADA, limit: 200 },
    });
  });
});
