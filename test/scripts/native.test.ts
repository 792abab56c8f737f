import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { PROJECT_ROOT } from '../../src/platform/root.js';

interface FaissAddon {
  kaomonMended?: number;
  IndexFlatL2: new (length: number) => {
    add(vectors: Float32Array): void;
    search(queries: Float32Array | number[], k: number): { distances: number[]; labels: number[] };
    toBuffer(): Buffer;
  };
}
interface Mends {
  MENDS_VERSION: number;
  mendFaissNode(source: string): string;
}

const PACKAGE = path.join(PROJECT_ROOT, 'node_modules', 'faiss-node');
const compiled = existsSync(path.join(PACKAGE, 'build', 'Release', 'faiss-node.node'));
const mends = (await import(
  pathToFileURL(path.join(PROJECT_ROOT, 'scripts', 'native', 'faiss-mends.mjs')).href
)) as Mends;

describe("the mends to faiss-node's source", () => {
  it('fit the installed version', async () => {
    const source = await readFile(path.join(PACKAGE, 'src', 'faiss.cc'), 'utf8');
    const mended = mends.mendFaissNode(source);
    assert.doesNotMatch(mended, /new float\[|new faiss::VectorIO/);
    assert.match(mended, /kaomonMended/);
  });

  it('refuse a source they do not fit instead of patching it blindly', () => {
    assert.throws(() => mends.mendFaissNode('int main() {}'), /faiss-node has changed/);
  });
});

describe(
  'the compiled faiss-node',
  { skip: compiled ? false : 'faiss-node could not be compiled here' },
  () => {
    const faiss = compiled ? (createRequire(import.meta.url)('faiss-node') as FaissAddon) : undefined;

    it('says that it is mended', () => {
      assert.equal(faiss?.kaomonMended, mends.MENDS_VERSION);
    });

    it('keeps its memory level over 100,000 queries, which cost 200 MB unmended', () => {
      assert.ok(faiss);
      const index = new faiss.IndexFlatL2(512);
      index.add(new Float32Array(512 * 4).fill(0.5));
      const query = new Float32Array(512);
      const search = (times: number) => {
        for (let i = 0; i < times; i++) index.search(query, 1);
      };
      search(10_000);
      const before = process.memoryUsage().rss;
      search(100_000);
      assert.ok(process.memoryUsage().rss - before < 60e6);
    });

    it('measures with our distance in the place of its own, whatever the length', () => {
      assert.ok(faiss);
      for (const length of [1, 15, 64, 100, 512]) {
        const a = Float32Array.from({ length }, (_, i) => Math.sin(i));
        const b = Float32Array.from({ length }, (_, i) => Math.cos(3 * i));
        const index = new faiss.IndexFlatL2(length);
        index.add(b);
        const expected = a.reduce((sum, v, i) => sum + (v - b[i]) ** 2, 0);
        assert.ok(Math.abs(index.search(a, 1).distances[0] - expected) < 1e-5 * length);
      }
    });

    it("turns faiss's exceptions into JavaScript's and goes on", () => {
      assert.ok(faiss);
      const index = new faiss.IndexFlatL2(4);
      assert.throws(() => index.add(new Float32Array(3)), /length/);
      assert.throws(() => index.search(['a'] as unknown as number[], 0), /Number/);
      index.add(new Float32Array([0, 0, 0, 1]));
      assert.deepEqual(index.search([0, 0, 0, 3], 1), { distances: [4], labels: [0] });
    });
  },
);
