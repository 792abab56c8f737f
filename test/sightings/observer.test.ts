import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import sharp from 'sharp';
import { KaomonError } from '../../src/platform/errors.js';
import type { ObservedFace } from '../../src/identity/types.js';
import { createObserver } from '../../src/sightings/observer.js';
import type { SightingStore } from '../../src/sightings/store/client.js';
import type { VisitPart } from '../../src/sightings/types.js';
import { unitVector } from '../support/app.js';

const person = { faceid: 'g-ann', groupid: 'g', userid: 'ann', username: '', metadata: {}, faces: [] };
const face = { id: 'f', faceid: 'g-ann', enrolledAt: '', automatic: false, hasPicture: false };
const ANN = { person, face, distance: 0.1, odds: undefined };

/** An observer over a store that can be full, or slow. */
function observing(t: TestContext, { keepsPictures = false } = {}) {
  const state = { isFull: false, wrong: '', gate: Promise.resolve(), now: 0 };
  const written = new Map<string, VisitPart>();
  const said: string[] = [];
  const log = {
    warn: (_more: unknown, text: string) => void said.push(text),
    info: (_more: unknown, text: string) => void said.push(text),
  };
  const ask = async (name: string, parts: VisitPart[]) => {
    await state.gate;
    if (state.isFull) throw new KaomonError('STORAGE_FULL', 'There is no room.');
    if (name === 'writeParts' && parts.some(({ deviceid }) => deviceid === state.wrong))
      throw new KaomonError('INTERNAL', 'It cannot be written.');
    if (name === 'writeParts')
      for (const part of parts) written.set(part.uid, { ...written.get(part.uid), ...part });
    return 0;
  };
  const observer = createObserver({
    ...{
      gap: 10_000,
      pair: 0.5,
      worker: 'w',
      keepsPictures,
      store: { ask: ask as SightingStore['ask'] },
    },
    ...{ log: log as never, now: () => state.now, date: () => Date.parse('2026-11-27') + state.now },
  });
  t.after(() => observer.close());
  const see = (deviceid: string, more: Partial<ObservedFace> = {}) =>
    observer.observe({ deviceid }, [{ match: undefined, embedding: unitVector(0), area: 100, ...more }]);
  return { state, observer, written, said, see };
}

describe('the observer', () => {
  it('never waits for the store, and writes later what a full disk did not take', async (t) => {
    const { state, observer, written, said, see } = observing(t);
    state.isFull = true;
    see('door');
    await observer.flush();
    state.now = 5000;
    see('door');
    await observer.flush();
    assert.deepEqual([written.size, observer.info().waiting], [0, 1]);
    assert.match(observer.info().trouble ?? '', /no room/);
    state.isFull = false;
    state.now = 40_000;
    await observer.flush();
    const [part] = written.values();
    assert.deepEqual([part.frames, part.isEnded, part.best?.vector], [2, true, unitVector(0)]);
    assert.equal(observer.info().trouble, undefined);
    assert.equal(said.length, 2, 'once when it begins and once when it is over');
  });

  it('keeps a bounded amount of what waits, and says how much it dropped', async (t) => {
    const { state, observer, written, see } = observing(t);
    state.isFull = true;
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 1500; i++) see(`camera-${round}-${i}`);
      state.now += 20_000;
      await observer.flush();
    }
    assert.deepEqual([observer.info().waiting, observer.info().dropped], [3000, 1500]);
    state.isFull = false;
    state.now += 60_000;
    await observer.flush();
    assert.deepEqual([written.size, observer.info().written], [3000, 3000]);
  });

  it('forgets a person whose visits are being written at that moment', async (t) => {
    const { state, observer, written, see } = observing(t);
    let open: () => void = () => undefined;
    state.gate = new Promise((resolve) => (open = resolve));
    see('door', { match: ANN });
    const writing = observer.flush();
    state.isFull = true;
    const forgotten = observer.forget('g-ann');
    open();
    await Promise.all([writing, forgotten]);
    state.isFull = false;
    state.now = 60_000;
    await observer.flush();
    assert.deepEqual([written.size, observer.info().waiting], [0, 0]);
  });

  it('gives the new name to what was being written when somebody is moved', async (t) => {
    const { state, observer, written, see } = observing(t);
    let open: () => void = () => undefined;
    state.gate = new Promise((resolve) => (open = resolve));
    see('door', { match: ANN });
    const writing = observer.flush();
    state.isFull = true;
    const renamed = observer.rename('g-ann', 'g-eve');
    open();
    await Promise.all([writing, renamed]);
    state.isFull = false;
    state.now = 60_000;
    await observer.flush();
    const [part] = written.values();
    assert.deepEqual(
      part.votes.map(({ faceid }) => faceid),
      ['g-eve'],
    );
  });

  it('leaves out the one visit that cannot be written, and keeps the others', async (t) => {
    const { state, observer, written, said, see } = observing(t);
    state.wrong = 'broken';
    for (const camera of ['a', 'broken', 'b']) see(camera);
    await observer.flush();
    assert.deepEqual([...written.values()].map(({ deviceid }) => deviceid).sort(), ['a', 'b']);
    assert.deepEqual([observer.info().waiting, observer.info().dropped], [0, 1]);
    assert.match(said.join(), /left out/);
  });

  it('has no trouble any more once the store answers, although nobody comes by', async (t) => {
    const { state, observer } = observing(t);
    state.isFull = true;
    await observer.flush();
    assert.ok(observer.info().trouble);
    state.isFull = false;
    state.now = 60_000;
    await observer.flush();
    assert.equal(observer.info().trouble, undefined);
  });

  it('says for some minutes that a crowd was too large, and how many faces it dropped', async (t) => {
    const { state, observer, said, see } = observing(t);
    for (let i = 0; i < 2010; i++) see(`camera-${i}`);
    await observer.flush();
    const { seen, dropped, isDropping } = observer.info();
    assert.deepEqual([seen, dropped, isDropping], [2000, 10, true]);
    assert.equal(said.filter((text) => text.includes('dropped')).length, 1);
    state.now = 301_000;
    assert.equal(observer.info().isDropping, false);
  });

  it('draws the best picture when it is written, once', async (t) => {
    const { state, observer, written, see } = observing(t, { keepsPictures: true });
    const [size, sharpness, brightness] = [160, 60, 100];
    see('door', { aligned: new Uint8Array(3 * 4 * 4).fill(200), quality: { size, sharpness, brightness } });
    await observer.flush();
    const [part] = written.values();
    const { width, height, format } = await sharp(part.best?.crop ?? undefined).metadata();
    assert.deepEqual([width, height, format], [4, 4, 'png']);
    written.clear();
    state.now = 40_000;
    await observer.flush();
    assert.deepEqual(
      [...written.values()].map(({ isEnded, best }) => [isEnded, best]),
      [[true, undefined]],
    );
  });
});
