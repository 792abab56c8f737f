import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { KaomonError } from '../../src/platform/errors.js';
import { preparePack } from '../../src/models/packs/prepare.js';
import type { ReadyEmbedder } from '../../src/models/types.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { createEmbedder } from '../../src/vision/embedder.js';
import { Runtime } from '../../src/vision/ort.js';
import { type Manifest, tinyNetwork, type TinyNetwork, writeOwnPack } from '../support/own-pack.js';
import { temporaryFolder } from '../support/temporary.js';

const SIZE = 4;
const runtime = () => new Runtime({ providers: ['cpu'], threads: 1 });

/** A network of one cell a channel, 4x4 pixels, and a spec that says so. */
async function embedder(
  t: TestContext,
  spec: Partial<ReadyEmbedder> = {},
  network: Partial<TinyNetwork> = {},
) {
  const file = path.join(await temporaryFolder(t), 'tiny.onnx');
  await writeFile(file, tinyNetwork({ size: SIZE, cells: 1, ...network }));
  const made = await createEmbedder(runtime(), {
    ...{ name: 'mine', network: file, length: 3, size: SIZE, colour: 'rgb', mean: 0, scale: 1 },
    ...{ alignment: 'box', input: 'data', output: 'fc1' },
    ...spec,
  });
  t.after(() => made.release());
  return made;
}

/** A face of one colour. */
const plain = (red: number, green: number, blue: number) =>
  Uint8Array.from({ length: 3 * SIZE * SIZE }, (_, i) => [red, green, blue][i % 3]);
const rounded = (vector: Float32Array) => Array.from(vector, (value) => Math.round(value * 1000) / 1000);

describe("a user's own embedder", () => {
  it('is fed through its input and read from its output, whatever they are called', async (t) => {
    const mine = await embedder(t);
    assert.deepEqual(rounded((await mine.embed([plain(30, 0, 40)]))[0]), [0.6, 0, 0.8]);
  });

  it('finds its only input, and the output "embeddings", without their names', async (t) => {
    const mine = await embedder(t, { input: undefined, output: undefined }, { output: 'embeddings' });
    assert.deepEqual(rounded((await mine.embed([plain(30, 0, 40)]))[0]), [0.6, 0, 0.8]);
  });

  it('takes blue first, less the mean, times the scale', async (t) => {
    const mine = await embedder(t, { colour: 'bgr', mean: 100, scale: 0.01 });
    assert.deepEqual(rounded((await mine.embed([plain(70, 100, 140)]))[0]), [0.8, 0, -0.6]);
  });

  it('gives a network that takes one face a run one face a run', async (t) => {
    const mine = await embedder(t, {}, { batch: 1 });
    const vectors = await mine.embed([plain(1, 0, 0), plain(0, 1, 0), plain(0, 0, 1)]);
    assert.deepEqual(vectors.map(rounded), [
      [1, 0, 0],
      [0, 1, 0],
      [0, 0, 1],
    ]);
  });

  const refusals: [
    title: string,
    spec: Partial<ReadyEmbedder>,
    network: Partial<TinyNetwork>,
    says: RegExp,
  ][] = [
    ['an input it does not have', { input: 'x' }, {}, /mine says: it has no input "x"; it has "data"/],
    ['an output it does not have', { output: 'y' }, {}, /no output "y"; it has "brightness", "fc1"/],
    [
      'another size',
      { size: 8 },
      {},
      /input "data" \(\[n, 3, 4, 4\] of float32\) does not take \[n, 3, 8, 8\]/,
    ],
    ['another length', { length: 4 }, {}, /output "fc1" \(\[n, 3\] of float32\) is not \[n, 4\]/],
    ['so many faces at once and no other number', {}, { batch: 4 }, /takes 4 faces at once/],
  ];
  for (const [title, spec, network, says] of refusals) {
    it(`is refused by name for ${title}`, async (t) => {
      await assert.rejects(embedder(t, spec, network), (error: unknown) => {
        assert.ok(error instanceof KaomonError);
        assert.equal(error.code, 'NO_MODEL');
        assert.match(error.message, says);
        return true;
      });
    });
  }

  it('becomes a pack by its manifest', async (t) => {
    const modelsDir = await temporaryFolder(t);
    // The example of the manual, but for what the tiny network is in place of ArcFace.
    const manual = await readFile(path.join(PROJECT_ROOT, 'docs', 'models.md'), 'utf8');
    const manifest = JSON.parse(/```json\n([^`]*)```/.exec(manual)?.at(1) ?? '') as Manifest;
    manifest.detector = 'ssd';
    Object.assign(manifest.embedder, { file: 'tiny.onnx', size: 32, length: 48 });
    const { input, output } = manifest.embedder;
    await writeOwnPack(modelsDir, 'my-pack', manifest, tinyNetwork({ size: 32, cells: 4, input, output }));
    const pack = await preparePack('my-pack', { modelsDir });
    assert.equal(pack.id, 'my-pack');
    assert.deepEqual(pack.thresholds, manifest.thresholds);
    assert.equal(pack.embedder.alignment, 'five-points');
    const mine = await createEmbedder(runtime(), pack.embedder);
    t.after(() => mine.release());
    const [vector] = await mine.embed([new Uint8Array(3 * 32 * 32).fill(255)]);
    assert.equal(vector.length, 48);
  });
});
