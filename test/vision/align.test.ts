import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { cutFace } from '../../src/vision/align.js';
import { Resampler } from '../../src/vision/resample.js';
import type { Picture } from '../../src/vision/types.js';

/** InsightFace's `arcface_dst`, written down anew: `[x, y]` of eyes, nose and mouth corners in 112x112. */
const TEMPLATE: readonly Point[] = [
  [38.2946, 51.6963],
  [73.5318, 51.5014],
  [56.0252, 71.7366],
  [41.5493, 92.3655],
  [70.7299, 92.2041],
];

type Point = readonly [x: number, y: number];
type Colour = readonly [red: number, green: number, blue: number];
type Map2 = (point: Point) => Point;

interface Similarity {
  degrees: number;
  scale: number;
  move: Point;
}

const onto = ({ degrees, scale, move }: Similarity): Map2 => {
  const [sin, cos] = [Math.sin((degrees * Math.PI) / 180), Math.cos((degrees * Math.PI) / 180)];
  return ([x, y]) => [scale * (cos * x - sin * y) + move[0], scale * (sin * x + cos * y) + move[1]];
};

const back = ({ degrees, scale, move }: Similarity): Map2 => {
  const turn = onto({ degrees: -degrees, scale: 1 / scale, move: [0, 0] });
  return ([x, y]) => turn([x - move[0], y - move[1]]);
};

function paint(width: number, height: number, colour: (point: Point) => Colour): Picture {
  const data = new Uint8Array(width * height * 3);
  for (let i = 0; i < width * height; i++) {
    data.set(
      colour([i % width, Math.floor(i / width)]).map((value) => Math.round(value)),
      i * 3,
    );
  }
  return { data, width, height };
}

/** @returns the crop, and whether anything of it lies in the picture */
function align(picture: Picture, points: readonly Point[], size: number) {
  const out = new Uint8Array(size * size * 3).fill(99);
  const box = { x1: 0, y1: 0, x2: picture.width, y2: picture.height };
  const detection = { box, probability: 1, landmarks: Float32Array.from(points.flat()) };
  const inside = cutFace({ alignment: 'five-points', size }, picture, detection, new Resampler(), out);
  return { inside, out, at: (x: number, y: number) => [...out.subarray((y * size + x) * 3).subarray(0, 3)] };
}

/** Waves of 40 to 60 pixels: bilinear sampling is at most 1.5 levels off where a pixel of the crop is one of it. */
const waves: (point: Point) => Colour = ([x, y]) => [
  128 + 100 * Math.sin(x / 8 + y / 20),
  128 + 100 * Math.cos(y / 7),
  128 + 100 * Math.sin((x - y) / 10),
];

/** A picture whose pixels say where they are: red is x, green is y. */
const map256 = paint(256, 256, ([x, y]) => [x, y, 255]);

/**
 * The similarity from points to template with the least squared error, by the normal equations of
 * `[u v] = [a -b; b a] [x y] + [e f]`: another way than the program's.
 */
function leastSquares(points: readonly Point[], template: readonly Point[]): Similarity {
  const rows = points.flatMap(([x, y], i) => [
    [x, -y, 1, 0, template[i][0]],
    [y, x, 0, 1, template[i][1]],
  ]);
  const normal = [0, 1, 2, 3].map((i) =>
    [0, 1, 2, 3, 4].map((j) => rows.reduce((sum, row) => sum + row[i] * row[j], 0)),
  );
  for (let i = 0; i < 4; i++) {
    const pivot = normal.slice(i).sort((one, other) => Math.abs(other[i]) - Math.abs(one[i]))[0];
    normal.splice(normal.indexOf(pivot), 1);
    normal.splice(i, 0, pivot);
    for (const [j, row] of normal.entries()) {
      if (j !== i) normal[j] = row.map((value, k) => value - (pivot[k] * row[i]) / pivot[i]);
    }
  }
  const [a, b, e, f] = normal.map((row, i) => row[4] / row[i]);
  return { degrees: (Math.atan2(b, a) * 180) / Math.PI, scale: Math.hypot(a, b), move: [e, f] };
}

describe('alignment by five points', () => {
  const faces: Similarity[] = [
    { degrees: 0, scale: 1, move: [100, 90] },
    { degrees: 25, scale: 1.3, move: [160, 60] },
    { degrees: -90, scale: 2.2, move: [60, 300] },
    { degrees: 180, scale: 1.7, move: [280, 290] },
    { degrees: 140, scale: 1, move: [250, 150] },
  ];
  for (const face of faces) {
    const { degrees, scale, move } = face;
    const where = `turned by ${degrees} degrees, ${scale} times as large, moved by ${move.join(', ')}`;
    const points = TEMPLATE.map(onto(face));

    it(`brings back a picture ${where}, within two grey levels`, () => {
      const toCrop = back(face);
      const picture = paint(360, 360, (point) => waves(toCrop(point)));
      const { inside, at } = align(picture, points, 112);
      assert.ok(inside);
      for (let y = 0; y < 112; y++) {
        for (let x = 0; x < 112; x++) {
          const off = at(x, y).map((value, c) => Math.abs(value - waves([x, y])[c]));
          assert.ok(Math.max(...off) <= 2, `(${x}, ${y}) is off by ${Math.max(...off)}`);
        }
      }
    });

    it(`puts the five points of a face ${where} where they belong, within a tenth of a pixel`, () => {
      for (const size of [112, 224]) {
        for (const [i, point] of points.entries()) {
          // A spot of 3 pixels of the crop around the point; its middle is measured in the crop.
          const spot = ([x, y]: Point) =>
            255 * Math.exp(-(Math.hypot(x - point[0], y - point[1]) ** 2) / (2 * (3 * scale) ** 2));
          const { out } = align(
            paint(360, 360, (at) => [spot(at), 0, 0]),
            points,
            size,
          );
          const sum = [0, 0, 0];
          for (let at = 0; at < size * size; at++) {
            const red = out[at * 3];
            sum[0] += red;
            sum[1] += red * (at % size);
            sum[2] += red * Math.floor(at / size);
          }
          const [x, y] = TEMPLATE[i].map((value) => (value * size) / 112);
          const off = Math.hypot(sum[1] / sum[0] - x, sum[2] / sum[0] - y);
          assert.ok(off < 0.1, `point ${i} in ${size} pixels is off by ${off}`);
        }
      }
    });
  }

  const unlike: [string, Point[]][] = [
    [
      'a face that looks up to its side',
      [
        [90, 100],
        [128, 92],
        [136, 118],
        [96, 150],
        [126, 144],
      ],
    ],
    ['a mirrored face, without turning it inside out', TEMPLATE.map(([x, y]) => [200 - x, 60 + y])],
    [
      'a profile',
      [
        [100, 110],
        [118, 108],
        [130, 128],
        [104, 156],
        [116, 155],
      ],
    ],
  ];
  for (const [what, points] of unlike) {
    it(`fits ${what} with the least squared error in the crop`, () => {
      const toCrop = leastSquares(points, TEMPLATE);
      const toPicture = back(toCrop);
      const { at } = align(map256, points, 112);
      // At the edge the colours mix with black: a pixel of the crop is as much of the picture as it is smaller.
      const rim = Math.max(0, 1 / toCrop.scale - 1);
      let compared = 0;
      for (let y = 0; y < 112; y += 3) {
        for (let x = 0; x < 112; x += 3) {
          const [expectedX, expectedY] = toPicture([x, y]);
          if (Math.min(expectedX, expectedY) < rim || Math.max(expectedX, expectedY) > 255 - rim) continue;
          compared += 1;
          const [red, green] = at(x, y);
          // A colour is rounded to a whole pixel.
          const off = Math.max(Math.abs(red - expectedX), Math.abs(green - expectedY));
          assert.ok(off <= 0.51, `(${x}, ${y}) is taken from ${red}, ${green}: off by ${off}`);
        }
      }
      assert.ok(compared > 300, `${compared} pixels`);
    });
  }

  const white = (width: number, height: number) => paint(width, height, () => [255, 255, 255]);
  /** The template moved, so that pixel (0, 0) of the crop is (x, y) of the picture. */
  const from = (x: number, y: number): Point[] => TEMPLATE.map(([u, v]) => [u + x, v + y]);

  it('loses nothing of a picture that is the crop, its last row and column included', () => {
    const { out, inside } = align(
      paint(112, 112, ([x, y]) => [x, y, 200]),
      from(0, 0),
      112,
    );
    assert.ok(inside);
    for (let i = 0; i < 112 * 112; i++) {
      assert.deepEqual([...out.subarray(i * 3, i * 3 + 3)], [i % 112, Math.floor(i / 112), 200]);
    }
  });

  it('is black outside the picture, and only there', () => {
    const { at } = align(white(60, 50), from(-20, -30), 112);
    for (let y = 0; y < 112; y++) {
      for (let x = 0; x < 112; x++) {
        const inside = x >= 20 && x < 80 && y >= 30 && y < 80;
        assert.deepEqual(at(x, y), inside ? [255, 255, 255] : [0, 0, 0], `(${x}, ${y})`);
      }
    }
  });

  it('says when the face lies wholly outside, or its points all on one place; the crop is black then', () => {
    const places: Point[][] = [from(500, 0), from(-300, -300), TEMPLATE.map(() => [30, 30])];
    for (const points of places) {
      const { inside, out } = align(white(60, 50), points, 112);
      assert.equal(inside, false);
      assert.ok(out.every((value) => value === 0));
    }
  });
});
