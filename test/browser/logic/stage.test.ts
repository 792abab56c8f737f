import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createArrivals } from '../../../src/browser/logic/arrivals.js';
import { createBoxMotion } from '../../../src/browser/logic/box-motion.js';
import type { SeenFace } from '../../../src/browser/logic/faces.js';
import { createRoster } from '../../../src/browser/logic/roster.js';
import { stageState } from '../../../src/browser/logic/stage-state.js';

const seen = (track: number, faceid = '', box = { x: 0.2, y: 0.2, width: 0.2, height: 0.3 }): SeenFace => ({
  track,
  box,
  identity: {
    faceid,
    userid: faceid || null,
    username: null,
    groupid: null,
    groupname: null,
    distance: null,
    odds: null,
    oddsAtMost: false,
  },
});

describe('what the stage says of itself', () => {
  const live = { camera: 'live', server: 'open', frozen: false, found: undefined } as const;

  it('is "nobody" only after an answer that found none', () => {
    assert.equal(stageState(live), 'looking');
    assert.equal(stageState({ ...live, found: 0 }), 'nobody');
    assert.equal(stageState({ ...live, found: 28 }), 'faces');
    assert.equal(stageState({ ...live, server: 'connecting' }), 'starting');
  });

  it('tells a blocked camera, a pause and an outage apart', () => {
    assert.equal(stageState({ ...live, camera: 'none', found: 0 }), 'no-camera');
    assert.equal(stageState({ ...live, camera: 'none', server: 'gone' }), 'no-camera');
    assert.equal(stageState({ ...live, server: 'gone', found: 0 }), 'server-away');
    assert.equal(stageState({ ...live, server: 'busy', found: 3 }), 'server-busy');
    assert.equal(stageState({ ...live, frozen: true, found: 3 }), 'paused');
    assert.equal(stageState({ ...live, frozen: true, server: 'gone' }), 'paused');
  });
});

describe('the rows of the list', () => {
  const order = (roster: ReturnType<typeof createRoster>) => roster.rows.map(({ face }) => face.track);

  it('stay where they are, in whatever order the faces are answered', () => {
    const roster = createRoster();
    roster.update([seen(1), seen(2), seen(3)], 0);
    roster.update([seen(3), seen(4), seen(1), seen(2)], 100);
    assert.deepEqual(order(roster), [1, 2, 3, 4]);
  });

  it('keep the row of a face that left for a moment, then let it go', () => {
    const roster = createRoster(3000);
    roster.update([seen(1), seen(2)], 0);
    roster.update([seen(2)], 1000);
    assert.deepEqual(order(roster), [1, 2]);
    assert.deepEqual(
      roster.rows.map(({ left }) => left),
      [true, false],
    );
    assert.equal(roster.waits, true);
    roster.update([seen(2)], 3100);
    assert.deepEqual(order(roster), [2]);
    roster.update([], 4000);
    roster.drop(7000);
    assert.deepEqual(order(roster), []);
  });

  it('give somebody known who comes back his row again, and a second one like him a row of his own', () => {
    const roster = createRoster();
    roster.update([seen(1, 'ken'), seen(2)], 0);
    roster.update([seen(2)], 100);
    roster.update([seen(2), seen(7, 'ken')], 200);
    assert.deepEqual(order(roster), [7, 2]);
    roster.update([seen(2), seen(7, 'ken'), seen(8, 'ken')], 300);
    assert.deepEqual(order(roster), [7, 2, 8]);
  });
});

describe('an unknown face that is numbered anew where it stands', () => {
  it('keeps its row; one elsewhere gets its own', () => {
    const roster = createRoster();
    roster.update([seen(1), seen(2, 'ken')], 0);
    roster.update([seen(5), seen(2, 'ken')], 100);
    assert.deepEqual(
      roster.rows.map(({ face }) => face.track),
      [5, 2],
    );
    roster.update([seen(6, '', { x: 0.7, y: 0.2, width: 0.2, height: 0.3 }), seen(2, 'ken')], 200);
    assert.deepEqual(
      roster.rows.map(({ face }) => face.track),
      [5, 2, 6],
    );
  });
});

describe('arrivals', () => {
  it('are told once for each person, and again after a long absence', () => {
    const arrivals = createArrivals(30_000);
    assert.deepEqual(arrivals.arrived([seen(1, 'ken'), seen(2)], 0), ['ken']);
    assert.deepEqual(arrivals.arrived([seen(1, 'ken')], 1000), []);
    assert.deepEqual(arrivals.arrived([], 2000), []);
    assert.deepEqual(arrivals.arrived([seen(9, 'ken'), seen(3, 'hana')], 20_000), ['hana']);
    assert.deepEqual(arrivals.arrived([seen(9, 'ken')], 51_000), ['ken']);
  });
});

describe('the boxes of a face that grows beyond the frame', () => {
  it('stay inside the frame for 300 frames, whatever is answered', () => {
    const motion = createBoxMotion();
    for (let frame = 0; frame < 300; frame++) {
      const side = 0.1 * 1.6 ** frame;
      const box = { x: 0.5 - side / 2, y: 0.5 - side / 2, width: side, height: side };
      motion.answer([seen(1, '', box)], frame * 33);
      for (const now of [frame * 33, frame * 33 + 16]) {
        const [{ box: drawn }] = motion.shown(now);
        assert.ok(drawn.x >= 0 && drawn.y >= 0, `frame ${frame}`);
        assert.ok(drawn.x + drawn.width <= 1.0001 && drawn.y + drawn.height <= 1.0001, `frame ${frame}`);
      }
    }
    assert.equal(motion.shown(10_000).length, 1);
  });

  it('are drawn at once where they were found when the picture stands still', () => {
    const motion = createBoxMotion();
    motion.answer([seen(1), seen(2)], 0);
    motion.jump([seen(2, '', { x: 0.6, y: 0.1, width: 0.2, height: 0.2 })]);
    const shown = motion.shown(1);
    assert.equal(shown.length, 1);
    assert.equal(shown[0].box.x, 0.6);
    assert.equal(shown[0].opacity, 1);
  });
});
