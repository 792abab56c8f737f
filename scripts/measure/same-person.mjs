#!/usr/bin/env node
/**
 * How many right pictures of a person are refused as somebody else's, and how many wrong ones are taken, at some distances:
 * `node scripts/measure/same-person.mjs PACK FOLDER...`, folders with one folder of pictures a person. Prints the rows of the
 * tables of docs/ways-in.md. Needs `npm run build` and the pack. The largest face of each picture counts, if it is fit to be
 * enrolled.
 */
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { DIST, openPack } from './pack.mjs';

const { createDecision } = await import(new URL('identity/decision.js', DIST).href);
const { distanceAt } = await import(new URL('identity/odds.js', DIST).href);
const { findStrangers } = await import(new URL('identity/same-person.js', DIST).href);
const { checkFace } = await import(new URL('identity/fit-to-enrol.js', DIST).href);
const { enrolLimits } = await import(new URL('settings/config.js', DIST).href);
const { squaredDistance } = await import(new URL('gallery/distance.js', DIST).href);
const { templateOf } = await import(new URL('gallery/templates.js', DIST).href);

const [id = '', ...folders] = process.argv.slice(2);
const RATES = [1e-4, 1e-3, 1e-2];
/** Other people's faces that are tried with two or more of a person's. */
const OTHERS = 20;

const { config, pack, analyzer } = await openPack(id);
const limits = enrolLimits(config);

/** @type {Float32Array[][]} each person's embeddings */
const people = [];
let unfit = 0;
for (const folder of folders) {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    /** @type {Float32Array[]} */
    const own = [];
    for (const name of (await readdir(path.join(folder, entry.name))).sort()) {
      const bytes = new Uint8Array(await readFile(path.join(folder, entry.name, name)));
      const [{ value }] = await analyzer.analyze([{ bytes, options: { views: true, quality: true } }]);
      const face = value?.faces[0];
      try {
        if (!face?.embedding) throw new Error('no face');
        checkFace(face, limits);
        own.push(face.embedding.slice());
      } catch {
        unfit += 1;
      }
    }
    if (own.length > 1) people.push(own);
  }
}
await analyzer.release();

let seed = 1;
/** @param {number} below */
const random = (below) => {
  seed = (seed * 48_271) % 2_147_483_647;
  return seed % below;
};

/** @param {Float32Array} face @param {Float32Array[]} own */
const toPerson = (face, own) => {
  const template = templateOf(own);
  return Math.min(...[...own, ...(template ? [template] : [])].map((one) => squaredDistance(one, face)));
};

/** @param {Float32Array[]} faces */
const asNewcomers = (faces) => faces.map((embedding, i) => ({ embedding, picture: String(i) }));

/** @param {number} count @param {number} of */
const part = (count, of) => `${count} of ${of} (${((100 * count) / of).toFixed(count * 100 < of ? 2 : 1)} %)`;

const { curve, thresholds } = pack;
const tried = curve
  ? RATES.map((rate) => [`1 in ${1 / rate}`, distanceAt(curve, rate)])
  : [['fixed', thresholds.identical]];
const { apart } = createDecision({ pack, config, gallery: { searched: () => 1 } });
const pictures = people.reduce((sum, own) => sum + own.length, 0);
console.log(
  `${pack.id}: ${people.length} people, ${pictures} pictures, ${unfit} more that are not fit; the server refuses at ${apart().toFixed(3)}`,
);
console.log(
  '| FMR, distance | right, 1 enrolled | right, all others enrolled | wrong, 1 enrolled | wrong, all enrolled | three right: one refused | two right, one wrong: that one alone refused, all taken, else | one right, one wrong: both taken |',
);
console.log('| --- | --- | --- | --- | --- | --- | --- | --- |');
for (const [name, distance] of tried) {
  const limit = Number(distance);
  const right = { one: 0, ones: 0, all: 0, alls: 0 };
  const wrong = { one: 0, ones: 0, all: 0, alls: 0 };
  const trios = { refused: 0, of: 0 };
  const mixed = { caught: 0, taken: 0, of: 0 };
  const pairs = { taken: 0, of: 0 };
  for (const [who, own] of people.entries()) {
    const others = people.flatMap((theirs, other) => (other === who ? [] : theirs));
    const someOthers = Array.from({ length: OTHERS }, () => others[random(others.length)] ?? own[0]);
    for (const [at, face] of own.entries()) {
      const rest = own.filter((one) => one !== face);
      right.alls += 1;
      if (toPerson(face, rest) >= limit) right.all += 1;
      for (const one of rest) {
        right.ones += 1;
        if (squaredDistance(one, face) >= limit) right.one += 1;
      }
      for (const other of someOthers) {
        wrong.ones += 1;
        if (squaredDistance(other, face) < limit) wrong.one += 1;
        pairs.of += 1;
        if (findStrangers(asNewcomers([face, other]), limit).size === 0) pairs.taken += 1;
      }
      for (const second of own.slice(at + 1)) {
        for (const other of someOthers) {
          const strangers = findStrangers(asNewcomers([other, face, second]), limit);
          mixed.of += 1;
          if (strangers.size === 0) mixed.taken += 1;
          if (strangers.size === 1 && strangers.has(0)) mixed.caught += 1;
        }
        for (const third of own.slice(own.indexOf(second) + 1)) {
          trios.of += 1;
          if (findStrangers(asNewcomers([face, second, third]), limit).size > 0) trios.refused += 1;
        }
      }
    }
    for (const other of others) {
      wrong.alls += 1;
      if (toPerson(other, own) < limit) wrong.all += 1;
    }
  }
  const cells = [
    `${name}, ${limit.toFixed(3)}`,
    part(right.one, right.ones),
    part(right.all, right.alls),
    part(wrong.one, wrong.ones),
    part(wrong.all, wrong.alls),
    part(trios.refused, trios.of),
    [mixed.caught, mixed.taken, mixed.of - mixed.caught - mixed.taken]
      .map((count) => part(count, mixed.of))
      .join(', '),
    part(pairs.taken, pairs.of),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
