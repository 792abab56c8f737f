import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createCountedWork } from '../../src/identity/counted-work.js';
import { until } from '../support/until.js';

const workOf = ({ most = 8, atOnce = 2, share = 0.75, manyAtOnce = 1 } = {}) =>
  createCountedWork({
    most,
    atOnce,
    share,
    manyAtOnce,
    full: 'Too much',
    mine: 'Too much of you',
    retryAfter: 2,
  });

/** Work that begins, and ends when the test says so. */
function heldWork() {
  const begun: { name: string; end: () => void }[] = [];
  const work = (name: string) => () =>
    new Promise<string>((resolve) => begun.push({ name, end: () => resolve(name) }));
  const names = () => begun.map(({ name }) => name);
  return {
    work,
    names,
    /** Ends the pieces in their order, each when it has begun, until so many were. */
    endAll: async (count: number) => {
      for (let at = 0; at < count; at += 1) {
        while (begun.length <= at) await new Promise((resolve) => setImmediate(resolve));
        begun[at].end();
      }
    },
    end: (at: number) => begun[at].end(),
  };
}

describe('Counted work', () => {
  it('takes turns: one piece of another caller comes before the rest of sixty', async () => {
    const { work, names, endAll, end } = heldWork();
    const turns = workOf();
    const sixty = Array.from({ length: 60 }, (_, i) => `a${i}`);
    const greedy = turns.each(sixty, (name) => work(name)(), { caller: 'a' });
    assert.deepEqual(names(), ['a0', 'a1'], 'at once as long as nobody waits');
    const other = turns.one(work('b'), { caller: 'b' });
    const third = turns.one(work('c'), { caller: 'c' });
    end(0);
    await until(() => names().length === 3);
    end(1);
    await until(() => names().length === 4);
    assert.deepEqual(names().slice(2), ['b', 'c']);
    end(2);
    assert.equal(await other, 'b');
    end(3);
    assert.equal(await third, 'c');
    assert.ok(names().length < 8, 'hardly any of the sixty was done by then');
    await endAll(62);
    assert.deepEqual(await greedy, sixty, 'in the order in which they were asked for');
    assert.equal(turns.info().inFlight, 0);
  });

  it('gives calls of a thousand one place between them, and one turn in four when others wait', async () => {
    const { work, names, endAll, end } = heldWork();
    const turns = workOf({ most: 20 });
    const thousand = (name: string) => Array.from({ length: 1000 }, (_, i) => `${name}${i}`);
    const long = ['x', 'y'].map((caller) => turns.each(thousand(caller), (name) => work(name)(), { caller }));
    await until(() => names().length === 1);
    const others = Array.from({ length: 9 }, (_, i) => turns.one(work(`b${i}`), { caller: 'b' }));
    assert.deepEqual(names(), ['x0', 'b0'], 'the other place is free for whoever comes');
    for (let at = 0; at < 11; at++) {
      end(at);
      await until(() => names().length >= at + 3);
    }
    const first = names().slice(0, 12);
    assert.ok(first.filter((name) => name.startsWith('b')).length >= 8, String(first));
    assert.ok(first.some((name) => name.startsWith('y')) && first.includes('x0'), 'they go on, in turn');
    await Promise.all([endAll(2009), ...others, ...long]);
    assert.equal(turns.info().inFlight, 0);
  });

  it('lets a call of a thousand rest between two pieces as long as others need the time', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { work, names, end, endAll } = heldWork();
    let isBusy = true;
    const turns = createCountedWork({
      ...{ most: 8, atOnce: 2, share: 1, manyAtOnce: 1, full: '', mine: '', retryAfter: 2 },
      givesWay: () => isBusy,
    });
    const hundred = Array.from({ length: 100 }, (_, i) => `a${i}`);
    const long = turns.each(hundred, (name) => work(name)());
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    while (names().length < 1) await turn();
    end(0);
    for (let i = 0; i < 20; i++) await turn();
    assert.deepEqual(names(), ['a0']);
    const other = turns.one(work('b'));
    assert.deepEqual(names(), ['a0', 'b'], 'nobody else waits for that');
    isBusy = false;
    t.mock.timers.tick(3_600_000);
    await Promise.all([endAll(101), long, other]);
    assert.equal(turns.info().inFlight, 0);
  });

  it('counts calls: a caller has its share, all together what there is, and a call that is in goes on', async () => {
    const { work, names, endAll } = heldWork();
    const turns = workOf();
    const mine = [0, 1, 2].map((n) =>
      turns.each([`${n}a`, `${n}b`, `${n}c`], (name) => work(name)(), { caller: 'a' }),
    );
    assert.equal(turns.info().inFlight, 6);
    await assert.rejects(turns.one(work('d'), { caller: 'a' }), { code: 'TOO_MANY_REQUESTS', retryAfter: 2 });
    assert.throws(() => turns.admit('a'), { code: 'TOO_MANY_REQUESTS', statusCode: 429 });
    const admitted = turns.one(work('e'), { caller: 'a', isAdmitted: true });
    const others = turns.one(work('f'), { caller: 'b' });
    await assert.rejects(turns.one(work('g'), { caller: 'c' }), { code: 'BUSY', statusCode: 503 });
    assert.deepEqual(turns.info(), { inFlight: 8, refused: { busy: 1, caller: 2 } });
    await Promise.all([endAll(11), ...mine, admitted, others]);
    assert.equal(names().length, 11);
    assert.equal(turns.info().inFlight, 0);
    turns.admit('a');
  });

  it('ends with the caller who hangs up, and with the first failure', async () => {
    const { work, names, end } = heldWork();
    const turns = workOf();
    const gone = new AbortController();
    const left = turns.each(['a', 'b', 'c', 'd'], (name) => work(name)(), { signal: gone.signal });
    const failing = turns.each(['e', 'f', 'g'], () => Promise.reject(new Error('broken')), { caller: 'x' });
    gone.abort();
    end(0);
    await assert.rejects(failing, { message: 'broken' });
    end(1);
    await assert.rejects(left, { code: 'CLIENT_GONE' });
    assert.deepEqual(names(), ['a', 'b']);
    await assert.rejects(turns.one(work('h'), { signal: gone.signal }), { code: 'CLIENT_GONE' });
    assert.equal(turns.info().inFlight, 0);
  });

  it('gives way to everything else that is ready between two pieces that never wait', async () => {
    const turns = workOf();
    let done = 0;
    const all = turns.each(Array.from({ length: 50 }), () => Promise.resolve(++done));
    let atMost = 0;
    for (let before = done; done < 50; before = done) {
      await new Promise((resolve) => setImmediate(resolve));
      atMost = Math.max(atMost, done - before);
    }
    assert.ok(atMost <= 2, `${atMost} pieces in one turn`);
    await all;
  });

  it('holds what takes no turn until it is told that it ended', () => {
    const turns = workOf({ most: 2 });
    const end = turns.hold('a');
    const other = turns.hold('b');
    assert.throws(() => turns.hold('c'), { code: 'BUSY' });
    end();
    other();
    assert.equal(turns.info().inFlight, 0);
  });
});
