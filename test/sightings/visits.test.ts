import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ObservedFace } from '../../src/identity/types.js';
import { LONGEST_VISIT } from '../../src/sightings/limits.js';
import type { VisitPart } from '../../src/sightings/types.js';
import { createVisits } from '../../src/sightings/visits.js';
import { winnerOf } from '../../src/sightings/vote.js';
import { unitVector } from '../support/app.js';

const SETTINGS = { gap: 10_000, pair: 0.5, worker: 'w' };
const DAY = Date.parse('2026-11-27T08:00:00Z');

const match = (faceid: string, distance = 0.1): ObservedFace['match'] => {
  const [groupid, userid] = faceid.split('-');
  const person = { faceid, groupid, userid, username: userid, metadata: {}, faces: [] };
  const face = { id: 'f', faceid, enrolledAt: '', automatic: false, hasPicture: false };
  return { person, face, distance, odds: undefined };
};
/** A fit face. @param far its distance to the first vector of all */
const seen = (far: number, more: Partial<ObservedFace> = {}): ObservedFace => ({
  match: undefined,
  embedding: unitVector(far),
  area: 10_000,
  ...more,
});

/** Visits at a camera, and a clock. */
function camera(settings: Partial<typeof SETTINGS> = {}) {
  const visits = createVisits({ ...SETTINGS, ...settings });
  let now = 0;
  const source = {};
  const moment = () => ({ now, date: DAY + now });
  return {
    visits,
    /** A frame after so many milliseconds. */
    frame: (after: number, faces: ObservedFace[], { deviceid = 'door', tracks = true } = {}) => {
      now += after;
      visits.add({ deviceid, source: tracks ? source : undefined }, faces, moment());
    },
    due: (after = 0) => {
      now += after;
      return visits.due(moment());
    },
    end: () => visits.end(moment()),
  };
}

const namesOf = (parts: readonly Pick<VisitPart, 'votes' | 'nobody'>[]) =>
  parts.map(({ votes, nobody }) => winnerOf(votes, nobody)?.faceid ?? null).sort();

describe('visits', () => {
  it('are one from the first frame to the last, and over after the gap', () => {
    const { frame, due } = camera();
    for (let i = 0; i < 20; i++) frame(500, [seen(0, { track: 1, match: match('g-ann') })]);
    const [begun] = due();
    assert.deepEqual([begun.isEnded, begun.frames, begun.deviceid], [false, 20, 'door']);
    assert.deepEqual([begun.first, begun.last], [DAY + 500, DAY + 10_000]);
    assert.deepEqual(due(9_999), []);
    const [ended] = due(1);
    assert.deepEqual([ended.uid, ended.isEnded, ended.frames], [begun.uid, true, 20]);
    frame(0, [seen(0, { track: 1, match: match('g-ann') })]);
    assert.notEqual(due()[0].uid, begun.uid, 'whoever comes back later makes another visit');
  });

  it('are not split by a dropped frame, a lost track or a connection that is made anew', () => {
    const { frame, end } = camera();
    frame(0, [seen(0, { track: 1, match: match('g-ann') })]);
    frame(500, []);
    frame(500, [seen(0.1, { track: 2, match: match('g-ann') })]);
    frame(9_000, [seen(0.1, { match: match('g-ann') })], { tracks: false });
    // Turned away for a while: nobody can tell who it is, but it is like the face before.
    frame(500, [seen(0.2, { track: 3 })]);
    const parts = end();
    assert.deepEqual([parts.length, parts[0].frames], [1, 4]);
  });

  it('of a stranger who is like somebody, and of somebody who is like a stranger, are two after a moment', () => {
    for (const names of [
      ['g-ann', undefined],
      [undefined, 'g-ann'],
    ]) {
      const { frame, end } = camera();
      const [first, next] = names.map((name, i) => seen(i * 0.2, { match: name ? match(name) : undefined }));
      frame(0, [first], { tracks: false });
      frame(2_100, [next], { tracks: false });
      assert.deepEqual(namesOf(end()), ['g-ann', null]);
    }
  });

  it('of strangers are told apart by their faces, also in one frame', () => {
    const { frame, end } = camera();
    frame(0, [seen(0), seen(1.5)], { tracks: false });
    frame(500, [seen(1.6), seen(0.1)], { tracks: false });
    frame(500, [seen(0.05), seen(0.1)], { tracks: false });
    assert.deepEqual(
      end().map(({ frames }) => frames),
      [3, 2, 1],
      'two who look alike and stand together are two',
    );
  });

  it('go to another person where another face takes the place, which has a new track', () => {
    const { frame, end } = camera();
    frame(0, [seen(0, { track: 1, match: match('g-ann') })]);
    frame(300, [seen(2, { track: 2, match: match('g-bob') })]);
    assert.deepEqual(namesOf(end()), ['g-ann', 'g-bob']);
  });

  it('at two cameras are two', () => {
    const { frame, end } = camera();
    for (const deviceid of ['door', 'hall'])
      frame(100, [seen(0, { match: match('g-ann') })], { deviceid, tracks: false });
    assert.deepEqual(
      end()
        .map(({ deviceid }) => deviceid)
        .sort(),
      ['door', 'hall'],
    );
  });

  it('name whoever has most of the frames by their area, and nobody in a tie', () => {
    const vote = (areas: [string | undefined, number][]) => {
      const { frame, end } = camera();
      for (const [faceid, area] of areas)
        frame(100, [seen(0, { track: 1, area, match: faceid ? match(faceid) : undefined })]);
      return namesOf(end())[0];
    };
    assert.equal(
      vote([
        ['g-ann', 100],
        ['g-ann', 100],
        ['g-bob', 900],
      ]),
      'g-bob',
      'one near face, two far ones',
    );
    assert.equal(
      vote([
        ['g-ann', 400],
        ['g-bob', 400],
      ]),
      null,
    );
    assert.equal(
      vote([
        ['g-ann', 400],
        ['g-bob', 400],
        ['g-ann', 1],
      ]),
      'g-ann',
    );
    assert.equal(
      vote([['g-ann', 100], ...Array.from({ length: 3 }, () => [undefined, 100] as [undefined, number])]),
      'g-ann',
    );
    assert.equal(
      vote([['g-ann', 100], ...Array.from({ length: 9 }, () => [undefined, 100] as [undefined, number])]),
      null,
      'one frame of ten names no stranger',
    );
  });

  it('of a face that was never fit are none', () => {
    const { frame, due, end } = camera();
    frame(0, [seen(0, { track: 1, unfit: 'turned', match: undefined })]);
    frame(100, [{ match: undefined, track: 1, area: 100 }]);
    assert.deepEqual([due(), end()], [[], []]);
  });

  it('take the nearer of two faces with one name for the person, and not the other', () => {
    const { frame, end } = camera();
    frame(0, [
      seen(0.3, { track: 1, match: match('g-ann', 0.3) }),
      seen(0, { track: 2, match: match('g-ann', 0.1) }),
    ]);
    frame(100, [seen(0, { track: 2, match: match('g-ann', 0.1) })]);
    const parts = end();
    assert.deepEqual([parts.length, parts[0].votes[0].weight], [1, 20_000]);
  });

  it('are written when they begin, when the name changes, every half a minute, and with the best face once', () => {
    const { frame, due } = camera();
    const still = (more: Partial<ObservedFace> = {}) => frame(1000, [seen(0, { track: 1, ...more })]);
    still();
    assert.ok(due()[0].best);
    still();
    assert.deepEqual(due(), []);
    still({ match: match('g-ann') });
    const [named] = due();
    assert.deepEqual([namesOf([named]), named.best], [['g-ann'], undefined]);
    for (let i = 0; i < 29; i++) still({ match: match('g-ann') });
    assert.deepEqual(due(), []);
    still({
      match: match('g-ann'),
      quality: { size: 200, sharpness: 80, brightness: 100 },
      aligned: Uint8Array.of(1),
    });
    const [later] = due();
    assert.deepEqual([later.frames, later.best?.aligned, later.best?.size], [33, Uint8Array.of(1), 200]);
    still({ quality: { size: 100, sharpness: 80, brightness: 100 }, aligned: Uint8Array.of(2) });
    const [end] = due(20_000);
    assert.deepEqual([end.isEnded, end.best], [true, undefined], 'a worse face is not written');
  });

  it('keep their times whatever the clock of the wall is set to', () => {
    const visits = createVisits(SETTINGS);
    const add = (now: number, date: number) =>
      visits.add({ deviceid: 'door', source: undefined }, [seen(0)], { now, date });
    add(0, DAY);
    add(2000, DAY - 86_400_000);
    const [{ first, last, frames }] = visits.end({ now: 2000, date: DAY - 86_400_000 });
    assert.deepEqual([first, last, frames], [DAY, DAY + 2000, 2]);
  });

  it('of a photograph on the wall are cut, and of a crowd no more than fit', () => {
    const { frame, due } = camera();
    frame(0, [seen(0, { track: 1 })]);
    for (let at = 0; at < LONGEST_VISIT; at += 9000) frame(9000, [seen(0, { track: 1 })]);
    assert.equal(due().filter(({ isEnded }) => isEnded).length, 1);

    const crowd = camera({ pair: 0 });
    crowd.frame(
      0,
      Array.from({ length: 2100 }, () => seen(0)),
      { tracks: false },
    );
    assert.deepEqual(crowd.visits.info(), { seen: 2000, open: 2000, dropped: 100 });
    assert.equal(crowd.end().length, 2000);
  });

  it('forget a person who is deleted, and follow one who is moved', () => {
    const { visits, frame, end } = camera();
    frame(0, [seen(0, { track: 1, match: match('g-ann') }), seen(2, { track: 2, match: match('g-bob') })]);
    visits.forget('g-ann');
    visits.rename('g-bob', 'h-bob');
    frame(100, [seen(0, { track: 1 }), seen(2, { track: 2, match: match('h-bob') })]);
    const parts = end();
    assert.deepEqual(namesOf(parts), ['h-bob', null].sort());
    assert.ok(!JSON.stringify(parts).includes('g-'));
  });
});
