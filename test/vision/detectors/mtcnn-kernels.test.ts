import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { readMtcnnWeights } from '../../../src/models/onnx/mtcnn-weights.js';
import { createAnalyzer } from '../../../src/vision/analyzer.js';
import { AreaTable } from '../../../src/vision/area.js';
import { chooseMtcnnEngine } from '../../../src/vision/detectors/mtcnn-choice.js';
import {
  type Band,
  type MtcnnEngine,
  type MtcnnFiles,
  SCORES,
  windowsAlong,
} from '../../../src/vision/detectors/mtcnn-engine.js';
import { openMtcnnKernels } from '../../../src/vision/detectors/mtcnn-kernels.js';
import { openMtcnnOnnx } from '../../../src/vision/detectors/mtcnn-onnx.js';
import { decodeImage } from '../../../src/vision/image.js';
import { Runtime } from '../../../src/vision/ort.js';
import type { Picture } from '../../../src/vision/types.js';
import { benchPack } from '../../support/bench-pack.js';
import {
  KERNELS,
  type Nets,
  NETS,
  publishedNets,
  removeNetworks,
  seededNets,
  writeNetworks,
} from '../../support/mtcnn-engines.js';
import { pnetInFloat64 } from '../../support/mtcnn-float64.js';
import { seededPicture } from '../../support/seeded-weights.js';
import { SHARED_MISSING, shared } from '../../support/shared.js';
import { seededRandom } from '../../support/vectors.js';

/** A probability that every window has. */
const ANY = 1e-30;
/** Where P-Net's windows are chosen. */
const THRESHOLD = 0.6;
/** How far two ways of rounding may lead apart, probabilities and shares of a window. */
const NEAR = 2e-5;
/** Without a compiler there is nothing to test. */
const skip = KERNELS.length > 0 ? false : 'native/detector was not compiled here';

const runtime = new Runtime({ providers: ['cpu'], threads: 1 });

function kernelsOf(files: MtcnnFiles): MtcnnEngine[] {
  return KERNELS.map((name) => {
    const engine = openMtcnnKernels(files.weights, name);
    if (typeof engine === 'string') assert.fail(engine);
    return engine;
  });
}

/** What P-Net says of each window of a band: probability and four sides. */
async function windowsOf(engine: MtcnnEngine, table: AreaTable, band: Band, threshold = ANY) {
  const said: number[][] = [];
  await engine.scan(table, band, threshold, (column, row, probability, sides, from, step) => {
    const moves = [0, 1, 2, 3].map((side) => sides[from + side * step]);
    said.push([column, row, probability, ...moves]);
  });
  return said;
}

function tableOf(picture: Picture): AreaTable {
  const table = new AreaTable();
  table.load(picture);
  return table;
}

/** Noise, so that no two neighbouring windows are alike. */
function noise(width: number, height: number, random: () => number): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) data[i] = random() * 256;
  return { data, width, height };
}

function assertNear(found: readonly number[][], expected: readonly number[][], what: string): void {
  assert.equal(found.length, expected.length, `${what}: number of windows`);
  for (const [i, window] of found.entries()) {
    const wanted = expected[i];
    const isNear = window.every((value, k) => Math.abs(value - wanted[k]) < (k < 2 ? 1 : NEAR));
    if (!isNear) assert.fail(`${what}: window ${i} is ${window.join(', ')}, not ${wanted.join(', ')}`);
    const changes = window[2] >= THRESHOLD !== wanted[2] >= THRESHOLD;
    if (changes) assert.fail(`${what}: window ${i} changes sides: ${window[2]}, not ${wanted[2]}`);
  }
}

describe('MTCNN in loops of our own', { skip }, () => {
  let files: MtcnnFiles;
  let onnx: MtcnnEngine;
  let kernels: MtcnnEngine[];

  before(async () => {
    files = await writeNetworks(seededNets());
    onnx = await openMtcnnOnnx(runtime, files);
    kernels = kernelsOf(files);
  });
  after(async () => {
    await onnx.release();
    await removeNetworks(files);
  });

  it('P-Net says what ONNX Runtime says of every window, whatever the size, the band and what was there before', async () => {
    const random = seededRandom(19);
    const below = (n: number) => Math.floor(random() * n);
    const pictures = [
      ...[noise(12, 12, random), noise(13, 400, random), noise(401, 12, random), noise(97, 96, random)],
      ...[seededPicture('scene', 300, 211, 8), noise(4096, 24, random), noise(19, 4096, random)],
    ];
    for (const picture of pictures) {
      const table = tableOf(picture);
      for (let i = 0; i < 12; i++) {
        // Whole sizes first: that is the scale of the smallest faces.
        const width = i === 0 ? picture.width : 12 + below(picture.width - 11);
        const height = i === 0 ? picture.height : 12 + below(picture.height - 11);
        const all = windowsAlong(height);
        const columns = windowsAlong(width);
        if (all < 1 || columns < 1) continue;
        const rows = Math.max(1, Math.min(all, Math.floor((i % 3 === 0 ? 4000 : 600) / columns)));
        const band = { width, height, row: i % 3 === 1 ? all - rows : below(all - rows + 1), rows };
        const expected = await windowsOf(onnx, table, band);
        for (const engine of kernels)
          assertNear(
            await windowsOf(engine, table, band),
            expected,
            `${engine.kernels}, ${picture.width}x${picture.height} at ${JSON.stringify(band)}`,
          );
      }
    }
  });

  it('P-Net does in a picture of 4096x4096', async () => {
    const table = tableOf(seededPicture('large', 4096, 4096, 61));
    for (const size of [
      { width: 2458, height: 2458, row: 1221, rows: 2 },
      { width: 1743, height: 1743, row: 0, rows: 1 },
      { width: 13, height: 13, row: 0, rows: 1 },
    ]) {
      const expected = await windowsOf(onnx, table, size);
      for (const engine of kernels)
        assertNear(await windowsOf(engine, table, size), expected, engine.kernels);
    }
  });

  it('more windows than there is room for are all told of', async () => {
    const table = tableOf(seededPicture('scene', 640, 400, 8));
    const band = { width: 400, height: 250, row: 0, rows: windowsAlong(250) };
    const expected = await windowsOf(onnx, table, band);
    assert.ok(expected.length > 20_000);
    for (const engine of kernels) {
      assertNear(await windowsOf(engine, table, band), expected, engine.kernels);
      const chosen = await windowsOf(engine, table, band, THRESHOLD);
      assert.equal(chosen.length, expected.filter(([, , probability]) => probability >= THRESHOLD).length);
    }
  });

  for (const network of ['rnet', 'onet'] as const)
    it(`${network} says what ONNX Runtime says of any region, alone and with others`, async () => {
      const random = seededRandom(20);
      const table = tableOf(seededPicture('scene', 400, 300, 8));
      const count = 16;
      const regions = Int32Array.from({ length: 4 * (count + 1) }, (_, i) => [0, 0, 400, 300][i % 4]);
      for (let i = 4; i < regions.length; i += 4) {
        regions[i] = random() * 399;
        regions[i + 1] = random() * 299;
        regions[i + 2] = 1 + random() * (400 - regions[i] - 1);
        regions[i + 3] = 1 + random() * (300 - regions[i + 1] - 1);
      }
      for (const [first, some] of [
        [1, 16],
        [0, 1],
        [3, 2],
        [4, 9],
      ]) {
        const said = async (engine: MtcnnEngine) => {
          const scores = new Float32Array((count + 1) * SCORES).fill(-7);
          await engine.score(network, table, regions, first, some, scores);
          return scores;
        };
        const expected = await said(onnx);
        for (const engine of kernels) {
          const found = await said(engine);
          const used = network === 'onet' ? SCORES : 5;
          found.forEach((value, i) => {
            if (i % SCORES >= used && i >= first * SCORES && i < (first + some) * SCORES) return;
            const what = `${engine.kernels}, ${some} from ${first} on, number ${i}`;
            assert.ok(Math.abs(value - expected[i]) < NEAR, `${what}: ${value}, not ${expected[i]}`);
          });
        }
      }
    });

  it('is used on a CPU, unless ONNX Runtime is asked for or the loops cannot be had, which is said', async () => {
    const choose = async (given: MtcnnFiles, asked?: string) => {
      const { engine, refusal } = await chooseMtcnnEngine(runtime, given, asked);
      await engine.release();
      return [engine.kernels, refusal];
    };
    assert.deepEqual(await choose(files), [KERNELS[0], undefined]);
    assert.deepEqual(await choose(files, 'plain'), ['plain', undefined]);
    assert.deepEqual(await choose(files, 'onnx'), ['onnx', undefined]);
    const [engine, refusal] = await choose(files, 'avx1024');
    assert.equal(engine, 'onnx');
    assert.match(refusal ?? '', /no avx1024: it has .*plain/);
    assert.match(
      (await choose({ ...files, weights: undefined }))[1] ?? '',
      /not those that this program builds/,
    );
  });

  for (const net of NETS)
    it(`is not used where ${net} answers something else than ONNX Runtime`, async () => {
      assert.ok(files.weights);
      // One number of the many: the bias of a head.
      const wrong = Float32Array.from(files.weights[net]);
      wrong[wrong.length - 1] += 0.01;
      const weights = { ...files.weights, [net]: wrong };
      const { engine, refusal } = await chooseMtcnnEngine(runtime, { ...files, weights });
      await engine.release();
      assert.deepEqual([engine.kernels, refusal?.includes('answer something else')], ['onnx', true]);
    });

  it('takes no network that was built otherwise', async () => {
    const [pnet, rnet, onet] = await Promise.all(NETS.map((name) => readFile(files[name])));
    assert.ok(readMtcnnWeights({ pnet, rnet, onet }));
    assert.equal(readMtcnnWeights({ pnet: rnet, rnet, onet }), undefined);
    assert.equal(readMtcnnWeights({ pnet, rnet, onet: new Uint8Array(100) }), undefined);
    assert.equal(readMtcnnWeights({ pnet, rnet: rnet.subarray(0, 5000), onet }), undefined);
  });
});

describe('MTCNN in loops of our own, published weights', { skip: skip || SHARED_MISSING }, () => {
  let nets: Nets;
  let files: MtcnnFiles;
  let onnx: MtcnnEngine;
  let kernels: MtcnnEngine[];

  before(async () => {
    nets = await publishedNets();
    files = await writeNetworks(nets);
    onnx = await openMtcnnOnnx(runtime, files);
    kernels = kernelsOf(files);
  });
  after(async () => {
    await onnx.release();
    await removeNetworks(files);
  });

  const decode = async (...file: string[]) =>
    await decodeImage(await readFile(shared('images', ...file)), { maxPixels: 25_000_000 });

  it('no window of the reference pictures changes sides', async () => {
    let cells = 0;
    for (const name of readdirSync(shared('images', 'frames'))) {
      const picture = await decode('frames', name);
      const table = tableOf(picture);
      for (let scale = 12 / 20; Math.min(picture.width, picture.height) * scale >= 12; scale *= 0.709) {
        const width = Math.floor(picture.width * scale + 1);
        const height = Math.floor(picture.height * scale + 1);
        const rows = windowsAlong(height);
        if (rows < 1) continue;
        const band = { width, height, row: 0, rows };
        const expected = await windowsOf(onnx, table, band);
        cells += expected.length;
        for (const engine of kernels)
          assertNear(await windowsOf(engine, table, band), expected, `${name}, ${engine.kernels}`);
      }
    }
    assert.ok(cells > 100_000);
  });

  it('says what the network says in float64', async () => {
    const picture = await decode('frames', 'paul_rudd.jpg');
    const table = tableOf(picture);
    const band = { width: 193, height: 110, row: 0, rows: windowsAlong(110) };
    const image = new Float32Array(3 * band.width * band.height);
    table.resample(
      { x: 0, y: 0, width: picture.width, height: picture.height },
      band.width,
      band.height,
      image,
    );
    const { data, width, height } = pnetInFloat64(nets.pnet, image, band.width, band.height);
    const cells = width * height;
    for (const engine of kernels) {
      const found = await windowsOf(engine, table, band);
      const expected = Array.from({ length: cells }, (_, i) => [
        ...[i % width, Math.floor(i / width)],
        ...[0, 1, 2, 3, 4].map((plane) => data[plane * cells + i]),
      ]);
      assertNear(found, expected, engine.kernels);
    }
  });

  it('runs in a server, for which the pack brings the numbers along, and says so', async (t) => {
    const pack = await benchPack('mtcnn+faceapi');
    for (const [asked, kernels] of [
      [undefined, KERNELS[0]],
      ['plain', 'plain'],
      ['onnx', 'onnx'],
    ]) {
      const settings = { pack, providers: ['cpu'], threads: 1, maxPixels: 1_000_000, minFaceSize: 40 };
      const analyzer = await createAnalyzer({ ...settings, ...(asked !== undefined && { kernels: asked }) });
      t.after(() => analyzer.release());
      assert.deepEqual(analyzer.detector, { kernels, refusal: undefined });
    }
  });
});
