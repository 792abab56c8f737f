import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inPieces } from '../../../src/gallery/archive/pieces.js';

describe('pieces of an export', () => {
  const lengths = async (sizes: number[], size: number) => {
    const chunks = sizes.map((length, i) => Buffer.alloc(length, i + 1));
    const pieces: Buffer[] = [];
    // eslint-disable-next-line @typescript-eslint/require-await -- as the members come
    const source = async function* () {
      yield* chunks;
    };
    for await (const piece of inPieces(source(), size)) pieces.push(piece);
    assert.deepEqual(Buffer.concat(pieces), Buffer.concat(chunks));
    return pieces.map(({ length }) => length);
  };

  it('are never as small as lines, and as large as asked for where they can be', async () => {
    assert.deepEqual(await lengths([], 10), []);
    assert.deepEqual(await lengths([1, 2, 3], 10), [6]);
    assert.deepEqual(await lengths([4, 4, 4, 4], 10), [8, 8]);
    assert.deepEqual(await lengths([1, 30, 1, 1], 10), [1, 30, 2]);
    assert.deepEqual(await lengths([10, 10], 10), [10, 10]);
    assert.deepEqual(await lengths(new Array<number>(1000).fill(1), 256), [256, 256, 256, 232]);
  });
});
