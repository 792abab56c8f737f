import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { passOver } from '../../src/checkup/pass.js';
import { FARTHEST, STEPS } from '../../src/checkup/types.js';
import { outcomeAt } from '../../src/browser/logic/outcome.js';
import type { LiveGallery } from '../../src/gallery/gallery.js';
import { openTiny, TINY } from '../support/galleries.js';
import { temporaryFolder } from '../support/temporary.js';

const THRESHOLD = 0.4;
const APART = 0.6;

/** A unit vector at this squared distance from the axis `axis`, leaning towards `lean`. */
function at(axis: number, distance = 0, lean = (axis + 1) % TINY): Float32Array {
  const vector = new Float32Array(TINY);
  const cosine = 1 - distance / 2;
  vector[axis] = cosine;
  vector[lean] = Math.sqrt(Math.max(0, 1 - cosine ** 2));
  return vector;
}

async function open(t: TestContext): Promise<LiveGallery> {
  const gallery = await openTiny(await temporaryFolder(t));
  t.after(() => gallery.close());
  return gallery;
}

const look = (gallery: LiveGallery, signal = new AbortController().signal) =>
  passOver({
    gallery,
    inTurn: (work) => work(),
    ...{ threshold: THRESHOLD, apart: APART, length: TINY, signal },
    onPerson: () => undefined,
    rest: () => Promise.resolve(),
  });

const enrol = async (gallery: LiveGallery, userid: string, ...vectors: Float32Array[]) => {
  const ids: string[] = [];
  for (const vector of vectors) ids.push((await gallery.enrol({ groupid: 'default', userid }, vector)).id);
  return ids;
};

describe('a pass over everybody', () => {
  it('finds the picture that is somebody else, and who that is', async (t) => {
    const gallery = await open(t);
    const [good, , bad] = await enrol(gallery, 'ada', at(0), at(0, 0.05), at(3, 0.02));
    const [bobs] = await enrol(gallery, 'bob', at(3));
    const { disagreeing, totals, weak } = await look(gallery);
    assert.equal(totals.disagreeing, 1);
    const [{ faceid, undecided, pictures }] = disagreeing;
    assert.deepEqual([faceid, undecided, pictures.length], ['default-ada', false, 1]);
    assert.equal(pictures[0].face, bad);
    assert.ok(pictures[0].distance > 1.5 && pictures[0].nearest !== bad, good);
    assert.deepEqual(
      [pictures[0].other?.faceid, pictures[0].other?.face],
      ['default-bob', bobs],
      'and what to do with it',
    );
    assert.deepEqual(weak, [], 'a picture is told of once');
  });

  it('does not choose between two pictures that disagree', async (t) => {
    const gallery = await open(t);
    const ids = await enrol(gallery, 'ada', at(0), at(3));
    const [{ undecided, pictures }] = (await look(gallery)).disagreeing;
    assert.equal(undecided, true);
    assert.deepEqual(new Set(pictures.map(({ face }) => face)), new Set(ids));
  });

  it('finds two people who are one, at their nearest pictures, nearest pair first, until it is said that they are two', async (t) => {
    const gallery = await open(t);
    const [, mine] = await enrol(gallery, 'ada', at(0), at(0, 0.1));
    const [theirs] = await enrol(gallery, 'zoe', at(0, 0.12));
    await enrol(gallery, 'kim', at(4));
    await enrol(gallery, 'lee', at(4, 0.3));
    const { pairs } = await look(gallery);
    assert.deepEqual(
      pairs.map(({ faceids }) => faceids),
      [
        ['default-ada', 'default-zoe'],
        ['default-kim', 'default-lee'],
      ],
    );
    assert.deepEqual(pairs[0].faces, [mine, theirs]);
    const vectorOf = async (faceid: string, id: string) =>
      (await gallery.vectors(faceid)).find(({ face }) => face.id === id)?.vector ?? assert.fail();
    await gallery.correct('default-zoe', await vectorOf('default-ada', mine));
    await gallery.correct('default-ada', await vectorOf('default-zoe', theirs));
    const again = (await look(gallery)).pairs.find(
      ({ faces }) => faces.includes(theirs) && faces.includes(mine),
    );
    assert.equal(again, undefined);
  });

  it('finds weak pictures: nearer to another, or far from the person’s own', async (t) => {
    const gallery = await open(t);
    const [, far] = await enrol(gallery, 'ada', at(0), at(0, 0.5, 7));
    const [, near] = await enrol(gallery, 'bob', at(3), at(3, 0.45, 4));
    await enrol(gallery, 'eve', at(3, 0.5, 4));
    const { weak } = await look(gallery);
    const reasons = new Map(weak.map(({ face, reason }) => [face, reason]));
    assert.equal(reasons.get(far), 'far-from-own');
    assert.equal(reasons.get(near), 'nearer-to-another');
    assert.equal(weak.find(({ face }) => face === near)?.other?.faceid, 'default-eve');
  });

  it('counts what a threshold would do to each picture, left out in turn', async (t) => {
    const gallery = await open(t);
    // Right from 0.1 on; wrong at first, then as well; and somebody with one picture.
    await enrol(gallery, 'ada', at(0), at(0, 0.1));
    await enrol(gallery, 'bob', at(3), at(3, 0.3, 4));
    await enrol(gallery, 'eve', at(3, 0.35, 4));
    const { tally, pictures, people } = await look(gallery);
    assert.deepEqual([pictures, people], [5, 3]);
    assert.deepEqual(
      [0.05, 0.2, 0.5].map((threshold) => {
        const { own, wrong, missed } = outcomeAt(tally, threshold);
        return { own, wrong, missed };
      }),
      [
        { own: 4, wrong: 1, missed: 3 },
        { own: 4, wrong: 1, missed: 1 },
        { own: 4, wrong: 1, missed: 0 },
      ],
    );
    assert.equal(outcomeAt(tally, 0.05).named, 2, 'Eve and the picture of Bob that is like her');
    assert.equal(outcomeAt(tally, FARTHEST).strangers, 5);
    assert.equal(tally.same.length, STEPS);
  });

  it('ends when it is cancelled, and passes over whoever is deleted meanwhile', async (t) => {
    const gallery = await open(t);
    for (let i = 0; i < 5; i++) await enrol(gallery, `p${i}`, at(i));
    const stop = new AbortController();
    const stopped = passOver({
      gallery,
      inTurn: (work) => work(),
      ...{ threshold: THRESHOLD, apart: APART, length: TINY, signal: stop.signal },
      onPerson: (done) => done === 2 && stop.abort(),
      rest: () => Promise.resolve(),
    });
    await assert.rejects(stopped, { code: 'CLIENT_GONE' });
    let removed: Promise<unknown> | undefined;
    const { people } = await passOver({
      gallery,
      inTurn: (work) => work(),
      ...{ threshold: THRESHOLD, apart: APART, length: TINY, signal: new AbortController().signal },
      onPerson: () => void (removed ??= gallery.remove('default', 'p3')),
      async rest() {
        await removed;
      },
    });
    assert.ok(people >= 4);
  });
});
