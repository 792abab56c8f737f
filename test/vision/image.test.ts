import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { describe, it } from 'node:test';
import sharp, { type Sharp } from 'sharp';
import { KaomonError } from '../../src/platform/errors.js';
import { decodeImage } from '../../src/vision/image.js';
import type { Picture } from '../../src/vision/types.js';

const SIDE = 400;

/** Something with detail in it, so that a JPEG of it has bytes enough to be damaged. */
function made(): Sharp {
  const data = Buffer.alloc(SIDE * SIDE * 3);
  for (let i = 0; i < data.length; i++) data[i] = 128 + 90 * Math.sin(i / 7) * Math.cos(i / (SIDE * 11));
  return sharp(data, { raw: { width: SIDE, height: SIDE, channels: 3 } });
}

const decode = (bytes: Uint8Array): Promise<Picture> => decodeImage(bytes, { maxPixels: 1_000_000 });
const refused = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof KaomonError && error.code === code && message.test(error.message);

function box(brand: string, ...others: string[]): Uint8Array {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(16 + others.length * 4);
  return Buffer.concat([size, Buffer.from(`ftyp${brand}\0\0\0\0${others.join('')}`), Buffer.alloc(64)]);
}

for (const progressive of [false, true]) {
  describe(`a ${progressive ? 'progressive' : 'baseline'} JPEG`, async () => {
    const whole = await made().jpeg({ quality: 90, progressive }).toBuffer();

    it('without its end marker is the picture that it is with it', async () => {
      const { data } = await decode(whole);
      for (const missing of [1, 2]) {
        const cut = await decode(whole.subarray(0, -missing));
        assert.deepEqual([cut.width, cut.height], [SIDE, SIDE]);
        assert.ok(Buffer.compare(cut.data, data) === 0, `${missing} bytes missing`);
      }
    });

    it('with zeros in the place of its end marker is read', async () => {
      assert.equal((await decode(Buffer.concat([whole.subarray(0, -2), Buffer.alloc(512)]))).width, SIDE);
    });

    it('with something behind or before its end is read', async () => {
      assert.equal((await decode(Buffer.concat([whole, Buffer.alloc(5000, 7)]))).width, SIDE);
      const padded = Buffer.concat([whole.subarray(0, -2), Buffer.alloc(20), whole.subarray(-2)]);
      assert.equal((await decode(padded)).width, SIDE);
    });

    it('of which a half is missing is refused, end marker or not', async () => {
      const half = whole.subarray(0, whole.length >> 1);
      for (const bytes of [half, Buffer.concat([half, whole.subarray(-2)])]) {
        await assert.rejects(decode(bytes), refused('IMAGE_UNREADABLE', /damaged or cut off/));
      }
    });

    it('with 20 kB of garbage in it is refused', async () => {
      const bytes = Buffer.from(whole);
      assert.ok(bytes.length > 40_000, `${bytes.length} bytes`);
      randomFillSync(bytes, 10_000, 20_000);
      await assert.rejects(decode(bytes), refused('IMAGE_UNREADABLE', /damaged or cut off/));
    });
  });
}

describe('a format that is not read', () => {
  const cases: [string, Uint8Array, RegExp][] = [
    ...['heic', 'heix', 'hevc', 'mif1', 'msf1'].map((brand): [string, Uint8Array, RegExp] => [
      `HEIC (${brand})`,
      box(brand),
      /HEIC.*JPEG.*Most Compatible/,
    ]),
    ['HEIC (mif1, heic)', box('mif1', 'mif1', 'heic'), /HEIC/],
    ['a video', box('isom', 'mp42'), /video/],
    ['a raw picture of Canon', box('crx ', 'isom'), /camera raw/],
    ['an older one', Buffer.from('II*\0\x10\0\0\0CR\x02\0'), /camera raw/],
    ['BMP', Buffer.from('BM\0\0\0\0\0\0'), /BMP/],
    ['PDF', Buffer.from('%PDF-1.7\n'), /PDF/],
    ['SVG', Buffer.from('<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>'), /SVG/],
    ['a web page', Buffer.from('<!DOCTYPE html><html></html>'), /web page/],
    ['JPEG XL', Uint8Array.of(0xff, 0x0a, 1, 2), /JPEG XL/],
    ['nothing', new Uint8Array(0), /empty/],
    ['a text', Buffer.from('hello'), /not a picture in a supported format/],
  ];
  for (const [name, bytes, message] of cases) {
    it(`is called by its name: ${name}`, async () => {
      await assert.rejects(decode(bytes), refused('IMAGE_FORMAT_UNKNOWN', message));
    });
  }

  it('does not keep AVIF out, whatever it calls itself first', async () => {
    const avif = await made().avif({ quality: 40, effort: 0 }).toBuffer();
    assert.equal((await decode(avif)).width, SIDE);
    const shy = Buffer.from(avif);
    shy.write('mif1', 8, 'latin1');
    assert.equal((await decode(shy)).width, SIDE);
  });

  for (const format of ['png', 'webp', 'gif', 'tiff'] as const) {
    it(`does not keep ${format} out`, async () => {
      assert.equal((await decode(await made().toFormat(format).toBuffer())).width, SIDE);
    });
  }
});
