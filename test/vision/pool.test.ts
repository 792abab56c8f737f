import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { KaomonError } from '../../src/platform/errors.js';
import { sceneOfJpeg } from '../../src/vision/jpeg-scene.js';
import { nativeLoops } from '../../src/vision/pixels.js';
import { createVisionPool, type PoolSettings } from '../../src/vision/pool.js';
import type { Analysis, EmptyScene } from '../../src/vision/types.js';
import { PACK } from '../support/app.js';
import { greyJpeg, noiseJpeg } from '../support/pictures.js';
import { until } from '../support/until.js';

async function open(t: TestContext, settings: Partial<PoolSettings> = {}) {
  const pool = await createVisionPool({
    ...{ pack: PACK, providers: ['cpu'], threads: 1, maxPixels: 100, minFaceSize: 20 },
    ...{ poolThreads: 1, queueLength: 64, program: new URL('../support/fake-thread.js', import.meta.url) },
    ...settings,
  });
  t.after(() => pool.close());
  /** `text` in a buffer of its own, which is handed over, or in one that is copied. */
  const ask = (text: string, whole = true): Promise<Analysis> =>
    pool.analyze(whole ? Uint8Array.from(Buffer.from(text)) : Buffer.from(text));
  return { pool, ask };
}

/** How many faces a picture had and how many pictures were looked at with it, or the code of its error. */
async function outcome(asked: Promise<Analysis>): Promise<[number, number] | string> {
  return await asked.then(
    ({ faces, width }): [number, number] => [faces.length, width],
    (error: unknown) => (error instanceof KaomonError ? error.code : String(error)),
  );
}

describe('the pool of vision threads', () => {
  it('gives a thread one picture at a time on a CPU', async (t) => {
    const { ask } = await open(t);
    const asked = ['a', 'bb', 'ccc'].map((text) => outcome(ask(text)));
    assert.deepEqual(await Promise.all(asked), [
      [1, 1],
      [2, 1],
      [3, 1],
    ]);
  });

  it('gives a thread what waits at once where that pays, each with its own answer', async (t) => {
    const { pool, ask } = await open(t, { atOnce: 3 });
    const first = outcome(ask('a'));
    const others = ['bb', 'bad', 'cccc', 'd', 'ee'].map((text, i) => outcome(ask(text, i % 2 === 0)));
    // Nobody waits for others to come.
    assert.deepEqual(await first, [1, 1]);
    assert.deepEqual([pool.info().running, pool.info().queued], [3, 2]);
    assert.deepEqual(await Promise.all(others), [[2, 3], 'IMAGE_UNREADABLE', [4, 3], [1, 2], [2, 2]]);
  });

  it('loses the picture that kills a thread and no other', async (t) => {
    const { pool, ask } = await open(t, { atOnce: 4 });
    const asked = ['a', 'bb', 'die', 'ccc', 'dddd', 'eeeee'].map((text) => outcome(ask(text)));
    assert.deepEqual(await Promise.all(asked), [[1, 1], [2, 1], 'INTERNAL', [3, 1], [4, 1], [5, 1]]);
    assert.deepEqual([pool.info().threads, pool.info().running], [1, 0]);
    assert.deepEqual(await outcome(ask('f')), [1, 1]);
  });

  it('tells of a thread that dies, with the cause, and counts it', async (t) => {
    const told: [string, number][] = [];
    const { pool, ask } = await open(t, { onDeath: ({ message }, left) => told.push([message, left]) });
    assert.equal(await outcome(ask('die')), 'INTERNAL');
    assert.equal(await outcome(ask('throw')), 'INTERNAL');
    assert.deepEqual(told, [
      ['It ended with the exit code 1.', 0],
      ['It threw.', 0],
    ]);
    assert.equal(pool.info().deaths, 2);
    const quiet = await open(t, { onDeath: () => assert.fail('it was closed') });
    await quiet.pool.close();
  });

  it('starts a thread anew whose GPU fails, loses one picture by it, and does without the GPU in the end', async (t) => {
    const { pool, ask } = await open(t, { providers: ['cuda'], atOnce: 1 });
    const asked = ['sick', 'a', 'bb'].map((text) => outcome(ask(text)));
    assert.deepEqual(await Promise.all(asked), ['INTERNAL', [1, 1], [2, 1]]);
    assert.deepEqual([pool.info().threads, pool.info().provider], [1, 'cuda']);
    // One that answers between two failures is not gone.
    for (const text of ['sick', 'sick', 'a', 'sick', 'sick'])
      assert.deepEqual(await outcome(ask(text)), text === 'a' ? [1, 1] : 'INTERNAL');
    assert.deepEqual([await outcome(ask('a')), pool.info().provider], [[1, 1], 'cuda']);
    for (const text of ['sick', 'sick', 'sick']) assert.equal(await outcome(ask(text)), 'INTERNAL');
    assert.deepEqual(await outcome(ask('sick')), [4, 1]);
    const { threads, provider, refusedProviders } = pool.info();
    assert.deepEqual([threads, provider], [1, 'cpu']);
    assert.match(refusedProviders[0].reason, /failed later/);
  });

  it('answers everybody whose thread dies while it closes', async (t) => {
    const { pool, ask } = await open(t, { atOnce: 4 });
    const asked = ['a', 'die', 'bb'].map((text) => outcome(ask(text)));
    assert.deepEqual(await asked[0], [1, 1]);
    await pool.close();
    assert.deepEqual(await Promise.all(asked), [[1, 1], 'INTERNAL', 'INTERNAL']);
    assert.equal(await outcome(ask('c')), 'CLOSING');
  });

  it(
    'answers a frame that is as an empty one on the spot, and gives a thread all others',
    { skip: nativeLoops ? false : 'needs a compiler' },
    async (t) => {
      const { pool } = await open(t);
      const [room, other, detailed, large] = [
        greyJpeg(640, 360, '#505050'),
        greyJpeg(640, 360, '#b0b0b0'),
        noiseJpeg(640, 360),
        greyJpeg(3840, 2160, '#505050'),
      ];
      assert.ok((await large).length < 65_536);
      const emptyAs = async (bytes: Promise<Uint8Array>): Promise<EmptyScene> => ({
        ...{ width: 640, height: 360, scene: new Uint8Array() },
        coefficients: sceneOfJpeg(await bytes),
      });
      async function show(bytes: Promise<Uint8Array>, empty: Promise<EmptyScene>) {
        const track = { faces: [], search: true, quiet: await empty };
        const asked = pool.analyze(Uint8Array.from(await bytes), { track });
        const onThread = pool.info().running;
        const { width, height, faces, searched } = await asked;
        return { onThread, width, height, faces: faces.length > 0, searched };
      }
      const answer = { onThread: 0, width: 640, height: 360, faces: false, searched: false };
      assert.deepEqual(await show(room, emptyAs(room)), answer);
      const byThread = { onThread: 1, width: 1, height: 1, faces: true, searched: undefined };
      assert.deepEqual(await show(other, emptyAs(room)), byThread, 'something moved');
      for (const slow of [detailed, large])
        assert.deepEqual(await show(slow, emptyAs(slow)), byThread, 'it would take too long');
      await pool.close();
      await assert.rejects(show(room, emptyAs(room)), { code: 'CLOSING' });
    },
  );

  it('drops what waits when nobody waits for it any more, and lets what runs end', async (t) => {
    const { pool } = await open(t);
    const [running, waiting] = [new AbortController(), new AbortController()];
    const look = (text: string, signal: AbortSignal) =>
      outcome(pool.analyze(Uint8Array.from(Buffer.from(text)), { signal }));
    const first = look('endless', running.signal);
    const second = look('endless', waiting.signal);
    const third = look('a', new AbortController().signal);
    assert.deepEqual([pool.info().running, pool.info().queued], [1, 2]);
    waiting.abort();
    assert.equal(await second, 'CLIENT_GONE');
    assert.deepEqual([pool.info().running, pool.info().queued], [1, 1]);
    running.abort();
    assert.equal(await first, 'CLIENT_GONE');
    assert.deepEqual(await third, [1, 1]);
    assert.equal(await look('a', AbortSignal.abort()), 'CLIENT_GONE');
  });

  it('listens to a signal no longer than it works for it', async (t) => {
    const { pool } = await open(t);
    const { signal } = new AbortController();
    const added = t.mock.method(signal, 'addEventListener');
    const removed = t.mock.method(signal, 'removeEventListener');
    for (let n = 0; n < 20; n++) await pool.analyze(Uint8Array.from(Buffer.from('a')), { signal });
    assert.equal(added.mock.callCount(), 20);
    assert.equal(removed.mock.callCount(), 20);
  });

  it('lets callers take turns, however many pictures one has sent before', async (t) => {
    const { pool } = await open(t);
    const order: string[] = [];
    const look = async (caller: string, text: string) => {
      await pool.analyze(Uint8Array.from(Buffer.from(text)), { caller });
      order.push(caller + text);
    };
    const greedy = ['a', 'b', 'c', 'd', 'e', 'f'].map((text) => look('greedy ', text));
    await Promise.all([...greedy, look('late ', 'a'), look('late ', 'b'), look('later ', 'a')]);
    assert.deepEqual(order, [
      ...['greedy a', 'greedy b', 'late a', 'later a', 'greedy c', 'late b', 'greedy d', 'greedy e'],
      'greedy f',
    ]);
  });

  it('keeps a thread for quick pictures beside a caller whose pictures take long', async (t) => {
    const { pool } = await open(t, { poolThreads: 2 });
    const look = (caller: string, text: string) =>
      pool.analyze(Uint8Array.from(Buffer.from(text)), { caller });
    await Promise.all([look('photographs', 'slow'), look('camera', 'a')]);
    const photographs = Array.from({ length: 4 }, () => look('photographs', 'slow'));
    assert.deepEqual([pool.info().running, pool.info().queued], [1, 3]);
    for (let n = 0; n < 5; n++) {
      await look('camera', 'a');
      assert.ok(pool.info().queued > 0, 'it did not wait for them');
    }
    await Promise.all(photographs);
  });

  it('gives one caller a part of the queue, and another what is left', async (t) => {
    const { pool } = await open(t, { queueLength: 4, callerShare: 0.75 });
    const look = (caller: string) =>
      outcome(pool.analyze(Uint8Array.from(Buffer.from('a')), { caller })).then((got) =>
        typeof got === 'string' ? got : 'looked at',
      );
    // One is worked on, four may wait.
    const mine = Array.from({ length: 5 }, () => look('mine'));
    const other = [look('other'), look('another')];
    const done = 'looked at';
    assert.deepEqual(await Promise.all(mine), [done, done, done, done, 'TOO_MANY_REQUESTS']);
    assert.deepEqual(await Promise.all(other), [done, 'BUSY']);
    assert.equal(await look('another'), done);
  });

  it('refuses what finds the queue full', async (t) => {
    const { ask } = await open(t, { queueLength: 2 });
    const asked = ['a', 'b', 'c', 'd'].map((text) => outcome(ask(text)));
    assert.deepEqual(await Promise.all(asked), [[1, 1], [1, 1], [1, 1], 'BUSY']);
  });
});

describe('the pool on WebGPU', () => {
  const four = (title: string) => ({
    ...{ poolThreads: 4, providers: ['cuda', 'webgpu', 'cpu'], pack: { ...PACK, title } },
  });
  /** How many providers each of four threads was to try. */
  const tried = async (ask: (text: string) => Promise<Analysis>) =>
    (await Promise.all(['a', 'b', 'c', 'd'].map((text) => ask(text)))).map(({ height }) => height).sort();

  it('has one thread, whatever is asked for, says so, and takes several pictures at once', async (t) => {
    const { pool, ask } = await open(t, four('cuda'));
    const { threads, provider, refusedProviders, note } = pool.info();
    assert.deepEqual([threads, provider], [1, 'webgpu']);
    assert.deepEqual(refusedProviders, [{ provider: 'cuda', reason: 'is broken' }]);
    assert.match(note ?? '', /one vision thread, not 4/);
    const asked = ['a', 'b', 'c', 'd', 'e', 'f'].map((text) => outcome(ask(text)));
    const together = (await Promise.all(asked)).map((answer) => answer[1]);
    assert.deepEqual(together, [1, 4, 4, 4, 4, 1]);
  });

  it('has one thread again when that one has died', async (t) => {
    const { pool, ask } = await open(t, four('cuda'));
    assert.equal(await outcome(ask('die')), 'INTERNAL');
    assert.deepEqual(await outcome(ask('a')), [1, 1]);
    assert.equal(pool.info().threads, 1);
  });

  it('has all threads, on the CPU, when it fails for good', async (t) => {
    const { pool, ask } = await open(t, { ...four('cuda'), atOnce: 1 });
    for (const text of ['sick', 'sick', 'sick']) assert.equal(await outcome(ask(text)), 'INTERNAL');
    assert.deepEqual(await outcome(ask('a')), [1, 1]);
    await until(() => pool.info().threads === 4);
    assert.deepEqual([pool.info().provider, pool.info().note], ['cpu', undefined]);
  });

  it('has all threads where WebGPU does not serve, and only the first tries it', async (t) => {
    const { pool, ask } = await open(t, four('cuda webgpu'));
    const { threads, provider, refusedProviders, note } = pool.info();
    assert.deepEqual([threads, provider, note], [4, 'cpu', undefined]);
    assert.deepEqual(
      refusedProviders.map((refused) => refused.provider),
      ['cuda', 'webgpu'],
    );
    assert.deepEqual(await tried(ask), [1, 1, 1, 3]);
  });

  it('never falls back to it from CUDA on a thread beside others', async (t) => {
    const { pool, ask } = await open(t, four(''));
    assert.deepEqual([pool.info().threads, pool.info().provider], [4, 'cuda']);
    assert.deepEqual(await tried(ask), [2, 2, 2, 3]);
  });
});
