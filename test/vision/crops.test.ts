import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import sharp from 'sharp';
import { cutFace } from '../../src/vision/align.js';
import { decodeImage } from '../../src/vision/image.js';
import { Resampler } from '../../src/vision/resample.js';
import type { Detection } from '../../src/vision/types.js';
import { SHARED_MISSING, shared } from '../support/shared.js';

const SIZE = 160;

describe('face crops by box', { skip: SHARED_MISSING }, () => {
  it('are what the reference cuts, within a mean of one grey level', async () => {
    const golden = JSON.parse(await readFile(shared('golden/detections.json'), 'utf8')) as Record<
      string,
      { faces: { box: [number, number, number, number]; probability: number }[] }
    >;
    const resampler = new Resampler();
    const crop = new Uint8Array(SIZE * SIZE * 3);
    const names = await readdir(shared('golden/crops'));
    assert.ok(names.length > 0);
    for (const name of names) {
      const [, frame, index] = /^(.+)-(\d+)\.png$/.exec(name) ?? [];
      const file = path.join('images/frames', `${frame}.jpg`);
      const { box, probability } = golden[file].faces[Number(index)];
      const [x1, y1, x2, y2] = box;
      const detection: Detection = { box: { x1, y1, x2, y2 }, probability, landmarks: undefined };
      const picture = await decodeImage(await readFile(shared(file)), { maxPixels: 25_000_000 });
      assert.ok(cutFace({ alignment: 'box', size: SIZE }, picture, detection, resampler, crop));
      const expected = await sharp(shared('golden/crops', name), { ignoreIcc: true })
        .removeAlpha()
        .raw()
        .toBuffer();
      let sum = 0;
      for (let i = 0; i < crop.length; i++) sum += Math.abs(crop[i] - expected[i]);
      assert.ok(sum / crop.length < 0.5, `${name}: ${sum / crop.length}`);
    }
  });
});
