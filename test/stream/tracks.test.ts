import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { squaredDistance } from '../../src/gallery/distance.js';
import type { Match, Person } from '../../src/gallery/types.js';
import type { Plan } from '../../src/stream/track.js';
import { FaceTracker, RENEW } from '../../src/stream/tracks.js';
import { SCENE } from '../../src/vision/track.js';
import type { AnalysedFace, EmptyScene } from '../../src/vision/types.js';
import { asTracked, unitVector } from '../support/app.js';

const IDENTICAL = 0.5;
/** Milliseconds between the frames of these tests. */
const FRAME = 30;

/** Far from everybody. */
const STRANGER = Float32Array.of(0, 0, 1, 0);

function faceAt(x: number, is: number | Float32Array): AnalysedFace {
  const box = { x1: x, y1: 10, x2: x + 100, y2: 110 };
  return {
    box,
    probability: 0.99,
    landmarks: undefined,
    embedding: typeof is === 'number' ? unitVector(is) : is,
  };
}

function match(userid: string, distance: number): Match {
  const person: Person = {
    ...{ faceid: `g-${userid}`, groupid: 'g', userid, username: userid, metadata: {}, faces: [] },
  };
  const enrolled = {
    id: userid,
    faceid: person.faceid,
    enrolledAt: '2026-01-01T00:00:00Z',
    automatic: false,
  };
  const face = { ...enrolled, hasPicture: false };
  return { person, face: face, distance };
}

/** Ken is enrolled at distance 0, Mia at 2: nearest answers as a gallery of the two does. */
function nearest({ embedding }: AnalysedFace): Match | undefined {
  if (!embedding) return undefined;
  const distance = (to: Float32Array) => embedding.reduce((sum, v, i) => sum + (v - to[i]) ** 2, 0);
  const [ken, mia] = [distance(unitVector(0)), distance(unitVector(2))];
  return ken <= mia ? match('ken', ken) : match('mia', mia);
}

/** Plays frames to the tracks as a connection would. */
/** @param corrections what was said of Ken */
function player(corrections: Float32Array[] = []) {
  const tracks = new FaceTracker(IDENTICAL, (faceid, embedding, distance) =>
    faceid === 'g-ken' ? corrections.find((one) => squaredDistance(one, embedding) < distance) : undefined,
  );
  let now = 1000;
  let identical = IDENTICAL;
  let scene: Uint8Array = new Uint8Array(SCENE.columns * SCENE.rows);
  return {
    tracks,
    set scene(next: Uint8Array) {
      scene = next;
    },
    set identical(next: number) {
      identical = next;
    },
    play: (...shown: AnalysedFace[]) => {
      now += FRAME;
      const plan = tracks.plan(now);
      const faces = asTracked(shown, { faces: plan.faces, search: plan.search });
      const found = tracks.update(plan, { faces, width: 640, height: 360, scene }, faces.map(nearest), {
        now,
        identical,
      });
      return {
        full: plan.search,
        embedded: faces.filter(({ embedding }) => embedding).length,
        ids: found.map(({ id }) => id),
        names: found.map((track) => track.match?.person.userid),
      };
    },
  };
}

const emptyScene = (grey: number): EmptyScene => {
  const scene = new Uint8Array(SCENE.columns * SCENE.rows).fill(grey);
  return { width: 640, height: 360, scene, coefficients: undefined };
};

describe('tracks', () => {
  it('of nobody: the scene in which nobody was goes along with each frame until it is time to search again', () => {
    const tracks = new FaceTracker(IDENTICAL, undefined, 1000);
    const nobody = { faces: [], width: 640, height: 360 };
    const [empty, other] = [1, 2].map((grey) => emptyScene(grey));
    const play = (now: number, shown: EmptyScene, searched: boolean) => {
      const plan = tracks.plan(now);
      const frame = { ...nobody, scene: shown.scene, searched, empty: searched ? shown : undefined };
      tracks.update(plan, frame, [], { now, identical: IDENTICAL });
      return plan;
    };
    assert.equal(play(0, empty, true).quiet, undefined, 'nothing is known yet');
    for (let now = 40; now < 1000; now += 40) {
      const { search, quiet } = play(now, other, false);
      assert.deepEqual([search, quiet], [true, empty], 'compared with the frame that was searched');
    }
    assert.equal(play(1000, other, true).quiet, undefined, 'a second has passed');
    assert.equal(play(1040, other, false).quiet, other);
    assert.equal(tracks.plan(1080, false).quiet, undefined, 'a client that wants every frame searched');
    tracks.doubtAll();
    assert.equal(tracks.plan(1080).quiet, undefined, 'other groups are asked for');
  });

  it('of somebody are never quiet, nor is the frame after somebody was lost', () => {
    const tracks = new FaceTracker(IDENTICAL, undefined, 1000);
    const empty = emptyScene(0);
    const play = (now: number, faces: AnalysedFace[]) => {
      const plan = tracks.plan(now);
      const searched = plan.quiet === undefined;
      const frame = { faces, width: 640, height: 360, scene: empty.scene, searched };
      if (searched && faces.length === 0) Object.assign(frame, { empty });
      tracks.update(plan, frame, faces.map(nearest), { now, identical: IDENTICAL });
      return plan.quiet !== undefined;
    };
    assert.deepEqual(
      [play(0, [faceAt(100, 0)]), play(40, []), play(80, []), play(120, [])],
      [false, false, false, true],
    );
  });

  it('are looked at again when other groups are asked for while a frame is compared with the earlier ones', () => {
    const tracks = new FaceTracker(IDENTICAL);
    const shown = [faceAt(100, 0)];
    const frame = { faces: shown, width: 640, height: 360, scene: emptyScene(0).scene, searched: true };
    const see = (plan: Plan, now: number) =>
      tracks.update(plan, frame, shown.map(nearest), { now, identical: IDENTICAL });
    see(tracks.plan(0), 0);
    const calm = tracks.plan(FRAME);
    assert.deepEqual([calm.search, calm.faces[0].embed], [false, false]);
    const first = tracks.plan(FRAME);
    tracks.doubtAll();
    see(first, FRAME);
    const next = tracks.plan(2 * FRAME);
    assert.deepEqual([next.search, next.faces[0].embed], [true, true]);
  });

  it('search for a first face, then follow it: a search a second, an embedding each half', () => {
    const { play } = player();
    const frames = Array.from({ length: 100 }, () => play(faceAt(100, 0)));
    const seconds = (100 * FRAME) / 1000;
    assert.deepEqual(
      frames.map(({ ids }) => ids),
      frames.map(() => [0]),
    );
    assert.equal(frames[0].full, true);
    const searches = frames.filter(({ full }) => full).length;
    assert.ok(searches <= seconds + 1 && searches >= seconds - 1, `${searches} searches`);
    const embeddings = frames.filter(({ embedded }) => embedded > 0).length;
    const due = Math.min(RENEW.frames, Math.ceil(RENEW.milliseconds / FRAME));
    assert.ok(Math.abs(embeddings - 100 / due) <= 1, `${embeddings} embeddings`);
  });

  it('keep the number of a face that moves, and give a new face a new one', () => {
    const { play } = player();
    for (let i = 0; i < 60; i++) assert.deepEqual(play(faceAt(i * 8, 0)).ids, [0]);
    const seen = Array.from({ length: 40 }, () => play(faceAt(480, 0), faceAt(100, 2)).ids);
    assert.deepEqual(seen.at(-1), [0, 1], 'found by the next search');
  });

  it('keep a label while nobody can be told apart by the face, but not for ever, and give it none by that', () => {
    const blurred = (): AnalysedFace => ({ ...faceAt(100, STRANGER), unfit: 'too_blurred' });
    const { play } = player();
    for (let i = 0; i < 30; i++) play(faceAt(100, 0.3));
    // As it is embedded it is far from everybody, or near to somebody else: neither says anything.
    for (let i = 0; i < 30; i++) {
      const { names, ids } = play({ ...faceAt(100, 2), unfit: 'too_blurred' });
      assert.deepEqual([names, ids], [['ken'], [0]], `frame ${i}`);
    }
    const later = Array.from({ length: 90 }, () => play(blurred()));
    assert.deepEqual([later.at(-1)?.names, later.at(-1)?.ids], [[undefined], [0]]);
    assert.deepEqual(play(faceAt(100, 0.3)).names, [undefined], 'until it is embedded anew');
    const sharp = Array.from({ length: 20 }, () => play(faceAt(100, 0.3)));
    assert.deepEqual([sharp.at(-1)?.names, sharp.at(-1)?.ids], [['ken'], [0]]);
  });

  it('keep a label through a moment in which the face is too unlike its pictures', () => {
    const { play } = player();
    for (let i = 0; i < 30; i++) play(faceAt(100, 0.3));
    // 0.6 from Ken's picture, but near what the track looked like.
    for (let i = 0; i < 30; i++) assert.deepEqual(play(faceAt(100, 0.6)).names, ['ken'], `frame ${i}`);
    const later = Array.from({ length: 90 }, () => play(faceAt(100, 0.6)));
    assert.deepEqual(later.at(-1)?.names, [undefined], 'but not for ever');
    assert.deepEqual(later.at(-1)?.ids, [0]);
  });

  it('give a label up at the next frame when it is said that the face is not that person, and hold it nowhere', () => {
    const said: Float32Array[] = [];
    const { play, tracks } = player(said);
    for (let i = 0; i < 30; i++) assert.deepEqual(play(faceAt(100, 0.3)).names, ['ken']);
    said.push(unitVector(0.31));
    tracks.refresh((person) => person);
    assert.deepEqual(play(faceAt(100, 0.3)).names, [undefined]);
    said.length = 0;
    const again = Array.from({ length: 20 }, () => play(faceAt(100, 0.3)));
    assert.deepEqual(again.at(-1)?.names, ['ken'], 'taken back');
    said.push(STRANGER);
    tracks.refresh((person) => person);
    assert.deepEqual(play(faceAt(100, 0.3)).names, ['ken'], 'of another face it says nothing');
  });

  it('notice another known face under the same box by the next renewal, in one frame', () => {
    const { play } = player();
    for (let i = 0; i < 31; i++) play(faceAt(100, 0));
    const after = Array.from({ length: RENEW.frames }, () => play(faceAt(100, 2)));
    const noticed = after.findIndex(({ names }) => names[0] === 'mia');
    assert.ok(noticed >= 0, `within ${RENEW.frames} frames`);
    assert.ok(after.slice(0, noticed).every(({ names }) => names[0] === 'ken'));
    assert.notEqual(after.at(-1)?.ids[0], 0, 'it is another track');
  });

  it('notice an unknown face under the same box one frame later still, and not by one bad frame', () => {
    const { play } = player();
    for (let i = 0; i < 31; i++) play(faceAt(100, 0));
    // One embedding that is far from everything: a blurred frame.
    let bad = 0;
    for (let i = 0; i < 40; i++) {
      const plan = play(faceAt(100, bad === 0 ? STRANGER : 0));
      if (plan.embedded > 0) bad += 1;
      assert.deepEqual(plan.names, ['ken'], `frame ${i}`);
    }
    const after = Array.from({ length: RENEW.frames + 1 }, () => play(faceAt(100, STRANGER)));
    assert.deepEqual(after.at(-1)?.names, [undefined]);
    assert.notEqual(after.at(-1)?.ids[0], 0);
  });

  it('are searched for again as soon as one is lost, and know it when it comes back', () => {
    const { play } = player();
    for (let i = 0; i < 5; i++) play(faceAt(100, 0), faceAt(400, 2));
    assert.deepEqual(play(faceAt(100, 0)).ids, [0]);
    assert.equal(play(faceAt(100, 0)).full, true);
    for (let i = 0; i < 5; i++) play(faceAt(100, 0));
    const back = Array.from({ length: 40 }, () => play(faceAt(100, 0), faceAt(250, 2)));
    assert.deepEqual(back.at(-1)?.ids, [0, 1]);
    assert.deepEqual(back.at(-1)?.names, ['ken', 'mia']);
  });

  it('search sooner when something moves beside the known faces, not when the faces themselves do', () => {
    const quiet = player();
    const busy = player();
    for (const { play } of [quiet, busy]) for (let i = 0; i < 2; i++) play(faceAt(100, 0));
    const there = new Uint8Array(SCENE.columns * SCENE.rows);
    const elsewhere = there.slice();
    // The face's box is at the left; columns 20 to 29 lie right of it.
    for (let row = 2; row < 12; row++) {
      there.fill(90, row * 32 + 6, row * 32 + 9);
      elsewhere.fill(90, row * 32 + 20, row * 32 + 30);
    }
    quiet.scene = there;
    busy.scene = elsewhere;
    const searches = ({ play }: ReturnType<typeof player>) =>
      Array.from({ length: 12 }, () => play(faceAt(100, 0))).filter(({ full }) => full).length;
    assert.equal(searches(quiet), 0);
    assert.equal(searches(busy), 1);
  });

  it('embed no more than two faces a frame anew, each in its turn', () => {
    const { play } = player();
    const crowd = () => Array.from({ length: 6 }, (_, i) => faceAt(i * 110, i / 3));
    play(...crowd());
    const frames = Array.from({ length: 48 }, () => play(...crowd()));
    assert.ok(frames.every(({ embedded }) => embedded <= 2));
    assert.ok(frames.reduce((sum, { embedded }) => sum + embedded, 0) >= 18);
    assert.deepEqual(frames.at(-1)?.ids, [0, 1, 2, 3, 4, 5]);
  });

  it('take a name away in the next frame when people came and it is no longer near enough', () => {
    const stage = player();
    for (let i = 0; i < 40; i++) assert.deepEqual(stage.play(faceAt(100, 0.3)).names, ['ken']);
    stage.identical = 0.2;
    const { names, embedded } = stage.play(faceAt(100, 0.3));
    assert.deepEqual([names, embedded], [[undefined], 0], 'it is not even embedded anew');
    for (let i = 0; i < 40; i++) assert.deepEqual(stage.play(faceAt(100, 0.3)).names, [undefined]);
    stage.identical = 0.4;
    const after = Array.from({ length: RENEW.frames + 1 }, () => stage.play(faceAt(100, 0.3)));
    assert.deepEqual(
      after.at(-1)?.names,
      ['ken'],
      'and gives it back by the next renewal when they are gone',
    );
    assert.deepEqual(after.at(-1)?.ids, [0], 'it was one face all the time');
  });

  it('forget who is who when that is asked, and keep the numbers', () => {
    const { play, tracks } = player();
    for (let i = 0; i < 5; i++) play(faceAt(100, 0));
    tracks.doubtAll();
    const frame = play(faceAt(100, 0));
    assert.deepEqual([frame.full, frame.embedded, frame.ids, frame.names], [true, 1, [0], ['ken']]);
  });
});
