import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { wordsOf } from '../../../src/browser/logic/texts.js';
import { createFailures, findingsOf, pictureTime, type Status } from '../../../src/browser/logic/status.js';

const EN = wordsOf('en');
const JA = wordsOf('ja');
const stage = (p50: number, p95 = p50) => ({ count: 100, p50, p95 });

/** A server that is well. */
const WELL: Status = {
  ...{ version: '1', uptime: 60, pack: 'tiny', provider: 'cpu' },
  vision: { threads: 2, queued: 0, running: 0 },
  gallery: { people: 3, faces: 4, groups: 1, index: 'exact' },
  stages: { queue: stage(1), decode: stage(4), detect: stage(60), embed: stage(30), search: stage(0.2) },
};

/** What is wrong, how bad it is, and what the page then says in English. */
const VERDICTS: [name: string, change: Partial<Status>, failed: number, level: string, says: RegExp][] = [
  [
    'no thread is left',
    { vision: { threads: 0, queued: 0, running: 0 } },
    0,
    'bad',
    /^Nobody can be recognised: .*Restart the server/,
  ],
  ...(
    [
      ['disk full', /^The disk is full: make room/],
      ['redis full', /^Redis is full: raise its maxmemory/],
      ['read-only', /^The gallery is read-only: let the server write/],
      ['unreachable', /^The gallery’s store .* does not answer/],
    ] as const
  ).map(([obstacle, says]): (typeof VERDICTS)[number] => [
    obstacle,
    {
      gallery: { ...WELL.gallery, obstacle },
      trouble: [{ what: 'gallery', message: 'as the server says it' }],
    },
    ...([0, 'bad', says] as const),
  ]),
  [
    'something else does not work',
    { trouble: [{ what: 'audit', message: 'The audit log cannot be written.' }] },
    ...([0, 'bad', /^The audit log cannot be written\.$/] as const),
  ],
  ['requests failed', {}, 3, 'warn', /^3 requests failed in the last two minutes/],
  ['one failed', {}, 1, 'warn', /^1 request failed/],
  [
    'a GPU was refused',
    { refusedProviders: [{ provider: 'cuda', reason: 'no device' }] },
    ...([0, 'warn', /^Recognition runs on the CPU, because CUDA was refused: no device/] as const),
  ],
  [
    'pictures wait',
    { stages: { ...WELL.stages, queue: stage(200, 1500) } },
    ...([0, 'warn', /^Pictures wait up to 1\.5 s .*VISION_THREADS/] as const),
  ],
  [
    'a picture takes long',
    { stages: { ...WELL.stages, detect: stage(1400) } },
    ...([0, 'warn', /^A picture takes 1\.4 s, most of it in “Detection”/] as const),
  ],
  [
    'the snapshot finds too few',
    { gallery: { ...WELL.gallery, snapshot: { number: 1, recall: 0.95, newer: 0 } } },
    ...([0, 'warn', /misses the right person 5\.0 times in 100: `npx kaomon snapshot`/] as const),
  ],
  ['changes wait', { events: { behind: 150 } }, 0, 'warn', /^This worker has 150 changes/],
  [
    'a file is damaged',
    { damaged: [{ what: 'default-ken/a.npy', reason: 'it is empty' }] },
    ...([0, 'warn', /^1 damaged file was set aside/] as const),
  ],
];

describe('the verdict of the status page', () => {
  it('is that all is well where nothing is wrong, and at each limit', () => {
    assert.deepEqual(findingsOf(WELL, 0, EN), []);
    const atTheLimit: Status = {
      ...WELL,
      // Runs on what it was to run on.
      ...{ provider: 'cuda', refusedProviders: [{ provider: 'tensorrt', reason: 'not there' }] },
      stages: { queue: stage(0, 1000), detect: stage(1000) },
      gallery: { ...WELL.gallery, snapshot: { number: 1, recall: 0.98, newer: 5 } },
      events: { behind: 100 },
    };
    assert.deepEqual(findingsOf(atTheLimit, 0, EN), []);
  });

  for (const [name, change, failed, level, says] of VERDICTS) {
    it(`says what to do when ${name}, in both languages`, () => {
      const status = { ...WELL, ...change };
      const found = findingsOf(status, failed, EN);
      assert.equal(found.length, 1);
      assert.equal(found[0].level, level);
      assert.match(found[0].text, says);
      const [japanese] = findingsOf(status, failed, JA);
      assert.match(japanese.text, /[ぁ-ん].*。/);
    });
  }

  it('puts what does not work before what works badly, and says of a long wait only that', () => {
    const found = findingsOf(
      {
        ...WELL,
        stages: { queue: stage(900, 4000), detect: stage(2000) },
        trouble: [{ what: 'events', message: 'The log cannot be read.' }],
        damaged: [{ what: 'a', reason: 'b' }],
      },
      2,
      EN,
    );
    assert.deepEqual(
      found.map(({ level }) => level),
      ['bad', 'warn', 'warn', 'warn'],
    );
    assert.match(found[1].text, /failed/);
    assert.match(found[2].text, /wait up to 4\.0 s/);
  });

  it('counts the time of a picture over its stages, and none without any', () => {
    assert.equal(pictureTime({ stages: { decode: stage(4), embed: stage(30) } }), 34);
    assert.equal(pictureTime({ stages: { decode: { count: 0, p50: null, p95: null } } }), undefined);
    assert.equal(pictureTime({}), undefined);
  });

  it('counts what failed while the page was open, worker by worker, and forgets it again', () => {
    const failures = createFailures(120_000);
    const answer = (pid: number, errors: number, ofStreams = 0) => ({
      pid,
      requests: { total: 100, errors, perSecond: 1 },
      streams: { open: 1, frames: 9, errors: ofStreams, perSecond: 1 },
    });
    assert.equal(failures.count(0, answer(1, 7)), 0, 'what failed before is no news');
    assert.equal(failures.count(2000, answer(2, 40)), 0, 'nor another worker’s');
    assert.equal(failures.count(4000, answer(1, 8, 1)), 2);
    assert.equal(failures.count(100_000, answer(2, 41)), 3);
    assert.equal(failures.count(124_001, answer(1, 8, 1)), 1);
    assert.equal(failures.count(250_000, answer(1, 0)), 0, 'a worker that was started anew');
  });
});
