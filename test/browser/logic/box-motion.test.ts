import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { SeenFace } from '../../../src/browser/logic/faces.js';
import { createBoxMotion } from '../../../src/browser/logic/box-motion.js';
import { createIouTracker } from '../../../src/browser/logic/iou-tracker.js';

const IDENTITY = {
  faceid: '',
  userid: null,
  username: null,
  groupid: null,
  groupname: null,
  distance: null,
  odds: null,
  oddsAtMost: false,
};

const seen = (track: number, x: number, landmarks?: number[]): SeenFace => ({
  track,
  box: { x, y: 0.2, width: 0.2, height: 0.3 },
  identity: IDENTITY,
  ...(landmarks && { landmarks }),
});

describe('the boxes between two answers', () => {
  it('move on at every drawing, towards the answer and never beyond it', () => {
    const motion = createBoxMotion();
    motion.answer([seen(1, 0.1)], 0);
    motion.shown(0);
    motion.shown(400);
    motion.answer([seen(1, 0.5)], 400);
    const ways: number[] = [];
    for (let now = 416; now <= 1000; now += 16) ways.push(motion.shown(now)[0].box.x);
    for (let i = 1; i < ways.length; i++) {
      assert.ok(ways[i] > ways[i - 1] && ways[i] <= 0.5, `drawing ${i}: ${ways[i]} after ${ways[i - 1]}`);
    }
    assert.ok(ways[0] < 0.2, 'the first step does not jump');
    assert.ok(ways[ways.length - 1] > 0.48, 'and it arrives');
  });

  it('go as far in one long step as in many short ones', () => {
    const [long, short] = [createBoxMotion(), createBoxMotion()];
    for (const motion of [long, short]) {
      motion.answer([seen(1, 0)], 0);
      motion.shown(0);
      motion.answer([seen(1, 1)], 100);
    }
    for (let now = 10; now < 200; now += 10) short.shown(now);
    assert.ok(Math.abs(long.shown(200)[0].box.x - short.shown(200)[0].box.x) < 1e-9);
  });

  it('say when nothing moves any more, and when something does again', () => {
    const motion = createBoxMotion();
    motion.shown(0);
    assert.equal(motion.moved, false, 'nobody is there');
    motion.answer([seen(1, 0.1)], 0);
    let now = 0;
    const settle = () => {
      do motion.shown((now += 16));
      while (motion.moved && now < 60_000);
      return motion.shown(now)[0]?.box.x;
    };
    assert.equal(settle(), 0.1);
    motion.answer([seen(1, 0.3)], now);
    motion.shown((now += 16));
    assert.equal(motion.moved, true, 'it goes elsewhere');
    assert.equal(settle(), 0.3, 'and arrives exactly');
    motion.answer([], now);
    motion.shown((now += 16));
    assert.equal(motion.moved, true, 'it fades');
    assert.equal(settle(), undefined);
    assert.ok(now < 10_000);
  });

  it('take their landmarks along', () => {
    const motion = createBoxMotion();
    motion.answer([seen(1, 0, [0, 0])], 0);
    motion.shown(0);
    motion.answer([seen(1, 0, [1, 0.5])], 100);
    const { landmarks = [] } = motion.shown(140)[0];
    assert.ok(landmarks[0] > 0 && landmarks[0] < 1);
    assert.ok(Math.abs(landmarks[1] - landmarks[0] / 2) < 1e-9);
  });

  it('fade when the face is gone, and stay when it comes back at once', () => {
    const motion = createBoxMotion();
    motion.answer([seen(1, 0.1)], 0);
    motion.shown(0);
    motion.shown(500);
    motion.answer([], 500);
    const fading = motion.shown(560)[0].opacity;
    assert.ok(fading > 0 && fading < 1);
    motion.answer([seen(1, 0.1)], 570);
    motion.shown(1000);
    assert.equal(motion.shown(1000)[0].opacity, 1);
    motion.answer([], 1000);
    assert.equal(motion.shown(2000).length, 0);
  });

  it('jump, and neither come nor go slowly, with reduced motion', () => {
    const motion = createBoxMotion({ still: true });
    motion.answer([seen(1, 0.1)], 0);
    assert.equal(motion.shown(1)[0].opacity, 1);
    motion.answer([seen(1, 0.6)], 100);
    assert.equal(motion.shown(101)[0].box.x, 0.6);
    motion.answer([], 200);
    assert.deepEqual(motion.shown(201), []);
  });
});

describe('track numbers for answers without tracks', () => {
  const box = (x: number) => ({ x, y: 0, width: 0.2, height: 0.2 });

  it('follow the face that moves a little, in whatever order the faces come', () => {
    const trackBoxes = createIouTracker();
    const [left, right] = trackBoxes([box(0.1), box(0.6)]);
    assert.notEqual(left, right);
    assert.deepEqual(trackBoxes([box(0.63), box(0.08)]), [right, left]);
  });

  it('are new for a face elsewhere, and never given twice in one answer', () => {
    const trackBoxes = createIouTracker();
    const [first] = trackBoxes([box(0.1)]);
    assert.ok(!trackBoxes([box(0.7)]).includes(first));
    const both = trackBoxes([box(0.7), box(0.72)]);
    assert.equal(new Set(both).size, 2);
  });
});
