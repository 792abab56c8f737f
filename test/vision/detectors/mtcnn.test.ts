import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { Detector } from '../../../src/vision/detectors/detector.js';
import { chooseMtcnnEngine } from '../../../src/vision/detectors/mtcnn-choice.js';
import { createMtcnnOn, type MtcnnSettings } from '../../../src/vision/detectors/mtcnn.js';
import { decodeImage } from '../../../src/vision/image.js';
import { Runtime } from '../../../src/vision/ort.js';
import type { Detection, Picture } from '../../../src/vision/types.js';
import { largestDifference, seededGolden } from '../../support/golden.js';
import {
  KERNELS,
  type Nets,
  publishedNets,
  removeNetworks,
  seededNets,
  writeNetworks,
} from '../../support/mtcnn-engines.js';
import { SHARED_MISSING, shared } from '../../support/shared.js';
import { seededPicture } from '../../support/seeded-weights.js';

/** @param kernels what runs the networks: ONNX Runtime, or loops of our own */
async function open(nets: Nets, kernels: string, settings?: Partial<MtcnnSettings>): Promise<Detector> {
  const runtime = new Runtime({ providers: ['cpu'], threads: 1 });
  const files = await writeNetworks(nets);
  const { engine, refusal } = await chooseMtcnnEngine(runtime, files, kernels);
  await removeNetworks(files);
  assert.deepEqual([engine.kernels, refusal], [kernels, undefined]);
  return createMtcnnOn(engine, undefined, settings);
}

const numbersOf = ({ box, probability }: Detection) => [box.x1, box.y1, box.x2, box.y2, probability];

for (const kernels of ['onnx', ...KERNELS])
  describe(`MTCNN cascade (${kernels})`, () => {
    const { cascade } = seededGolden();
    const { width, height, minFaceSize, thresholds } = cascade;
    const scene = seededPicture('scene', width, height, 8);
    let detector: Detector;

    before(async () => {
      detector = await open(seededNets(), kernels, { minFaceSize, thresholds });
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

for (const kernels of ['onnx', ...KERNELS])
  describe(`MTCNN, published weights (${kernels})`, { skip: SHARED_MISSING }, () => {
    let detector: Detector;
    before(async () => {
      detector = await open(await publishedNets(), kernels);
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
