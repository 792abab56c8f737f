import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { mapFile } from '../../../src/gallery/base/mapped-file.js';
import { openMappedVectors, segmentsRefusal } from '../../../src/gallery/base/mapped-vectors.js';
import { assertSame, opened, reference, written } from '../../support/segments.js';
import { temporaryFolder } from '../../support/temporary.js';
import { randomUnitVector, seededRandom } from '../../support/vectors.js';

const skip = segmentsRefusal() ?? false;

describe('mapped vectors without lists', { skip }, () => {
  it('are searched exactly, whatever the length, in all rows and in ranges, without those that were removed', async (t) => {
    const random = seededRandom(1);
    for (const length of [1, 5, 64, 100, 128]) {
      const vectors = Array.from({ length: 3000 }, () => randomUnitVector(random, length));
      // The same one several times over: the first rows count as the nearest.
      for (const row of [17, 1400, 2999]) vectors[row] = vectors[3];
      const base = await opened(t, vectors, length);
      assert.deepEqual([base.kind, base.rows, base.recall], ['flat', 3000, 1]);
      const gone = new Set<number>();
      for (let i = 0; i < 30; i++) {
        const query = i % 3 === 0 ? vectors[3] : randomUnitVector(random, length);
        const cuts = Array.from({ length: 4 }, () => Math.floor(random() * 3001)).sort((a, b) => a - b);
        const ranges = [
          { first: cuts[0], end: cuts[1] },
          { first: cuts[2], end: cuts[3] },
        ];
        for (const [k, within] of [
          [1, undefined],
          [12, undefined],
          [1, ranges],
          [50, ranges],
          [5, [{ first: cuts[0], end: Math.min(cuts[0] + 3, 3000) }]],
          [4, []],
        ] as const)
          if (length > 1 || query === vectors[3])
            assertSame(
              await base.search(query, k, within),
              reference(vectors, query, k, { ranges: within, gone }),
              `length ${length}, search ${i}, k ${k}`,
            );
        const first = Math.floor(random() * 2990);
        const end = first + Math.floor(random() * 10);
        base.remove({ first, end });
        for (let row = first; row < end; row++) gone.add(row);
      }
    }
  });

  it('are all found when k is larger than their number, and none when there are none', async (t) => {
    const one = Float32Array.of(3, 4);
    const base = await opened(t, [one], 2);
    assert.deepEqual(await base.search(Float32Array.of(0, 0), 2 ** 31 - 1), {
      rows: Uint32Array.of(0),
      distances: Float32Array.of(25),
    });
    assert.deepEqual(base.vectorAt(0), one);
    base.remove({ first: 0, end: 1 });
    assert.equal((await base.search(one, 1)).rows.length, 0);
    // Still itself, and a copy.
    base.vectorAt(0)[0] = 9;
    assert.deepEqual(base.vectorAt(0), one);

    const into = new Float32Array(6);
    base.copyRows({ first: 0, end: 1 }, into, 1);
    assert.deepEqual(into, Float32Array.of(0, 0, 3, 4, 0, 0));
    for (const [rows, at] of [
      [{ first: 0, end: 2 }, 0],
      [{ first: 1, end: 0 }, 0],
      [{ first: 0, end: 1 }, 3],
    ] as const)
      assert.throws(() => base.copyRows(rows, into, at), RangeError);

    const none = await opened(t, [], 2);
    assert.equal((await none.search(one, 3)).rows.length, 0);
    none.remove({ first: 0, end: 0 });
    assert.throws(() => none.vectorAt(0), RangeError);
  });

  it('refuse a file that is cut, longer, missing, a folder or a pipe', async (t) => {
    const file = await written(t, [Float32Array.of(1, 2), Float32Array.of(3, 4)]);
    const folder = path.dirname(file);
    execFileSync('mkfifo', [path.join(folder, 'pipe')]);
    for (const [vectorsFile, rows, why] of [
      [file, 1, /not as long as its rows/],
      [file, 3, /not as long as its rows/],
      [`${file}x`, 2, /cannot open .*No such file/],
      [folder, 2, /not a file/],
      [path.join(folder, 'pipe'), 2, /not a file/],
    ] as const)
      await assert.rejects(openMappedVectors({ vectorsFile, length: 2, rows }), why);
  });

  it('refuse a range that is none', async (t) => {
    const base = await opened(t, [Float32Array.of(1, 2), Float32Array.of(3, 4)], 2);
    const search = (...ranges: [number, number][]) =>
      base.search(
        Float32Array.of(0, 0),
        1,
        ranges.map(([first, end]) => ({ first, end })),
      );
    for (const ranges of [
      [[0, 3]],
      [[-1, 1]],
      [[1, 0]],
      [[0, 0.5]],
      [[0, 2 ** 32 + 1]],
      [
        [1, 2],
        [0, 1],
      ],
    ] as [number, number][][])
      assert.throws(() => search(...ranges), RangeError);
    for (const [first, end] of [
      [-1, 0],
      [0, 3],
      [1, 0],
      [0, 0.5],
    ])
      assert.throws(() => base.remove({ first, end }), RangeError);
    for (const row of [-1, 2, 0.5]) assert.throws(() => base.vectorAt(row), RangeError);
  });

  it('answer the searches that run when they are closed, and nothing afterwards', async (t) => {
    const vectors = Array.from({ length: 9000 }, () => randomUnitVector(Math.random, 256));
    const base = await opened(t, vectors, 256);
    const running = Array.from({ length: 20 }, (_, row) => base.search(vectors[row], 1));
    const closed = base.close();
    assert.throws(() => base.search(vectors[0], 1), /closed/);
    assert.throws(() => {
      base.remove({ first: 0, end: 1 });
    }, /closed/);
    assert.throws(() => base.vectorAt(0), /closed/);
    await closed;
    for (const [row, search] of running.entries()) assert.deepEqual([...(await search).rows], [row]);
  });
});

describe('a mapped file', () => {
  it('is its bytes, an empty one too; what is no file is refused', async (t) => {
    const folder = await temporaryFolder(t);
    const file = path.join(folder, '顔.bin');
    await writeFile(file, 'faces');
    assert.equal(Buffer.from(mapFile(file)).toString(), 'faces');
    // Writes stay here.
    new Uint8Array(mapFile(file))[0] = 0;
    assert.equal(Buffer.from(mapFile(file)).toString(), 'faces');
    await writeFile(path.join(folder, 'empty'), '');
    assert.equal(mapFile(path.join(folder, 'empty')).byteLength, 0);
    assert.throws(() => mapFile(path.join(folder, 'none')), /no such file|cannot open/i);
    assert.throws(() => mapFile(folder), /not a file|EISDIR/);
  });
});
