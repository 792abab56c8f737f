import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { Cursor, Cursors } from '../../src/notices/cursors.js';
import { LANE_TIMES, type LaneOptions, startLane } from '../../src/notices/lane.js';
import { DeliveryError, type Notice, type Receiver, type Source } from '../../src/notices/types.js';
import { until } from '../support/until.js';

const DAY = 86_400_000;

/** Cursors in memory, which cannot be written while `isFull`. */
function memoryCursors() {
  const kept = new Map<string, Cursor>();
  const cursors = {
    isFull: false,
    kept,
    load: (key: string) => Promise.resolve(kept.get(key)),
    save(key: string, cursor: Cursor) {
      if (cursors.isFull) return Promise.reject(new Error('ENOSPC: no space left on device'));
      kept.set(key, structuredClone(cursor));
      return Promise.resolve();
    },
    all: () => Promise.resolve(kept),
    remove: (key: string) => Promise.resolve(void kept.delete(key)),
    close: () => undefined,
  };
  return cursors satisfies Cursors;
}

/** A log in memory; its positions are numbers. */
function memorySource() {
  const entries: { at: number; id: string | undefined }[] = [];
  let trimmed = 0;
  const source: Source = {
    name: 'gallery',
    now: () => Promise.resolve(String(entries.length)),
    read(position) {
      const from = Math.max(Number(position), trimmed);
      const items = entries.slice(from, from + 2).map(({ at, id }, i) => ({
        ...{ position: String(from + i + 1), at },
        make: () =>
          Promise.resolve<Notice | undefined>(
            id === undefined ? undefined : { id, type: 'enrolled', at: new Date(at).toISOString() },
          ),
      }));
      const next = String(from + items.length);
      return Promise.resolve({ items, next, settled: next, isLost: Number(position) < trimmed });
    },
  };
  return {
    source,
    happen: (id: string | undefined, at = Date.now()) => void entries.push({ id, at }),
    trim: () => (trimmed = entries.length),
  };
}

function memoryReceiver() {
  const told: Notice[] = [];
  const receiver = {
    ...{ id: 'r', name: 'https://hooks.example', told },
    failure: undefined as Error | undefined,
    deliver(notice: Notice) {
      if (receiver.failure) return Promise.reject(receiver.failure);
      told.push(notice);
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
    ids: () => told.map(({ id, type, count }) => (type === 'missed' ? `missed ${count}` : id)),
  };
  return receiver satisfies Receiver;
}

function open(t: TestContext, more: Partial<LaneOptions> = {}) {
  const log = memorySource();
  const receiver = memoryReceiver();
  const cursors = memoryCursors();
  const troubles: (string | undefined)[] = [];
  const options: LaneOptions = {
    ...{ source: log.source, receiver, cursors, maxAge: DAY },
    ...{ warn: () => undefined, note: () => undefined },
    trouble: (reason) => troubles.push(reason),
    times: { ...LANE_TIMES, poll: 5, save: 0, retry: 5, longest: 10 },
    ...more,
  };
  const start = () => {
    const lane = startLane(options);
    t.after(() => lane.stop());
    return lane;
  };
  return { log, receiver, cursors, troubles, start };
}

describe('a lane', () => {
  it('tells nobody of what was before, and goes on where it stopped', async (t) => {
    const { log, receiver, cursors, start } = open(t);
    log.happen('before');
    const lane = start();
    await until(() => cursors.kept.size === 1);
    for (const id of ['a', 'b', 'c']) log.happen(id);
    await until(() => receiver.told.length === 3);
    await lane.stop();
    log.happen('d');
    start();
    await until(() => receiver.told.length === 4);
    assert.deepEqual(receiver.ids(), ['a', 'b', 'c', 'd']);
  });

  it('goes on when its place cannot be written, and says so until it can', async (t) => {
    const { log, receiver, cursors, troubles, start } = open(t);
    start();
    await until(() => cursors.kept.size === 1);
    cursors.isFull = true;
    for (const id of ['a', 'b']) log.happen(id);
    await until(() => receiver.told.length === 2);
    await until(() => troubles.at(-1)?.startsWith('ENOSPC') ?? false);
    cursors.isFull = false;
    log.happen('c');
    await until(() => cursors.kept.get('gallery-r')?.position === '3');
    assert.equal(troubles.at(-1), undefined);
    assert.deepEqual(receiver.ids(), ['a', 'b', 'c']);
  });

  it('drops what is too old and not what a wrong clock dates ahead, and says how many before the next', async (t) => {
    const { log, receiver, cursors, start } = open(t);
    start();
    await until(() => cursors.kept.size === 1);
    receiver.failure = new DeliveryError('answers 500');
    for (const id of ['x', 'y', 'z']) log.happen(id, Date.now() - 2 * DAY);
    log.happen('ahead', Date.now() + 2 * DAY);
    await until(() => cursors.kept.get('gallery-r')?.failing?.reason === 'answers 500');
    receiver.failure = undefined;
    await until(() => receiver.told.length === 2);
    assert.deepEqual(receiver.ids(), ['missed 3', 'ahead']);
    await until(() => cursors.kept.get('gallery-r')?.failing === null);
    assert.equal(cursors.kept.get('gallery-r')?.dropped, 3);
  });

  it('says that something was lost where its place in the log is gone', async (t) => {
    const { log, receiver, cursors, start } = open(t);
    const lane = start();
    await until(() => cursors.kept.size === 1);
    await lane.stop();
    for (const id of ['x', 'y']) log.happen(id);
    log.trim();
    log.happen('a');
    start();
    await until(() => receiver.told.length === 2);
    assert.deepEqual(receiver.ids(), ['missed null', 'a']);
  });

  it('passes over what was erased while it waited', async (t) => {
    const { log, receiver, cursors, start } = open(t);
    start();
    await until(() => cursors.kept.size === 1);
    for (const id of ['a', undefined, 'b']) log.happen(id);
    await until(() => receiver.told.length === 2);
    assert.deepEqual(receiver.ids(), ['a', 'b']);
  });

  it('ends when it is told to while it notes that its receiver wants no more', async (t) => {
    const { log, receiver, cursors, start } = open(t);
    const lane = start();
    await until(() => cursors.kept.size > 0);
    const save = cursors.save.bind(cursors);
    let stopped: Promise<void> | undefined;
    cursors.save = async (key, cursor) => {
      if (cursor.isOff) stopped = lane.stop();
      await save(key, cursor);
    };
    receiver.failure = new DeliveryError('wants no more', { isGone: true });
    log.happen('a');
    await until(() => stopped !== undefined);
    await stopped;
  });

  it('waits as long as a receiver asks for', async (t) => {
    const { log, receiver, cursors, start } = open(t);
    const lane = start();
    await until(() => cursors.kept.size === 1);
    receiver.failure = new DeliveryError('answers 429', { retryAfter: 3600 });
    log.happen('a');
    await until(() => cursors.kept.get('gallery-r')?.failing !== null);
    receiver.failure = undefined;
    lane.wake();
    // It is stopped at once all the same, and the next one begins anew.
    await lane.stop();
    assert.deepEqual(receiver.told, []);
    start();
    await until(() => receiver.told.length === 1);
  });
});
