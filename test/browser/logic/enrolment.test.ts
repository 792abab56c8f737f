import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Identity } from '../../../src/browser/logic/faces.js';
import { idFromName, isId, newIds } from '../../../src/browser/logic/person-id.js';
import { poseOf } from '../../../src/browser/logic/poses.js';
import { createSitter } from '../../../src/browser/logic/sitter.js';
import { createTaking } from '../../../src/browser/logic/taking.js';

describe('the ID of a new person', () => {
  it('is made from the name', () => {
    assert.equal(idFromName('  Paul  Rudd '), 'paul_rudd');
    assert.equal(idFromName('José Núñez-Łuk'), 'jose_nunez_luk');
    assert.equal(idFromName('Ａｄａ'), 'ada');
    assert.ok(isId(idFromName('x'.repeat(200)) ?? ''));
  });
  it('is counted for a name with other letters, in whole or in part', () => {
    for (const name of ['山田 花子', '山田 Taro', 'Иван', '', '★'])
      assert.equal(idFromName(name), undefined, name);
    const ids = newIds('山田 花子', 41);
    assert.deepEqual([ids.next().value, ids.next().value], ['p0042', 'p0043']);
  });
  it('tells namesakes apart', () => {
    const ids = newIds('Paul Rudd', 7);
    assert.deepEqual([ids.next().value, ids.next().value], ['paul_rudd', 'paul_rudd_2']);
  });
});

describe('poses', () => {
  it('are measured from the straight picture', () => {
    assert.equal(poseOf({ yaw: 4, pitch: -6 }, undefined), 'straight');
    assert.equal(poseOf({ yaw: 20, pitch: 0 }, undefined), undefined);
    const from = { yaw: 5, pitch: 8 };
    assert.equal(poseOf({ yaw: 20, pitch: 8 }, from), 'left');
    assert.equal(poseOf({ yaw: -12, pitch: 8 }, from), 'right');
    assert.equal(poseOf({ yaw: 5, pitch: -4 }, from), 'up');
    assert.equal(poseOf({ yaw: 5, pitch: 20 }, from), undefined, 'down is not asked for');
  });
  it('are gentle', () => {
    const from = { yaw: 0, pitch: 0 };
    assert.equal(poseOf({ yaw: 50, pitch: 0 }, from), undefined);
    assert.equal(poseOf({ yaw: 0, pitch: -42 }, from), undefined);
  });
});

describe('taking pictures', () => {
  const options = { hold: 300, pause: 500, pauseStraight: 500, stall: 2000 };
  it('takes one for each pose, held still, in whatever order the head turns', () => {
    const taking = createTaking(options);
    const turns = [
      { yaw: 0, pitch: 0 },
      { yaw: -25, pitch: 0 },
      { yaw: 0, pitch: -15 },
      { yaw: 25, pitch: 0 },
    ];
    const taken: unknown[] = [];
    turns.forEach((angles, i) => {
      for (let at = 0; at < 1500; at += 100) {
        const { take } = taking.see(true, angles, i * 1500 + at);
        if (take) taken.push(take.pose);
      }
    });
    assert.deepEqual(taken, ['straight', 'right', 'up', 'left']);
    assert.ok(taking.done);
  });
  it('takes none of a face that is not good, or not held', () => {
    const taking = createTaking(options);
    for (let now = 0; now < 5000; now += 100)
      assert.equal(taking.see(now % 300 !== 0, { yaw: 0, pitch: 0 }, now).take, undefined);
  });
  it('offers to go on without turning, and ends with three pictures then', () => {
    const taking = createTaking(options);
    let stalled = false;
    for (let now = 0; now < 4000; now += 100) stalled = taking.see(true, { yaw: 0, pitch: 0 }, now).stalled;
    assert.ok(stalled);
    assert.equal(taking.taken.size, 1);
    taking.withoutTurning();
    for (let now = 4000; now < 8000; now += 100) taking.see(true, { yaw: 0, pitch: 0 }, now);
    assert.ok(taking.done);
    assert.equal(taking.filled.size, 4);
  });
  it('asks for no turning where the server measures none', () => {
    const taking = createTaking(options);
    for (let now = 0; now < 4000; now += 100) taking.see(true, undefined, now);
    assert.ok(taking.done);
  });
  it('asks again for a pose whose picture was taken away', () => {
    const taking = createTaking(options);
    for (let now = 0; now < 1000; now += 100) taking.see(true, { yaw: 0, pitch: 0 }, now);
    taking.lost('straight');
    assert.equal(taking.wanted, 'straight');
  });
});

describe('whose the pictures are', () => {
  const seen = (track: number, faceid = '') => ({ track, identity: { faceid } as Identity });
  it('is the track’s that they were taken of', () => {
    const sitter = createSitter();
    assert.equal(sitter.see(seen(1), 0), 'free');
    sitter.adopt(seen(1), 0);
    assert.equal(sitter.see(seen(1), 100), 'same');
    assert.equal(sitter.see(undefined, 200), 'waiting');
    assert.equal(sitter.see(seen(2), 300), 'waiting', 'somebody may just walk by');
    assert.equal(sitter.see(seen(1), 400), 'same');
    assert.equal(sitter.see(seen(2), 500), 'waiting');
    assert.equal(sitter.see(seen(2), 900), 'unsure');
  });
  it('is known where both faces have a name', () => {
    const sitter = createSitter();
    sitter.adopt(seen(1, 'default-ken'), 0);
    sitter.see(seen(2, 'default-ken'), 100);
    assert.equal(sitter.see(seen(2, 'default-ken'), 500), 'same');
    assert.equal(sitter.track, 2);
    sitter.see(seen(3, 'default-mari'), 600);
    assert.equal(sitter.see(seen(3, 'default-mari'), 1000), 'other');
  });
  it('is open again after the connection broke: tracks are numbered anew', () => {
    const sitter = createSitter();
    sitter.adopt(seen(1), 0);
    sitter.forgetTracks();
    sitter.see(seen(1), 100);
    assert.equal(sitter.see(seen(1), 500), 'unsure');
  });
});
