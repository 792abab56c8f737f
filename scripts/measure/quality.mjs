#!/usr/bin/env node
/**
 * How sharp and how turned portraits are that people do enrol: `node scripts/measure/quality.mjs PACK FOLDER...`, folders
 * with pictures in them or below. Prints a row of the table of docs/quality.md for each folder, and what the default
 * limits would refuse. Needs `npm run build` and the pack. The largest face of each picture counts.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { openPack } from './pack.mjs';

const [id = '', ...folders] = process.argv.slice(2);
const { config, analyzer } = await openPack(id);

/** @param {number[]} values @param {number} part 0 to 1 */
const quantile = (values, part) => {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[Math.round(part * (sorted.length - 1))] ?? NaN).toFixed(1);
};

console.log(
  '| pack, pictures | faces | sharpness: least, 2 %, median | yaw: 95 %, 98 %, most | pitch: most | roll: most | refused |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- |');
for (const folder of folders) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile() && /\.(jpe?g|png)$/i.test(entry.name));
  /** @type {Record<string, number>[]} */
  const found = [];
  /** @type {Record<string, number>} */
  const refused = {};
  for (const { parentPath, name } of files) {
    const bytes = new Uint8Array(await readFile(path.join(parentPath, name)));
    const [{ value }] = await analyzer.analyze([{ bytes, options: { quality: true, embed: false } }]);
    const quality = value?.faces[0]?.quality;
    if (!quality) continue;
    found.push(quality);
    const { size, sharpness, yaw = 0, pitch = 0, roll = 0 } = quality;
    const why =
      (size < config.MIN_ENROL_SIZE && 'small') ||
      (sharpness < config.MIN_SHARPNESS && 'blurred') ||
      (Math.abs(yaw) > config.MAX_YAW && 'yaw') ||
      (Math.abs(pitch) > config.MAX_PITCH && 'pitch') ||
      (Math.abs(roll) > config.MAX_ROLL && 'roll');
    if (why) refused[why] = (refused[why] ?? 0) + 1;
  }
  const of = (/** @type {string} */ name) => found.map((quality) => Math.abs(quality[name] ?? 0));
  const [sharp, yaw] = [of('sharpness'), of('yaw')];
  const cells = [
    `\`${id}\`, ${path.basename(folder)}`,
    `${found.length} of ${files.length}`,
    [0, 0.02, 0.5].map((part) => quantile(sharp, part)).join(', '),
    [0.95, 0.98, 1].map((part) => quantile(yaw, part)).join(', '),
    quantile(of('pitch'), 1),
    quantile(of('roll'), 1),
    Object.entries(refused)
      .map(([why, times]) => `${times} (${why})`)
      .join(', ') || 'none',
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
await analyzer.release();
