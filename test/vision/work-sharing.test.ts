import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { composeFrame } from '../../src/bench/frames.js';
import { createVisionPool } from '../../src/vision/pool.js';
import { BUSY, IDLE, joinWorkSharing, sharedInts } from '../../src/vision/work-sharing.js';
import type { VisionPool } from '../../src/vision/types.js';
import { benchPack, FACE_PACKS } from '../support/bench-pack.js';
import { BEGUN, ENDED, type SharedJob, sharedPart } from '../support/sharing-worker.js';

const PARTS = 20;

/** This thread, which has a picture, and another one that may help. */
async function twoThreads(t: TestContext, { helper }: { helper: typeof IDLE | typeof BUSY }) {
  const place = { channel: randomUUID(), states: sharedInts(2) };
  const sharing = joinWorkSharing({ ...place, slot: 0 });
  const worker = new Worker(new URL('../support/sharing-worker.js', import.meta.url), {
    workerData: { ...place, slot: 1 },
  });
  await once(worker, 'message');
  place.states[1] = helper;
  t.after(async () => {
    sharing.close();
    worker.postMessage('end');
    await once(worker, 'exit');
  });
  const share = sharing.loop(
    sharedPart(
      0,
      () => true,
      () => helper === IDLE,
    ),
  );
  const job = (what: Partial<SharedJob> = {}): SharedJob => ({
    ...{ doneBy: sharedInts(PARTS), signals: sharedInts(3), helper: 'does it', owner: 'does it', ...what },
  });
  return { sharing, share, job };
}

/** Each part was done once, and some by the helper; on a busy machine it may have been all. */
function assertShared(doneBy: Int32Array): void {
  assert.ok(
    doneBy.every((who) => who === 1 || who === 2),
    String(doneBy),
  );
  assert.ok(doneBy.includes(2), String(doneBy));
}

describe('threads that share work', () => {
  it('does every part of a job once, those without a picture help', async (t) => {
    const { sharing, share, job } = await twoThreads(t, { helper: IDLE });
    assert.equal(sharing.idle(), 1);
    for (let i = 0; i < 20; i++) {
      const { doneBy, ...rest } = job();
      await share({ doneBy, ...rest }, PARTS);
      assertShared(doneBy);
    }
  });

  it('leaves a thread alone that has a picture', async (t) => {
    const { sharing, share, job } = await twoThreads(t, { helper: BUSY });
    assert.equal(sharing.idle(), 0);
    const { doneBy, ...rest } = job();
    await share({ doneBy, ...rest }, PARTS);
    assert.deepEqual(new Set(doneBy), new Set([1]));
  });

  it('does again what failed elsewhere', async (t) => {
    const { share, job } = await twoThreads(t, { helper: IDLE });
    const { doneBy, ...rest } = job({ helper: 'fails' });
    await share({ doneBy, ...rest }, PARTS);
    assert.deepEqual(new Set(doneBy), new Set([1]));
    assert.ok(rest.signals[ENDED] > 0, 'the helper had tried');
  });

  it('answers an error of its own only when nobody is at the job any more', async (t) => {
    const { share, job } = await twoThreads(t, { helper: IDLE });
    const failing = job({ owner: 'fails', helper: 'waits for go' });
    await assert.rejects(share(failing, PARTS), { message: 'The owner failed.' });
    assert.ok(failing.signals[BEGUN] > 0);
    assert.equal(failing.signals[ENDED], failing.signals[BEGUN], 'what was begun was waited for');
    const next = job();
    await share(next, PARTS);
    assertShared(next.doneBy);
  });
});

for (const [id, skip] of FACE_PACKS) {
  describe(`a picture that several vision threads work on, with ${id}`, { skip }, () => {
    it('has the faces that one thread finds, one picture at a time and many at once', async (t) => {
      const pack = await benchPack(id);
      const open = (poolThreads: number): Promise<VisionPool> =>
        createVisionPool({
          ...{ pack, providers: ['cpu'], threads: 1, poolThreads, queueLength: 64 },
          ...{ maxPixels: 1_000_000, minFaceSize: 20 },
        });
      const [one, three] = await Promise.all([open(1), open(3)]);
      t.after(() => Promise.all([one.close(), three.close()]));
      const pictures = await Promise.all((['6 faces', '1 face', 'no face'] as const).map(composeFrame));
      const facesOf = async (pool: VisionPool, bytes: Buffer) =>
        (await pool.analyze(Uint8Array.from(bytes))).faces.map(({ box, probability, embedding }) => ({
          ...{ box, probability, embedding },
        }));
      const expected = [];
      for (const bytes of pictures) expected.push(await facesOf(one, bytes));
      assert.deepEqual(
        expected.map(({ length }) => length),
        [6, 1, 0],
      );
      for (let round = 0; round < 3; round++) {
        for (const [i, bytes] of pictures.entries())
          assert.deepEqual(await facesOf(three, bytes), expected[i]);
      }
      const twice = [...pictures, ...pictures];
      assert.deepEqual(await Promise.all(twice.map((bytes) => facesOf(three, bytes))), [
        ...expected,
        ...expected,
      ]);
    });
  });
}
