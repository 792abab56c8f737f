import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import sharp from 'sharp';
import { type Measured, unfitBy } from '../../src/vision/fitness.js';
import { decodeImage } from '../../src/vision/image.js';
import { quantisationOf } from '../../src/vision/jpeg.js';

/** A good face of 97 pixels, in a crop of 112. */
const GOOD: Measured = { size: 97, sharpness: 146, contrast: 1700, side: 112, quantisation: 12 };
const judge = (measured: Partial<Measured>, isUnread?: boolean) =>
  unfitBy({ ...GOOD, ...measured }, isUnread === undefined ? {} : { isUnread });

describe('whether a face can be told apart', () => {
  it('is said of a good one, whatever it was sent as', () => {
    for (const quantisation of [undefined, 1, 12, 60, 97]) assert.equal(judge({ quantisation }), undefined);
    for (const side of [112, 150, 160, 224]) assert.equal(judge({ side }), undefined);
  });

  it('is not said of one that is small, blurred, compressed to blocks, or not read', () => {
    assert.equal(judge({ size: 17.9 }), 'too_small');
    assert.equal(judge({ sharpness: 3 }), 'too_blurred');
    assert.equal(judge({ quantisation: 120 }), 'too_blurred');
    assert.equal(judge({ quantisation: 30, size: 25 }), 'too_blurred');
    assert.equal(judge({}, true), 'turned');
  });

  it('is said of a dark face, whose edges are as weak as all of it', () => {
    assert.equal(judge({ sharpness: 146 / 64, contrast: 1700 / 64 }), undefined);
  });

  it('asks less of a larger crop, whose edges are drawn softer', () => {
    assert.equal(judge({ sharpness: 3, side: 160 }), undefined);
    assert.equal(judge({ sharpness: 2, side: 160 }), 'too_blurred');
  });
});

describe('the quantisation of a JPEG', () => {
  const picture = sharp({ create: { width: 64, height: 64, channels: 3, background: '#778899' } });

  it('is the step of its lowest frequencies, and of no other format', async () => {
    const jpeg = async (quality: number, more: object = {}) =>
      (await decodeImage(await picture.jpeg({ quality, ...more }).toBuffer(), { maxPixels: 1e6 }))
        .quantisation ?? 0;
    assert.ok(Math.abs((await jpeg(50)) - 12) < 1.5, String(await jpeg(50)));
    assert.ok(Math.abs((await jpeg(5)) - 118) < 12, String(await jpeg(5)));
    assert.ok((await jpeg(95)) < 3);
    assert.equal(await jpeg(5, { progressive: true }), await jpeg(5));
    const png = await decodeImage(await picture.png().toBuffer(), { maxPixels: 1e6 });
    assert.equal(png.quantisation, undefined);
  });

  it('is not known of a head that is cut off or makes no sense, which ends the search', () => {
    for (const bytes of [
      [0xff, 0xd8],
      [0xff, 0xd8, 0xff, 0xdb, 0, 0],
      [0xff, 0xd8, 0xff, 0xdb, 0, 5, 0, 1, 2],
      [0xff, 0xd8, 0xff, 0xff, 0xff, 0xff],
      [0xff, 0xd8, 0xff, 0xe0, 0xff, 0xff, 1],
    ])
      assert.equal(quantisationOf(Uint8Array.from(bytes)), undefined);
  });
});
