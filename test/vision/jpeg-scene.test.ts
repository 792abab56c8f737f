import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import sharp, { type JpegOptions } from 'sharp';
import { sceneOfJpeg } from '../../src/vision/jpeg-scene.js';
import { nativeLoops, pixelLoops, scriptedLoops } from '../../src/vision/pixels.js';
import { SCENE } from '../../src/vision/track.js';
import { portrait } from '../support/photographs.js';
import { seededRandom } from '../support/vectors.js';

const [WIDTH, HEIGHT] = [643, 365];
const picture = sharp(await portrait('bea', { size: 400 })).resize(WIDTH, HEIGHT, { fit: 'cover' });
const encoded = (options: JpegOptions) => picture.clone().jpeg(options).toBuffer();

/** The cells by the pixels: of each 8 x 8 block the mean, of each cell the mean of the blocks whose middle it has. */
async function cellsByPixels(bytes: Uint8Array): Promise<Float64Array> {
  const { data, info } = await sharp(bytes).raw().toBuffer({ resolveWithObject: true });
  const { width, height, channels } = info;
  const grey = (x: number, y: number) => {
    const at = (y * width + x) * channels;
    return channels < 3 ? data[at] : 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
  };
  const sums = new Float64Array(SCENE.columns * SCENE.rows);
  const counts = new Float64Array(sums.length);
  for (let top = 0; top < height; top += 8)
    for (let left = 0; left < width; left += 8) {
      let sum = 0;
      // Encoders fill up with the last pixel.
      for (let y = top; y < top + 8; y++)
        for (let x = left; x < left + 8; x++) sum += grey(Math.min(x, width - 1), Math.min(y, height - 1));
      const column = Math.floor((Math.min(left + 4, (left + width) / 2) * SCENE.columns) / width);
      const row = Math.floor((Math.min(top + 4, (top + height) / 2) * SCENE.rows) / height);
      sums[row * SCENE.columns + column] += sum / 64;
      counts[row * SCENE.columns + column] += 1;
    }
  return sums.map((sum, i) => (counts[i] > 0 ? sum / counts[i] : 0));
}

async function farthest(bytes: Uint8Array): Promise<number> {
  const scene = sceneOfJpeg(bytes);
  assert.ok(scene);
  const wanted = await cellsByPixels(bytes);
  return Math.max(...wanted.map((value, cell) => Math.abs(value - scene.cells[cell])));
}

/** A grey JPEG whose blocks have a mean each and nothing else. @param restart blocks between two restarts */
function flatJpeg(means: readonly number[], width: number, height: number, restart: number): Uint8Array {
  const bits: number[] = [];
  const out: number[] = [];
  const put = (value: number, length: number) => {
    for (let i = length - 1; i >= 0; i--) bits.push((value >> i) & 1);
  };
  const flush = () => {
    while (bits.length % 8 !== 0) bits.push(1);
    for (let i = 0; i < bits.length; i += 8) {
      const byte = parseInt(bits.slice(i, i + 8).join(''), 2);
      out.push(byte, ...(byte === 0xff ? [0] : []));
    }
    bits.length = 0;
  };
  let before = 0;
  for (const [i, mean] of means.entries()) {
    if (i > 0 && i % restart === 0) {
      flush();
      out.push(0xff, 0xd0 + ((i / restart - 1) % 8));
      before = 0;
    }
    const difference = mean - 128 - before;
    before = mean - 128;
    const length = difference === 0 ? 0 : 32 - Math.clz32(Math.abs(difference));
    put(length, 4);
    put(difference < 0 ? difference + (1 << length) - 1 : difference, length);
    put(0, 1);
  }
  flush();
  // Means are counted in eighths: a step of 8.
  const steps = [0, ...new Array<number>(64).fill(8)];
  const dc = [
    0x00,
    0,
    0,
    0,
    12,
    ...new Array<number>(12).fill(0),
    ...Array.from({ length: 12 }, (_, i) => i),
  ];
  const ac = [0x10, 1, ...new Array<number>(15).fill(0), 0];
  const frame = [8, height >> 8, height & 255, width >> 8, width & 255, 1, 1, 0x11, 0];
  const segment = (marker: number, body: number[]) => [0xff, marker, 0, body.length + 2, ...body];
  return Uint8Array.from([
    ...[0xff, 0xd8, ...segment(0xdb, steps), ...segment(0xc0, frame), ...segment(0xc4, dc)],
    ...[...segment(0xc4, ac), ...segment(0xdd, [0, restart]), ...segment(0xda, [1, 1, 0, 0, 63, 0])],
    ...[...out, 0xff, 0xd9],
  ]);
}

describe("a JPEG's scene", () => {
  for (const [what, options] of [
    ['half of the colours', { quality: 85 }],
    ['all colours', { quality: 85, chromaSubsampling: '4:4:4' }],
    ['little left', { quality: 20 }],
    ['codes of its own', { quality: 95, optimiseCoding: true }],
  ] as const)
    it(`is that of its pixels, with ${what}`, async () => {
      // Of the pixels of bright or coloured blocks some are cut off at 0 and 255.
      assert.ok((await farthest(await encoded(options))) < 3);
    });

  it('is that of its pixels, in grey and where it is smaller than the cells', async () => {
    assert.ok((await farthest(await picture.clone().greyscale().jpeg().toBuffer())) < 2);
    assert.ok((await farthest(await picture.clone().resize(17, 9).jpeg({ quality: 95 }).toBuffer())) < 3);
  });

  it('is read on behind restarts', async () => {
    const random = seededRandom(4);
    for (const restart of [1, 7, 255]) {
      const means = Array.from({ length: 40 * 23 }, () => Math.floor(random() * 256));
      const bytes = flatJpeg(means, 320, 180, restart);
      assert.ok((await farthest(bytes)) < 1.01, `every ${restart} blocks`);
    }
  });

  it('is none where the coefficients are in several scans, and of what is no JPEG', async () => {
    for (const bytes of [
      await encoded({ progressive: true }),
      await picture.clone().png().toBuffer(),
      new Uint8Array(),
      Uint8Array.of(0xff, 0xd8),
    ])
      assert.equal(sceneOfJpeg(bytes), undefined);
  });

  it('is none where the first component is a colour, and no brightness', async () => {
    const bytes = await encoded({ chromaSubsampling: '4:4:4' });
    const adobe = [0xff, 0xee, 0, 14, ...Buffer.from('Adobe'), 0, 100, 0, 0, 0, 0];
    const saysAdobe = (transform: number) =>
      Uint8Array.from([...bytes.subarray(0, 2), ...adobe, transform, ...bytes.subarray(2)]);
    assert.ok(sceneOfJpeg(saysAdobe(1)));
    assert.equal(sceneOfJpeg(saysAdobe(0)), undefined);
    const named = Uint8Array.from(bytes);
    const [frame, scan] = [
      [0xff, 0xc0],
      [0xff, 0xda],
    ].map((marker) => bytes.indexOf(Buffer.from(marker)));
    for (const [i, name] of Buffer.from('RGB').entries())
      named[frame + 10 + 3 * i] = named[scan + 5 + 2 * i] = name;
    assert.equal(sceneOfJpeg(named), undefined);
  });

  it('is none where anything is missing, and damage does no harm', async () => {
    const bytes = await encoded({ quality: 60 });
    // Behind the data are two bytes that end it.
    for (let length = 0; length < bytes.length - 2; length += 97)
      assert.equal(sceneOfJpeg(bytes.subarray(0, length)), undefined, `of ${length} bytes`);
    const random = seededRandom(9);
    for (let i = 0; i < 3000; i++) {
      const damaged = Uint8Array.from(bytes);
      // Headers are hit as often as data.
      const most = i % 2 === 0 ? 700 : bytes.length;
      for (let hit = 0; hit < 3; hit++) damaged[Math.floor(random() * most)] = Math.floor(random() * 256);
      const scene = sceneOfJpeg(damaged);
      if (scene) assert.equal(scene.cells.length, SCENE.columns * SCENE.rows);
    }
  });

  it(
    'is the same in compiled loops as in JavaScript, of whole and of damaged pictures',
    { skip: nativeLoops ? false : 'needs a compiler' },
    async (t) => {
      const random = seededRandom(12);
      const bytesOf = [
        ...(await Promise.all([{}, { chromaSubsampling: '4:4:4' }, { quality: 30 }].map(encoded))),
        await picture.clone().greyscale().jpeg().toBuffer(),
        flatJpeg(
          Array.from({ length: 40 * 23 }, () => Math.floor(random() * 256)),
          320,
          180,
          7,
        ),
      ];
      for (let i = 0; i < 1000; i++) {
        const damaged = Uint8Array.from(bytesOf[i % 5]);
        damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
        bytesOf.push(damaged);
      }
      const scenes = bytesOf.map((bytes) => sceneOfJpeg(bytes));
      const scripted = t.mock.method(pixelLoops, 'blockSums', scriptedLoops.blockSums);
      assert.deepEqual(
        bytesOf.map((bytes) => sceneOfJpeg(bytes)),
        scenes,
      );
      assert.ok(scripted.mock.callCount() > 900);
      const read = scenes.filter((scene) => scene !== undefined).length;
      assert.ok(read > 50 && read < bytesOf.length, `${read} of ${bytesOf.length} were read`);
    },
  );

  it('is none of a header that is made to cost much, or that says half of something', async () => {
    const bytes = await encoded({});
    const withSegments = (marker: number, ...bodies: number[][]) =>
      Uint8Array.from([
        ...bytes.subarray(0, 2),
        ...bodies.flatMap((body) => [0xff, marker, (body.length + 2) >> 8, (body.length + 2) & 255, ...body]),
        ...bytes.subarray(2),
      ]);
    const table = [0x1f, 1, ...new Array<number>(15).fill(0), 0];
    assert.ok(sceneOfJpeg(withSegments(0xc4, table)));
    assert.equal(sceneOfJpeg(withSegments(0xc4, new Array<number[]>(3000).fill(table).flat())), undefined);
    assert.equal(sceneOfJpeg(withSegments(0xc4, ...new Array<number[]>(20).fill(table))), undefined);
    assert.ok(sceneOfJpeg(withSegments(0xfe, [1, 2, 3])), 'a comment');
    assert.equal(sceneOfJpeg(withSegments(0xfe, ...new Array<number[]>(1000).fill([]))), undefined);
    assert.equal(sceneOfJpeg(withSegments(0xdd, [])), undefined, 'a restart of no number');
  });

  it('is that of the picture, whatever becomes of the memory of one before with the same header', async () => {
    const bytes = await picture.clone().resize(88, 90).jpeg().toBuffer();
    // A Buffer, as a WebSocket gives it.
    const frame = Buffer.from(Uint8Array.from(bytes).buffer);
    const scene = sceneOfJpeg(frame);
    assert.equal(scene?.width, 88);
    structuredClone(frame, { transfer: [frame.buffer] });
    assert.deepEqual(sceneOfJpeg(bytes), scene);
    const other = await picture.clone().resize(80, 90).jpeg().toBuffer();
    assert.equal(sceneOfJpeg(other)?.width, 80);
  });

  it('is read with what is known of its header, unless that is so long that many of them would fill the memory', async (t) => {
    const bytes = await picture.clone().resize(96, 90).jpeg().toBuffer();
    const withComments = (count: number) =>
      Uint8Array.from([
        ...bytes.subarray(0, 2),
        ...Array.from({ length: count }, () => [0xff, 0xfe, 0xff, 0xff, ...new Uint8Array(0xfffd)]).flat(),
        ...bytes.subarray(2),
      ]);
    const read = t.mock.method(pixelLoops, 'blockSums');
    const isKnownAgain = (one: Uint8Array) => {
      const [first, again] = [one, one].map((twice) => {
        assert.ok(sceneOfJpeg(twice));
        return read.mock.calls.at(-1)?.arguments[3];
      });
      return first !== undefined && first === again;
    };
    assert.ok(sceneOfJpeg(bytes) && isKnownAgain(bytes));
    const long = withComments(2);
    assert.ok(sceneOfJpeg(long) && !isKnownAgain(long));
  });

  it('is that of the picture, whatever was read before', async () => {
    // More headers than are kept, each twice.
    const many = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        picture
          .clone()
          .resize(100 + 8 * i, 90)
          .jpeg()
          .toBuffer(),
      ),
    );
    const first = many.map((bytes) => sceneOfJpeg(bytes));
    assert.deepEqual(
      first.map((scene) => scene?.width),
      many.map((_, i) => 100 + 8 * i),
    );
    assert.deepEqual(
      many.map((bytes) => sceneOfJpeg(bytes)),
      first,
    );
    const [bytes] = many;
    assert.ok(sceneOfJpeg(bytes, { width: 100, height: 90 }));
    assert.equal(sceneOfJpeg(bytes, { width: 101, height: 90 }), undefined, 'of another size');
  });
});
