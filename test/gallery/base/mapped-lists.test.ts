import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { copyFile, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { BaseVectors } from '../../../src/gallery/base/base.js';
import { openMappedVectors, segmentsRefusal } from '../../../src/gallery/base/mapped-vectors.js';
import { trainLists } from '../../../src/gallery/base/train-lists.js';
import { assertSame, reference, written } from '../../support/segments.js';
import { NO_SMALL_DISK, smallDisk } from '../../support/small-disk.js';
import { identities, randomUnitVector, seededRandom } from '../../support/vectors.js';

const LENGTH = 64;
// More than are searched exactly in any case.
const ROWS = 60_000;
const PER_PERSON = 3;

describe('mapped vectors with lists', { skip: segmentsRefusal() ?? false }, () => {
  const random = seededRandom(4);
  const made = identities(random, LENGTH, { people: ROWS / PER_PERSON, faces: PER_PERSON });
  let vectors: Float32Array[];
  let options: { vectorsFile: string; listsFile: string; length: number; rows: number };
  let trained: Awaited<ReturnType<typeof trainLists>>;
  const shares: number[] = [];

  before(async () => {
    vectors = [...made.faces()].map(({ vector }) => vector);
    const vectorsFile = await written({ after }, vectors);
    const listsFile = path.join(path.dirname(vectorsFile), 'lists.ivf');
    options = { vectorsFile, listsFile, length: LENGTH, rows: ROWS };
    trained = await trainLists({ ...options, threads: 2, onProgress: (share) => shares.push(share) });
  });

  it('are made with a recall that was measured, and find the same person', async (t) => {
    const base = await opened(t);
    assert.deepEqual([base.kind, base.rows], ['ivf-sq8', ROWS]);
    assert.equal(base.recall, trained.recall);
    assert.ok(
      trained.recall >= 0.995 && trained.lists > 100 && trained.nprobe < trained.lists,
      String(trained.nprobe),
    );
    assert.equal(trained.reused, false);
    let right = 0;
    for (let i = 0; i < 200; i++) {
      const person = Math.floor((i * ROWS) / PER_PERSON / 200);
      const probe = made.probe(`${person}/0`);
      const { rows, distances } = await base.search(probe, 2);
      if (Math.floor(rows[0] / PER_PERSON) === person) right += 1;
      // Exact, though found by codes.
      for (const [j, row] of rows.entries()) {
        const exact = vectors[row].reduce((sum, v, at) => sum + (v - probe[at]) ** 2, 0);
        assert.ok(Math.abs(distances[j] - exact) < 1e-5);
      }
      assert.ok(distances[0] <= distances[1]);
    }
    assert.ok(right >= 190, `${right} of 200`);
  });

  it('answer exactly once all lists are read, in all rows and in ranges, without those that were removed', async (t) => {
    const base = await opened(t, trained.lists);
    const gone = new Set<number>();
    for (let i = 0; i < 3; i++) {
      const query = i % 2 === 0 ? vectors[i * 100] : randomUnitVector(random, LENGTH);
      for (const ranges of [
        undefined,
        [
          { first: 10, end: 29_000 },
          { first: 29_001, end: ROWS - 1 },
        ],
        [
          { first: 5, end: 700 },
          { first: 50_000, end: 50_001 },
        ],
      ])
        for (const k of [1, 9])
          assertSame(
            await base.search(query, k, ranges),
            reference(vectors, query, k, { ranges, gone }),
            `search ${i}, k ${k}`,
          );
      base.remove({ first: i * 100, end: i * 100 + 70 });
      for (let row = i * 100; row < i * 100 + 70; row++) gone.add(row);
    }
  });

  it('are read further until there are enough, or no more', async (t) => {
    const base = await opened(t, 1);
    // What is left lies somewhere among the lists.
    const left = [7, 30_000, ROWS - 1];
    for (const [first, end] of [
      [0, 7],
      [8, 30_000],
      [30_001, ROWS - 1],
    ])
      base.remove({ first, end });
    for (const k of [1, 2, 3, 9, 2 ** 31 - 1]) {
      const { rows } = await base.search(vectors[9000], k);
      assert.equal(rows.length, Math.min(k, left.length));
      assert.ok(rows.every((row) => left.includes(row)));
    }
    assert.deepEqual([...(await base.search(vectors[0], 5, [{ first: 8, end: ROWS - 1 }])).rows], [30_000]);
    base.remove({ first: 0, end: ROWS });
    assert.equal((await base.search(vectors[0], 1)).rows.length, 0);
  });

  it('never answer what was removed before the search began, while others run', async (t) => {
    const base = await opened(t);
    const searches: Promise<void>[] = [];
    for (let row = 0; row < 600; row++) {
      const query = vectors[row];
      searches.push(
        base.search(query, 3).then(({ rows }) => {
          assert.equal(rows.length, 3);
        }),
      );
      base.remove({ first: row, end: row + 1 });
      searches.push(
        base.search(query, 3).then(({ rows }) => {
          assert.ok(!rows.includes(row));
        }),
      );
    }
    const closed = base.close();
    assert.throws(() => base.search(vectors[0], 1), /closed/);
    await Promise.all(searches);
    await closed;
  });

  it('are refused with a reason where one byte has changed, the end is missing or the vectors are others', async () => {
    const whole = await readFile(options.listsFile);
    const listsFile = `${options.listsFile}.damaged`;
    const open = (what: object = {}) => openMappedVectors({ ...options, listsFile, ...what });
    for (
      let at = 0;
      at < whole.length;
      at = at < 200 ? at + 9 : at < 5000 ? at + 700 : at + 40_000 + Math.floor(random() * 40_000)
    ) {
      const bytes = Buffer.from(whole);
      bytes[at] ^= 1 << Math.floor(random() * 8);
      await writeFile(listsFile, bytes);
      await assert.rejects(open(), /damaged, .*lists\.ivf/, `byte ${at}`);
    }
    for (const length of [
      0,
      1,
      100,
      4095,
      4096,
      5000,
      whole.length >> 1,
      whole.length - 1,
      whole.length + 1,
    ]) {
      await writeFile(listsFile, whole);
      await truncate(listsFile, length);
      await assert.rejects(open(), /damaged, .*lists\.ivf/, `${length} bytes`);
    }
    await assert.rejects(open({ listsFile: `${listsFile}.none` }), /cannot open/);
    const other = `${options.vectorsFile}.other`;
    await writeFile(other, new Uint8Array(4 * LENGTH * 10));
    await assert.rejects(
      open({ vectorsFile: other, rows: 10, listsFile: options.listsFile }),
      /of other vectors/,
    );
  });

  it('are the same however often they are made, and take over the centres of older ones', async () => {
    assert.ok(shares.every((share, i) => share >= 0 && share <= 1 && (i === 0 || share >= shares[i - 1])));
    const listsFile = `${options.listsFile}.again`;
    await trainLists({ ...options, listsFile });
    assert.ok((await readFile(listsFile)).equals(await readFile(options.listsFile)));
    const older = await trainLists({ ...options, listsFile, from: options.listsFile, threads: 2 });
    assert.equal(older.reused, true);
    assert.ok(older.recall >= 0.995 && older.nprobe < trained.nprobe * 1.5);

    // A third of the rows is another gallery; what is damaged or missing is no help.
    const fewer = { ...options, vectorsFile: `${options.vectorsFile}.fewer`, rows: ROWS / 3, listsFile };
    await copyFile(options.vectorsFile, fewer.vectorsFile);
    await truncate(fewer.vectorsFile, fewer.rows * LENGTH * 4);
    await writeFile(`${listsFile}.damaged`, 'lists');
    for (const from of [options.listsFile, `${listsFile}.damaged`, `${listsFile}.none`])
      assert.equal((await trainLists({ ...fewer, from })).reused, false);
    const base = await openMappedVectors(fewer);
    assert.deepEqual([...(await base.search(vectors[1234], 1)).rows], [1234]);
    await base.close();
  });

  it('are made of one row, of equal rows, and not of fewer lists than one', async (t) => {
    for (const rows of [1, 2, 5, 400]) {
      const vectorsFile = await written(
        t,
        Array.from({ length: rows }, () => Float32Array.of(0.6, 0.8)),
      );
      const few = { vectorsFile, listsFile: `${vectorsFile}.lists`, length: 2, rows };
      assert.equal((await trainLists(few)).recall, 1);
      await (await openMappedVectors(few)).close();
      await assert.rejects(trainLists({ ...few, lists: 0 }), RangeError);
      await assert.rejects(trainLists({ ...few, rows: rows + 1 }), /not as long as its rows/);
    }
  });

  it('are not made on a full disk, and no part of them is left', { skip: NO_SMALL_DISK }, async (t) => {
    const disk = await smallDisk(t);
    const listsFile = path.join(disk.folder, 'lists.ivf');
    await assert.rejects(trainLists({ ...options, listsFile }), /cannot write .*lists\.ivf: No space left/);
    assert.equal(existsSync(listsFile), false);
  });

  it('leave alone whoever has mapped a file that is made anew', async () => {
    const listsFile = `${options.listsFile}.mapped`;
    await copyFile(options.listsFile, listsFile);
    const base = await openMappedVectors({ ...options, listsFile });
    await trainLists({ ...options, listsFile, from: listsFile, lists: 10 });
    assert.deepEqual([...(await base.search(vectors[4], 1)).rows], [4]);
    await base.close();
  });

  it('make a search fail, and nothing else, where the vectors cannot be read any more', async () => {
    const vectorsFile = `${options.vectorsFile}.cut`;
    await copyFile(options.vectorsFile, vectorsFile);
    const base = await openMappedVectors({ ...options, vectorsFile });
    await truncate(vectorsFile, 0);
    await assert.rejects(base.search(vectors[4], 1), /shorter than it was/);
    assert.throws(() => base.vectorAt(0), /shorter than it was/);
    await base.close();
  });

  it('are not made once the training is cancelled, and no file is left', async () => {
    const listsFile = `${options.listsFile}.cancelled`;
    const controller = new AbortController();
    const training = trainLists({ ...options, listsFile, signal: controller.signal });
    controller.abort();
    await assert.rejects(training, /cancelled/);
    await assert.rejects(trainLists({ ...options, listsFile, signal: controller.signal }), /abort/i);
    assert.equal(existsSync(listsFile), false);
  });

  async function opened(
    t: { after: (work: () => Promise<void>) => void },
    nprobe?: number,
  ): Promise<BaseVectors> {
    const base = await openMappedVectors({ ...options, nprobe });
    t.after(() => base.close());
    return base;
  }
});
