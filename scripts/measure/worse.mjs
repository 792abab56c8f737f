#!/usr/bin/env node
/**
 * What becomes of faces that are small, blurred or compressed, on both sides of the floors of src/vision/fitness.ts:
 * `node scripts/measure/worse.mjs PACK PEOPLE STRANGERS [HOW-MANY]`, folders with one folder of pictures a person. Needs
 * `npm run build` and the pack. The first picture of each person is enrolled; the second one, and one of each stranger,
 * are made worse and looked for. The largest face of each picture counts.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import sharp from 'sharp';
import { DIST, openPack } from './pack.mjs';

const { createDecision } = await import(new URL('identity/decision.js', DIST).href);
const { squaredDistance } = await import(new URL('gallery/distance.js', DIST).href);

const [id = '', peopleFolder = '', strangersFolder = '', most = '60'] = process.argv.slice(2);
const CONDITIONS = [
  ...[['as it is', 0]],
  ...[12, 16, 20, 24, 32, 48].map((pixels) => ['size', pixels]),
  ...[3, 5, 8, 10, 20, 40].map((quality) => ['jpeg', quality]),
  ...[0.03, 0.05, 0.07, 0.1, 0.14].map((sigma) => ['blur', sigma]),
  ...[0.5, 0.25].map((light) => ['dark', light]),
];

const { config, pack, analyzer } = await openPack(id, 12);

/** @param {Uint8Array} bytes */
async function look(bytes, views = false) {
  const [result] = await analyzer.analyze([{ bytes: new Uint8Array(bytes), options: { views } }]);
  return result.value?.faces[0];
}

/** @param {string} folder @param {number} which picture of each */
async function picturesOf(folder, which) {
  const names = (await readdir(folder)).sort().slice(0, Number(most));
  const files = names.map(async (name) => {
    const all = (await readdir(path.join(folder, name))).sort();
    return path.join(folder, name, all[Math.min(which, all.length - 1)] ?? '');
  });
  return await Promise.all(files);
}

/**
 * @param {Buffer} png the upright picture
 * @param {string} kind @param {number} value
 * @param {{ size: number, eyes: number }} face in it
 */
async function worsen(png, kind, value, { size, eyes }) {
  if (kind === 'jpeg') return await sharp(png).jpeg({ quality: value }).toBuffer();
  if (kind === 'blur')
    return await sharp(png)
      .blur(Math.max(0.3, value * eyes))
      .png()
      .toBuffer();
  if (kind === 'dark') return await sharp(png).linear(value, 0).png().toBuffer();
  if (kind !== 'size') return png;
  const { width, height } = await sharp(png).metadata();
  const scale = Math.min(1, value / size);
  const small = { width: Math.round(width * scale), height: Math.round(height * scale) };
  const [left, top] = [(width - small.width) >> 1, (height - small.height) >> 1];
  return await sharp(png)
    .resize({ ...small, fit: 'fill' })
    .extend({
      ...{ left, top, right: width - small.width - left, bottom: height - small.height - top },
      background: '#808080',
    })
    .png()
    .toBuffer();
}

const gallery = [];
for (const file of await picturesOf(peopleFolder, 0))
  gallery.push((await look(await readFile(file), true))?.embedding);
const decision = createDecision({ pack, config, gallery: { searched: () => gallery.length } });
const threshold = decision.threshold();
const probes = [
  ...(await picturesOf(peopleFolder, 1)).map((file, who) => ({ file, who })),
  ...(await picturesOf(strangersFolder, 0)).map((file) => ({ file, who: -1 })),
];
const measured = [];
for (const { file, who } of probes) {
  const png = await sharp(file).autoOrient().toColourspace('srgb').png().toBuffer();
  const whole = await look(png);
  const [x0 = 0, y0 = 0, x1 = 0, y1 = 0] = whole?.landmarks ?? [];
  const eyes = Math.hypot(x1 - x0, y1 - y0);
  if (whole) measured.push({ png, who, size: whole.quality.size, eyes });
}
console.log(`${pack.id}: ${gallery.length} people, named below ${threshold.toFixed(3)}`);
console.log(
  'condition      | fit: faces, right, wrong, strangers named | unfit: faces, right, wrong, named | not found',
);
for (const [kind, value] of CONDITIONS) {
  const counts = {
    fit: { faces: 0, right: 0, wrong: 0, named: 0 },
    unfit: { faces: 0, right: 0, wrong: 0, named: 0 },
    missed: 0,
  };
  for (const { png, who, ...face0 } of measured) {
    const face = await look(await worsen(png, String(kind), Number(value), face0));
    if (!face) {
      counts.missed += 1;
      continue;
    }
    const count = face.unfit ? counts.unfit : counts.fit;
    const distances = gallery.map((other) => (other ? squaredDistance(other, face.embedding) : 4));
    const least = Math.min(...distances);
    count.faces += 1;
    if (least >= threshold) continue;
    if (who < 0) count.named += 1;
    else if (distances[who] === least) count.right += 1;
    else count.wrong += 1;
  }
  const tell = (/** @type {object} */ count) =>
    Object.values(count)
      .map((n) => String(n).padStart(4))
      .join(' ');
  console.log(
    `${`${kind} ${value}`.padEnd(14)} | ${tell(counts.fit)} | ${tell(counts.unfit)} | ${counts.missed}`,
  );
}
await analyzer.release();
