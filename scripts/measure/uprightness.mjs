#!/usr/bin/env node
/**
 * Fits the numbers of src/vision/detectors/uprightness.ts: `node scripts/measure/uprightness.mjs FOLDER..`, folders with
 * one folder of pictures a person, upright and one face each. Builds on `npm run build` and the pack faceapi-chip. Each
 * face is looked for once, turned by 23 angles, moved and scaled a little in its square, and given to the network of 68
 * points; ridge regression then tells the points of upright faces (1) from those of turned ones (-1).
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';

process.env.ORT_DISABLE_TELEMETRY ??= '1';
const DIST = new URL('../../dist/src/', import.meta.url);
const { loadConfig } = await import(new URL('settings/config.js', DIST).href);
const { preparePack } = await import(new URL('models/packs/prepare.js', DIST).href);
const { decodeImage } = await import(new URL('vision/image.js', DIST).href);
const { Runtime } = await import(new URL('vision/ort.js', DIST).href);
const { createSsdDetector } = await import(new URL('vision/detectors/ssd.js', DIST).href);
const { drawSquare, squareAround } = await import(new URL('vision/turn.js', DIST).href);

const ANGLES = [
  0, 0, -12, 12, -24, 24, -36, 36, 60, 90, 90, 120, 150, 180, 180, 180, 180, 210, 240, 270, 270, 300,
];
/** Degrees: nearer is upright, farther is turned, and what lies between is left out. */
const UPRIGHT = 32;
const TURNED = 70;
const RIDGE = 1e-5;
const LENGTH = 137;
/** The points of a mirrored face, in their own order. */
const MIRRORED = [
  ...[16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 26, 25, 24, 23, 22, 21, 20, 19, 18, 17],
  ...[27, 28, 29, 30, 35, 34, 33, 32, 31, 45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40],
  ...[54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65],
];

let seed = 5;
const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
/** @param {number[]} points */
const mirror = (points) => MIRRORED.flatMap((from) => [-(points[from * 2] ?? 0), points[from * 2 + 1] ?? 0]);

/** @param {string[]} folders @returns {Promise<string[]>} the first picture of each person */
async function picturesOf(folders) {
  const files = [];
  for (const folder of folders) {
    for (const person of (await readdir(folder)).sort()) {
      const [first] = (await readdir(path.join(folder, person))).sort();
      if (first) files.push(path.join(folder, person, first));
    }
  }
  return files;
}

/** @param {number[][]} matrix @param {number[]} right @returns {number[]} */
function solve(matrix, right) {
  const rows = matrix.map((row, i) => [...row, right[i] ?? 0]);
  const at = (/** @type {number} */ i, /** @type {number} */ j) => rows[i]?.[j] ?? 0;
  for (let i = 0; i < LENGTH; i++) {
    let pivot = i;
    for (let r = i + 1; r < LENGTH; r++) if (Math.abs(at(r, i)) > Math.abs(at(pivot, i))) pivot = r;
    [rows[i], rows[pivot]] = [rows[pivot] ?? [], rows[i] ?? []];
    for (let r = i + 1; r < LENGTH; r++) {
      const factor = at(r, i) / at(i, i);
      rows[r] = (rows[r] ?? []).map((value, j) => value - factor * at(i, j));
    }
  }
  const found = new Array(LENGTH).fill(0);
  for (let i = LENGTH - 1; i >= 0; i--) {
    let rest = at(i, LENGTH);
    for (let j = i + 1; j < LENGTH; j++) rest -= at(i, j) * found[j];
    found[i] = rest / at(i, i);
  }
  return found;
}

const pack = await preparePack('faceapi-chip', { modelsDir: loadConfig({}).MODELS_DIR });
const runtime = new Runtime({ pack, providers: ['cpu'], gpuDevice: 0, threads: 1, selfCheck: false });
const ssd = await createSsdDetector(runtime, pack.detector);
/** @type {{ degrees: number, points: number[] }[]} */
const seen = [];
for (const file of await picturesOf(process.argv.slice(2))) {
  const picture = await decodeImage(await readFile(file), { maxPixels: 25e6 });
  const [face] = await ssd.detect(picture);
  if (!face) continue;
  for (const angle of ANGLES) {
    const degrees = angle + (random() - 0.5) * (angle === 0 ? 8 : 16);
    const square = squareAround(face.box, -degrees, 2, 80);
    const drawn = drawSquare(picture, square, new Uint8Array(square.side ** 2 * 3));
    const size = 0.85 + random() * 0.35;
    const sides = [face.box.x2 - face.box.x1, face.box.y2 - face.box.y1];
    const longer = Math.max(...sides);
    const [wide, high] = (random() < 0.5 ? sides : sides.reverse()).map((s) => (s / longer) * 80 * size);
    const x = square.side / 2 + (random() - 0.5) * 0.14 * (wide ?? 0);
    const y = square.side / 2 + (random() - 0.5) * 0.14 * (high ?? 0);
    const box = {
      x1: x - (wide ?? 0) / 2,
      y1: y - (high ?? 0) / 2,
      x2: x + (wide ?? 0) / 2,
      y2: y + (high ?? 0) / 2,
    };
    const [read] = await ssd.follow(drawn, [{ box, probability: 1, landmarks: undefined, embed: false }]);
    const side = Math.max(Math.trunc(box.x2) - Math.trunc(box.x1), Math.trunc(box.y2) - Math.trunc(box.y1));
    const points = Array.from(read?.landmarks68 ?? [], (value, i) => (value - (i % 2 === 0 ? x : y)) / side);
    if (points.length > 0) seen.push({ degrees: Math.abs(degrees > 180 ? degrees - 360 : degrees), points });
  }
}
await ssd.release();

const matrix = Array.from({ length: LENGTH }, () => new Array(LENGTH).fill(0));
const right = new Array(LENGTH).fill(0);
let count = 0;
for (const { degrees, points } of seen) {
  if (degrees > UPRIGHT && degrees < TURNED) continue;
  const [wanted, weight] = degrees <= UPRIGHT ? [1, 2] : [-1, 1];
  for (const row of [
    [...points, 1],
    [...mirror(points), 1],
  ]) {
    count += weight;
    row.forEach((a, i) => {
      right[i] += weight * a * wanted;
      row.forEach((b, j) => ((matrix[i] ?? [])[j] += weight * a * b));
    });
  }
}
for (let i = 0; i < LENGTH - 1; i++) (matrix[i] ?? [])[i] += RIDGE * count;
const weights = solve(matrix, right).map((value) => Math.round(value * 100) / 100);
const scores = (/** @type {number} */ from, /** @type {number} */ to) =>
  seen
    .filter(({ degrees }) => degrees >= from && degrees <= to)
    .map(({ points }) => [...points, 1].reduce((sum, value, i) => sum + value * (weights[i] ?? 0), 0))
    .sort((a, b) => a - b);
for (const [name, sorted] of [
  ['upright', scores(0, UPRIGHT)],
  ['turned', scores(TURNED, 180)],
]) {
  const at = [0, 0.01, 0.05, 0.5, 0.95, 0.99, 0.999, 1].map(
    (part) => sorted[Math.floor(part * (sorted.length - 1))],
  );
  console.log(name, sorted.length, ...at.map((score) => Number(score).toFixed(2)));
}
console.log(JSON.stringify(weights));
