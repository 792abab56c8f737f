import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { buildONet } from '../../../src/models/onnx/graphs/onet.js';
import { buildPNet } from '../../../src/models/onnx/graphs/pnet.js';
import { buildRNet } from '../../../src/models/onnx/graphs/rnet.js';
import { type NamedTensors, readTorchState } from '../../../src/models/weights/torch-state.js';
import type { Detector } from '../../../src/vision/detectors/detector.js';
import { createMtcnnDetector, type MtcnnSettings } from '../../../src/vision/detectors/mtcnn.js';
import { decodeImage } from '../../../src/vision/image.js';
import { Runtime } from '../../../src/vision/ort.js';
import type { Detection, Picture } from '../../../src/vision/types.js';
import { largestDifference, seededGolden } from '../../support/golden.js';
import { SHARED_MISSING, shared } from '../../support/shared.js';
import { SeededMtcnn, seededPicture } from '../../support/seeded-weights.js';

/** A folder that is removed after the suite. */
async function suiteFolder(): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kaomon-test-'));
  after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

type Nets = Record<'pnet' | 'rnet' | 'onet', NamedTensors>;

async function writeNetworks(folder: string, { pnet, rnet, onet }: Nets) {
  const networks = { pnet: buildPNet(pnet), rnet: buildRNet(rnet), onet: buildONet(onet) };
  const files = { pnet: '', rnet: '', onet: '' };
  for (const name of ['pnet', 'rnet', 'onet'] as const) {
    files[name] = path.join(folder, `${name}.onnx`);
    await writeFile(files[name], networks[name]);
  }
  return files;
}

async function open(folder: string, nets: Nets, settings?: Partial<MtcnnSettings>): Promise<Detector> {
  const runtime = new Runtime({ providers: ['cpu'], threads: 1 });
  return await createMtcnnDetector(runtime, await writeNetworks(folder, nets), settings);
}

const numbersOf = ({ box, probability }: Detection) => [box.x1, box.y1, box.x2, box.y2, probability];

describe('MTCNN cascade', () => {
  const { cascade } = seededGolden();
  const { width, height, minFaceSize, thresholds } = cascade;
  const scene = seededPicture('scene', width, height, 8);
  let detector: Detector;

  before(async () => {
    const folder = await suiteFolder();
    const nets = {
      pnet: new SeededMtcnn('pnet'),
      rnet: new SeededMtcnn('rnet'),
      onet: new SeededMtcnn('onet'),
    };
    detector = await open(folder, nets, { minFaceSize, thresholds });
  });
  after(() => detector.release());

  function assertGolden(found: Detection[]): void {
    assert.equal(found.length, cascade.faces.length);
    found.forEach((face, i) => {
      const { box, probability, landmarks } = cascade.faces[i];
      assert.ok(largestDifference(numbersOf(face), [...box, probability]) < 2e-3, `face ${i}`);
      assert.ok(largestDifference(face.landmarks ?? [], landmarks) < 2e-2, `landmarks of face ${i}`);
    });
  }

  it('finds what the reference finds, largest first', async () => {
    assertGolden(await detector.detect(scene));
  });

  it('keeps nothing of the picture before', async () => {
    const other = seededPicture('other', 200, 170, 9);
    const found = (await detector.detect(other)).map(numbersOf);
    assertGolden(await detector.detect(scene));
    assert.deepEqual((await detector.detect(other)).map(numbersOf), found);
  });

  it('takes the least probability and the least size from the call', async () => {
    const strict = await detector.detect(scene, { minProbability: 0.5 });
    const expected = cascade.faces.filter(({ probability }) => probability > 0.5);
    assert.deepEqual(
      strict.map(({ probability }) => probability.toFixed(3)).sort(),
      expected.map(({ probability }) => probability.toFixed(3)).sort(),
    );
    assert.deepEqual(await detector.detect(scene, { minFaceSize: 121 }), [], 'no face of that size fits');
  });

  it('finds nothing in a picture too small for its window, and in a blank one', async () => {
    const blank = (w: number, h: number): Picture => ({
      data: new Uint8Array(w * h * 3),
      width: w,
      height: h,
    });
    for (const [w, h] of [
      [1, 1],
      [11, 400],
      [400, 11],
      [23, 23],
    ]) {
      assert.deepEqual(await detector.detect(blank(w, h)), [], `${w}x${h}`);
    }
    await detector.detect(blank(24, 24));
  });
});

interface GoldenImage {
  width: number;
  height: number;
  faces: { box: number[]; probability: number; landmarks: number[][] }[];
}

describe('MTCNN, published weights', { skip: SHARED_MISSING }, () => {
  let detector: Detector;
  before(async () => {
    const folder = await suiteFolder();
    const read = async (name: string) => await readTorchState(shared('weights', 'mtcnn', `${name}.pt`));
    detector = await open(folder, {
      pnet: await read('pnet'),
      rnet: await read('rnet'),
      onet: await read('onet'),
    });
  });
  after(() => detector.release());

  it('finds the faces that the reference finds in every picture', async () => {
    const golden = JSON.parse(await readFile(shared('golden/detections.json'), 'utf8')) as Record<
      string,
      GoldenImage
    >;
    for (const [name, { width, height, faces }] of Object.entries(golden)) {
      const picture = await decodeImage(await readFile(shared(name)), { maxPixels: 25_000_000 });
      assert.deepEqual([picture.width, picture.height], [width, height]);
      const found = await detector.detect(picture);
      assert.equal(found.length, faces.length, `${name}: number of faces`);
      found.forEach((face, i) => {
        const [x1, y1, x2, y2, probability] = numbersOf(face);
        assert.ok(largestDifference([x1, y1, x2, y2], faces[i].box) < 0.01, `${name}: box ${i}`);
        assert.ok(Math.abs(probability - faces[i].probability) < 1e-4, `${name}: probability ${i}`);
        assert.ok(
          largestDifference(face.landmarks ?? [], faces[i].landmarks.flat()) < 0.01,
          `${name}: landmarks ${i}`,
        );
      });
    }
  });
});
