import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { openPack, openVision } from '../../../src/cli/shared/parts.js';
import { loadConfig } from '../../../src/settings/config.js';
import { readOwnPack } from '../../../src/models/packs/own-pack.js';
import { squaredDistance } from '../../../src/gallery/distance.js';
import { decodeImage } from '../../../src/vision/image.js';
import { tinyNetwork, writeOwnPack } from '../../support/own-pack.js';
import { portrait } from '../../support/photographs.js';
import { temporaryFolder } from '../../support/temporary.js';

const SIZE = 32;
const CELLS = 4;
const EMBEDDER = {
  file: 'tiny.onnx',
  size: SIZE,
  length: 3 * CELLS * CELLS,
  output: 'fc1',
  alignment: 'chip',
};

const manifest = (embedder: object) => ({
  ...{ format: 'kaomon-pack', title: 'Mine', licence: 'none', detector: 'ssd' },
  ...{ embedder: { ...EMBEDDER, ...embedder }, thresholds: { identical: 0.5, sure: 0.2 } },
});

async function write(t: TestContext, embedder: object): Promise<string> {
  const modelsDir = await temporaryFolder(t);
  await writeOwnPack(modelsDir, 'mine', manifest(embedder), tinyNetwork({ size: SIZE, cells: CELLS }));
  return modelsDir;
}

/** What the tiny network answers for a crop, as unit vector: worked out by hand. */
function meansOf(crop: Uint8Array): Float32Array {
  const means = new Float64Array(3 * CELLS * CELLS);
  const side = SIZE / CELLS;
  for (let y = 0; y < SIZE; y++)
    for (let x = 0; x < SIZE; x++)
      for (let channel = 0; channel < 3; channel++)
        means[channel * CELLS ** 2 + Math.floor(y / side) * CELLS + Math.floor(x / side)] +=
          crop[(y * SIZE + x) * 3 + channel];
  return unit(means);
}

function unit(vector: Float64Array): Float32Array {
  const length = Math.hypot(...vector);
  return Float32Array.from(vector, (value) => value / length);
}

const mirrored = (crop: Uint8Array) =>
  crop.map((_, i) => {
    const [x, row] = [Math.floor(i / 3) % SIZE, Math.floor(i / 3 / SIZE)];
    return crop[(row * SIZE + SIZE - 1 - x) * 3 + (i % 3)];
  });

describe('a pack of one’s own with views and padding', () => {
  it('enrols the mean of all its views, and recognises by one look', async (t) => {
    const look = await opened(t, { views: [{}, { mirrored: true }] });
    const probe = await look(false);
    const enrolled = await look(true);
    assert.deepEqual(probe.crop, enrolled.crop);
    const [plain, other] = [meansOf(probe.crop), meansOf(mirrored(probe.crop))];
    assert.ok(squaredDistance(plain, other) > 1e-3, 'the two views differ');
    assert.ok(squaredDistance(probe.embedding, plain) < 1e-6);
    const mean = unit(Float64Array.from(plain, (value, i) => value + other[i]));
    assert.ok(squaredDistance(enrolled.embedding, mean) < 1e-6);
  });

  it('has no other look where it names no views', async (t) => {
    const look = await opened(t, {});
    assert.deepEqual((await look(true)).embedding, (await look(false)).embedding);
  });

  it('leaves as much around the face as its padding says', async (t) => {
    const tight = (await (await opened(t, { padding: 0 }))(false)).crop;
    const wide = (await (await opened(t, { padding: 0.5 }))(false)).crop;
    // The middle half of the wide one is the tight one at half its size.
    let sum = 0;
    for (let y = 0; y < SIZE / 2; y++)
      for (let x = 0; x < SIZE / 2; x++)
        for (let channel = 0; channel < 3; channel++) {
          const at = (row: number, column: number) => (row * SIZE + column) * 3 + channel;
          const four = [
            at(2 * y, 2 * x),
            at(2 * y, 2 * x + 1),
            at(2 * y + 1, 2 * x),
            at(2 * y + 1, 2 * x + 1),
          ];
          const mean = four.reduce((total, i) => total + tight[i] / 4, 0);
          sum += Math.abs(wide[at(SIZE / 4 + y, SIZE / 4 + x)] - mean);
        }
    assert.ok(sum / (3 * (SIZE / 2) ** 2) < 10, `differs by ${sum / (3 * (SIZE / 2) ** 2)}`);
    assert.notDeepEqual(tight, wide);
  });

  for (const [what, embedder, says] of [
    ['a padding beyond 2', { padding: 2.5 }, /embedder\.padding/],
    ['a padding below 0', { padding: -0.1 }, /embedder\.padding/],
    ['no view at all', { views: [] }, /embedder\.views/],
    ['33 views', { views: Array(33).fill({}) }, /embedder\.views/],
    ['a view of another kind', { views: [{ turned: 5 }] }, /embedder\.views\.0/],
    ['a scale of 3', { views: [{ scale: 3 }] }, /embedder\.views\.0\.scale/],
    ['a shift to one side alone', { views: [{ shift: [1] }] }, /embedder\.views\.0\.shift/],
    ['a moved view of a box', { alignment: 'box', views: [{ scale: 1.1 }] }, /only be mirrored .* box/],
    ['a shifted view of face-api’s square', { alignment: 'faceapi', views: [{ shift: [0, 1] }] }, /faceapi/],
  ] as const) {
    it(`is refused by name for ${what}`, async (t) => {
      const modelsDir = await write(t, embedder);
      await assert.rejects(readOwnPack('mine', modelsDir), { code: 'SETUP', message: says });
    });
  }

  it('may mirror a box, and moves what is cut by points', async (t) => {
    for (const embedder of [
      { alignment: 'box', views: [{}, { mirrored: true, scale: 1, shift: [0, 0] }] },
      { alignment: 'five-points', views: [{ scale: 0.9, shift: [2, -2] }] },
    ]) {
      const read = await readOwnPack('mine', await write(t, embedder));
      assert.deepEqual(read?.embedder.views, embedder.views);
    }
  });
});

/** @returns looks at a portrait: with the pack's views, or with one look */
async function opened(t: TestContext, embedder: object) {
  const modelsDir = await write(t, embedder);
  const config = loadConfig({ MODELS_DIR: modelsDir, VISION_THREADS: '1' });
  const vision = await openVision(await openPack('mine', config), config);
  t.after(() => vision.close());
  const picture = await portrait('ann');
  return async (views: boolean) => {
    const { faces } = await vision.analyze(Uint8Array.from(picture), { views, crops: true, maxFaces: 1 });
    const [{ embedding, crop }] = faces;
    assert.ok(embedding && crop);
    return { embedding, crop: (await decodeImage(crop, { maxPixels: 1e6 })).data };
  };
}
