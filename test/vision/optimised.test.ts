import assert from 'node:assert/strict';
import { readdir, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { GraphBuilder } from '../../src/models/onnx/graph.js';
import { Runtime } from '../../src/vision/ort.js';
import { temporaryFolder } from '../support/temporary.js';

const CHANNELS = 512;

/** A network of more than a megabyte: y = W x. */
function bigNetwork(): Uint8Array {
  const g = new GraphBuilder('big');
  const x = g.input('x', ['n', CHANNELS, 1, 1]);
  const data = Float32Array.from({ length: CHANNELS * CHANNELS }, (_, i) => ((i * 7919) % 101) / 101 - 0.5);
  g.output(g.conv(x, { shape: [CHANNELS, CHANNELS, 1, 1], data }), 'y', ['n', CHANNELS, 1, 1]);
  return g.encode();
}

async function stand(t: TestContext) {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'big.onnx');
  await writeFile(file, bigNetwork());
  const input = {
    data: Float32Array.from({ length: CHANNELS }, (_, i) => i / CHANNELS),
    shape: [1, CHANNELS, 1, 1],
  };
  return {
    cacheDir: path.join(folder, 'cache'),
    answer: async (cacheDir?: string): Promise<number[]> => {
      const runtime = new Runtime({ providers: ['cpu'], threads: 1, ...(cacheDir && { cacheDir }) });
      const network = await runtime.open(file, { x: input });
      const { y } = await network.run({ x: input });
      const numbers = [...y];
      await network.release();
      return numbers;
    },
  };
}

function assertClose(actual: number[], expected: number[]): void {
  assert.equal(actual.length, expected.length);
  const largest = Math.max(...actual.map((value, i) => Math.abs(value - expected[i])));
  assert.ok(largest < 1e-4, `differs by ${largest}`);
}

describe('networks as they are optimised for this machine', () => {
  it('are kept in the cache, once, and answer as the network itself', async (t) => {
    const { cacheDir, answer } = await stand(t);
    const expected = await answer();
    assertClose(await answer(cacheDir), expected);
    const kept = await readdir(path.join(cacheDir, 'networks'));
    assert.equal(kept.length, 1);
    assert.deepEqual(await readdir(path.join(cacheDir, 'networks', kept[0])), ['network.ort']);
    assertClose(await answer(cacheDir), expected);
    assert.deepEqual(await readdir(path.join(cacheDir, 'networks')), kept);
  });

  it('are done without when the cache is damaged or cannot be written', async (t) => {
    const { cacheDir, answer } = await stand(t);
    const expected = await answer();
    await answer(cacheDir);
    const [kept] = await readdir(path.join(cacheDir, 'networks'));
    const network = path.join(cacheDir, 'networks', kept, 'network.ort');
    const { size } = await stat(network);
    for (const left of [0, 100, Math.floor(size / 2), size - 4096]) {
      await truncate(network, left);
      assertClose(await answer(cacheDir), expected);
      // It is made anew, not met damaged at every start.
      assertClose(await answer(cacheDir), expected);
      assert.equal((await stat(network)).size, size);
    }
    await writeFile(`${cacheDir}-file`, '');
    assertClose(await answer(`${cacheDir}-file`), expected);
  });

  it('are made by several threads at once without getting into one another’s way', async (t) => {
    const { cacheDir, answer } = await stand(t);
    const expected = await answer();
    for (const numbers of await Promise.all([answer(cacheDir), answer(cacheDir), answer(cacheDir)])) {
      assertClose(numbers, expected);
    }
    assert.equal((await readdir(path.join(cacheDir, 'networks'))).length, 1);
  });
});
