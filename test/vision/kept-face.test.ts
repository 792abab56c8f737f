import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openPack, openVision } from '../../src/cli/shared/parts.js';
import { loadConfig } from '../../src/settings/config.js';
import { squaredDistance } from '../../src/gallery/distance.js';
import { cutFace } from '../../src/vision/align.js';
import { findKeptFace } from '../../src/vision/kept-face.js';
import { Resampler } from '../../src/vision/resample.js';
import type { Detection, KeptCut, Picture } from '../../src/vision/types.js';
import { KNOWN, portrait } from '../support/photographs.js';

const SIZE = 112;

/** Soft stripes: what is moved by a pixel or drawn a little smaller differs. */
function drawn(width: number, height = width): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < data.length; i++) {
    const [x, y] = [((i / 3) | 0) % width, (i / 3 / width) | 0];
    data[i] = 128 + 60 * Math.sin(x / 9 + (i % 3)) + 60 * Math.cos(y / 7);
  }
  return { data, width, height };
}

const at = (x: number, y: number, side: number): Detection => ({
  box: { x1: x, y1: y, x2: x + side, y2: y + side },
  ...{ probability: 0.9, landmarks: Float32Array.of(x, y, x, y, x, y, x, y, x, y) },
});

describe('The face of a kept picture', () => {
  const cut: KeptCut = { alignment: 'chip' };

  it('is the one that fills it; an eye, and a face behind, are not', async () => {
    const found = await findKeptFace(() => Promise.resolve([at(10, 5, 80), at(0, 0, 20)]), drawn(SIZE), cut);
    assert.deepEqual(found.box, { x1: 10, y1: 5, x2: 90, y2: 85 });
    const eye = await findKeptFace(() => Promise.resolve([at(30, 30, 20)]), drawn(SIZE), cut);
    assert.deepEqual([eye.box, eye.probability], [{ x1: 0, y1: 0, x2: SIZE, y2: SIZE }, 0]);
  });

  it('is looked for in a grey border where the picture itself shows none, and told in the picture’s pixels', async () => {
    const picture = drawn(100, 130);
    const detect = ({ data, width, height }: Picture) => {
      if (width === 100) return Promise.resolve([]);
      assert.deepEqual([width, height], [180, 210]);
      assert.equal(data[0], 128);
      assert.deepEqual(
        data.subarray((40 * 180 + 40) * 3, (40 * 180 + 140) * 3),
        picture.data.subarray(0, 300),
      );
      return Promise.resolve([at(50, 45, 90)]);
    };
    const found = await findKeptFace(detect, picture, cut);
    assert.deepEqual(found.box, { x1: 10, y1: 5, x2: 100, y2: 95 });
    assert.deepEqual([...(found.landmarks ?? [])].slice(0, 2), [10, 5]);
  });

  for (const kept of [
    { alignment: 'five-points' },
    { alignment: 'chip', padding: 0.25 },
    { alignment: 'chip', padding: 0.5 },
    { alignment: 'faceapi' },
    { alignment: 'box' },
  ] as const) {
    const { alignment, padding = '' } = kept as KeptCut;
    it(`lies where the cut has put it when nothing shows it: cut so again it is as it was (${alignment} ${padding})`, async () => {
      const picture = drawn(SIZE);
      const detection = await findKeptFace(() => Promise.resolve([]), picture, kept);
      assert.equal(detection.probability, 0);
      const out = new Uint8Array(SIZE * SIZE * 3);
      assert.ok(cutFace({ ...kept, size: SIZE }, picture, detection, new Resampler(), out));
      let sum = 0;
      let count = 0;
      // The outermost pixels may be beyond the edge by a part of one.
      for (let y = 3; y < SIZE - 3; y++)
        for (let i = (y * SIZE + 3) * 3; i < (y * SIZE + SIZE - 3) * 3; i++, count++)
          sum += Math.abs(out[i] - picture.data[i]);
      assert.ok(sum / count < 8, `differs by ${sum / count}`);
    });
  }
});

describe('a kept picture in which a pack finds no face', () => {
  it('is embedded as it was cut, near to what the whole picture gives', async () => {
    const config = loadConfig({ VISION_THREADS: '1' });
    const embed = async (pack: string, pictures: Uint8Array[], kept?: KeptCut) => {
      const vision = await openVision(await openPack(pack, config), config);
      try {
        const faces = [];
        for (const picture of pictures) {
          // As probable as that is nothing.
          const asked = { crops: true, maxFaces: 1, ...(kept && { kept, minProbability: 1 }) };
          faces.push((await vision.analyze(Uint8Array.from(picture), asked)).faces[0]);
        }
        return faces;
      } finally {
        await vision.close();
      }
    };
    const pictures = await Promise.all(KNOWN.map(async (who) => new Uint8Array(await portrait(who))));
    const crops = (await embed('faceapi', pictures)).map(({ crop = new Uint8Array() }) => crop);
    const whole = (await embed('faceapi-chip', pictures)).map(
      ({ embedding = new Float32Array() }) => embedding,
    );
    const again = await embed('faceapi-chip', crops, { alignment: 'faceapi' });
    again.forEach(({ embedding, probability }, i) => {
      assert.equal(probability, 0);
      assert.ok(embedding);
      const distances = whole.map((other) => squaredDistance(embedding, other));
      assert.equal(distances.indexOf(Math.min(...distances)), i, `${KNOWN[i]}: ${distances.join(' ')}`);
      assert.ok(distances[i] < 0.06, `${KNOWN[i]}: ${distances[i]}`);
    });
  });
});
