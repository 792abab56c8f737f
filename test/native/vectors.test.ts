import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openFaissVectors } from '../../src/gallery/index/faiss-addon.js';
import { WITHOUT_FAISS } from '../support/engines.js';

describe('our class in faiss-node’s binary', { skip: WITHOUT_FAISS }, () => {
  it('measures rightly, whatever the length', async () => {
    for (const length of [1, 15, 64, 100, 512]) {
      const a = Float32Array.from({ length }, (_, i) => Math.sin(i));
      const b = Float32Array.from({ length }, (_, i) => Math.cos(3 * i));
      const vectors = openFaissVectors(length);
      assert.equal(vectors.add(b), 0);
      const expected = a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0);
      const { distances, labels } = await vectors.search(a, 1);
      assert.equal(labels[0], 0);
      assert.ok(Math.abs(distances[0] - expected) < 1e-5 * length);
    }
  });

  // A sanitizer keeps what was freed.
  it(
    'keeps its memory level over 50,000 searches',
    { skip: process.env.KAOMON_CHECKED !== undefined },
    async () => {
      const vectors = openFaissVectors(512);
      for (let i = 0; i < 4; i++) vectors.add(new Float32Array(512).fill(0.5));
      const query = new Float32Array(512);
      const search = async (times: number) => {
        for (let i = 0; i < times; i++) await vectors.search(query, 1);
      };
      await search(5000);
      const before = process.memoryUsage.rss();
      await search(50_000);
      // A query that was not freed would be 100 MB by now.
      assert.ok(process.memoryUsage.rss() - before < 60e6);
    },
  );

  it('turns what faiss throws into an Error and goes on', async () => {
    const vectors = openFaissVectors(2);
    vectors.add(Float32Array.of(1, 0));
    await assert.rejects(vectors.tidy(1), /no lists/);
    const training = vectors.train(1, 1);
    assert.throws(() => vectors.tidy(1), /under way/);
    await training;
    assert.deepEqual([...(await vectors.search(Float32Array.of(0, 0), 3)).distances], [1]);
  });
});
