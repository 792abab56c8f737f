#!/usr/bin/env node
/**
 * How well strangers are told apart by grouping their faces: `node scripts/measure/unknowns.mjs PACK PEOPLE...
 * [--once FOLDER...]`, folders with one folder of pictures a person; those under --once come by a single time. Prints the
 * rows of the tables of docs/unknowns.md. Needs `npm run build` and the pack. The face nearest to the picture's centre
 * counts, if it is fit to be grouped. Mixtures are made of one half of the people to choose the limits, and of the other
 * half to state what they give: each stranger comes several times, with other pictures, in any order.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import sharp from 'sharp';
import { DIST, openPack } from './pack.mjs';

const { createClusters } = await import(new URL('sightings/unknowns/cluster.js', DIST).href);
const { joinLimits } = await import(new URL('sightings/unknowns/limits.js', DIST).href);
const { isFit } = await import(new URL('sightings/unknowns/gate.js', DIST).href);
const { enrolLimits } = await import(new URL('settings/config.js', DIST).href);
const { openAnalysisCache, packPrint } = await import(new URL('accuracy/analysis-cache.js', DIST).href);
const { createRandom, drawSome } = await import(new URL('accuracy/bootstrap.js', DIST).href);

const [id = '', ...rest] = process.argv.slice(2);
const onceAt = rest.includes('--once') ? rest.indexOf('--once') : rest.length;
const SEEDS = 10;
/** Visits of a stranger who comes again. */
const VISITS = { least: 2, most: 8 };
/** What a camera makes of a face: kind, and the eyes' distance in pixels, or a share of it, or a JPEG's quality, or light. */
const WORSE = [
  ['eyes', 14],
  ['blur', 0.05],
  ['jpeg', 12],
  ['dark', 0.4],
];
/** In the wrong folder: see docs/accuracy.md. */
const EXCEPT = new Set(['Bison_Dele']);

const { config, pack, analyzer } = await openPack(id, 12);
const limits = enrolLimits(config);
const print = await packPrint(pack, { measure: 'unknowns' });
const cache = openAnalysisCache(path.join(config.CACHE_DIR ?? 'cache', 'unknowns'), print, console.error);

/** @typedef {{ name: string, looks: Float32Array[][] }} Stranger of each picture the face as it is, then made worse */
let unfit = 0;
let looked = 0;

/** @param {Buffer} bytes @param {string} name @param {() => Promise<Uint8Array>} read */
async function faceOf(bytes, name, read) {
  const key = `${createHash('sha256').update(bytes).digest('hex')} ${name}`;
  let seen = await cache.get(key);
  if (!seen) {
    const [{ value }] = await analyzer.analyze([{ bytes: await read(), options: { quality: true } }]);
    const { width = 0, height = 0, faces = [] } = value ?? {};
    seen = {
      width,
      height,
      faces: faces.map((/** @type {any} */ { box, landmarks, embedding, quality, unfit }) => {
        const eyes = landmarks ? Math.hypot(landmarks[2] - landmarks[0], landmarks[3] - landmarks[1]) : 40;
        return { box, eyes, embedding: embedding?.slice(), quality, unfit };
      }),
    };
    await cache.put(key, seen);
  }
  const away = (/** @type {any} */ { box }) =>
    Math.hypot(box.x1 + box.x2 - seen.width, box.y1 + box.y2 - seen.height);
  return seen.faces.toSorted((/** @type {any} */ a, /** @type {any} */ b) => away(a) - away(b)).at(0);
}

/** @param {Buffer} bytes @param {string} kind @param {number} value @param {number} eyes */
async function worsen(bytes, kind, value, eyes) {
  const upright = await sharp(bytes).autoOrient().toColourspace('srgb').png().toBuffer();
  if (kind === 'jpeg') return await sharp(upright).jpeg({ quality: value }).toBuffer();
  if (kind === 'dark') return await sharp(upright).linear(value, 0).png().toBuffer();
  if (kind === 'blur') {
    const sigma = Math.max(0.3, value * eyes);
    return await sharp(upright).blur(sigma).png().toBuffer();
  }
  const { width, height } = await sharp(upright).metadata();
  const scale = Math.min(1, value / eyes);
  const small = { width: Math.round(width * scale), height: Math.round(height * scale) };
  const [left, top] = [(width - small.width) >> 1, (height - small.height) >> 1];
  const room = { left, top, right: width - small.width - left, bottom: height - small.height - top };
  return await sharp(upright)
    .resize({ ...small, fit: 'fill' })
    .extend({ ...room, background: '#808080' })
    .png()
    .toBuffer();
}

/** @param {string} folder @param {boolean} worse @returns {Promise<Stranger[]>} */
async function strangersOf(folder, worse) {
  const strangers = [];
  for (const entry of (await readdir(folder, { withFileTypes: true })).sort((a, b) =>
    a.name < b.name ? -1 : 1,
  )) {
    if (!entry.isDirectory() || EXCEPT.has(entry.name)) continue;
    const looks = [];
    for (const file of (await readdir(path.join(folder, entry.name))).sort()) {
      const bytes = await readFile(path.join(folder, entry.name, file));
      const plain = await faceOf(bytes, 'as it is', async () => new Uint8Array(bytes));
      const faces = [plain];
      for (const [kind, value] of worse && plain ? WORSE : [])
        faces.push(
          await faceOf(
            bytes,
            `${kind} ${value}`,
            async () => new Uint8Array(await worsen(bytes, String(kind), Number(value), plain.eyes)),
          ),
        );
      const fit = faces.filter((face) => face?.embedding && isFit(face, limits));
      looked += faces.length;
      unfit += faces.length - fit.length;
      if (fit.length > 0 && fit[0] === plain) looks.push(fit.map(({ embedding }) => embedding));
    }
    if (looks.length > 0) strangers.push({ name: entry.name, looks });
  }
  return strangers;
}

const people = (await Promise.all(rest.slice(0, onceAt).map((folder) => strangersOf(folder, true)))).flat();
const passers = (
  await Promise.all(rest.slice(onceAt + 1).map((folder) => strangersOf(folder, false)))
).flat();
await analyzer.release();
console.log(
  `${pack.id}: ${people.length} strangers who come again, ${passers.length} who come once; ${unfit} of ${looked} faces not found or not fit`,
);

/** @typedef {{ who: string, vector: Float32Array }} Visit */
/** @param {Stranger[]} whom @param {() => number} random @param {boolean} worse @returns {Visit[]} */
function comings(whom, random, worse) {
  return whom.flatMap(({ name, looks }) => {
    const count = VISITS.least + Math.floor(random() * (VISITS.most - VISITS.least + 1));
    return Array.from({ length: count }, () => {
      const look = looks[Math.floor(random() * looks.length)];
      return { who: name, vector: look[worse ? Math.floor(random() * look.length) : 0] };
    });
  });
}

/** Those who are most like somebody else: a quarter. @param {Stranger[]} whom */
function alike(whom) {
  const nearest = whom.map((one) => {
    const others = whom
      .filter((other) => other !== one)
      .flatMap(({ looks }) => looks.map(([plain]) => plain));
    return {
      one,
      like: Math.max(...one.looks.flatMap(([plain]) => others.map((other) => inner(plain, other)))),
    };
  });
  return nearest
    .sort((a, b) => b.like - a.like)
    .slice(0, Math.ceil(whom.length / 4))
    .map(({ one }) => one);
}

/** @param {Float32Array} a @param {Float32Array} b */
function inner(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** @type {Record<string, (whom: Stranger[], once: Stranger[], random: () => number) => Visit[]>} */
const MIXTURES = {
  'each picture once': (whom) =>
    whom.flatMap(({ name, looks }) => looks.map(([vector]) => ({ who: name, vector }))),
  'several visits': (whom, _once, random) => comings(whom, random, false),
  'several, made worse': (whom, _once, random) => comings(whom, random, true),
  'worse, among many': (whom, once, random) => [
    ...comings(whom, random, true),
    ...once.map(({ name, looks }) => ({ who: name, vector: looks[0][0] })),
  ],
  'those alike': (whom, _once, random) => comings(alike(whom), random, true),
};

/**
 * Purity: the share of faces that are with the stranger who has most of their group. Completeness: the share that are in
 * the group which has most of their stranger. Groups: those that a stranger with several visits is in, on average.
 * @param {Visit[]} visits @param {(groups: number) => import('../../src/sightings/unknowns/cluster.js').JoinLimits} limitsFor
 */
function group(visits, limitsFor) {
  const clusters = createClusters({ length: pack.embedder.length, limitsFor, most: 10_000 });
  /** @type {number[]} */
  const into = [];
  /** @type {Map<number, number>} */
  const now = new Map();
  let made = 0;
  const started = performance.now();
  for (const { vector } of visits) {
    const placing = clusters.place(vector, () => ++made);
    into.push(placing.id);
    for (const gone of placing.joined) now.set(gone, placing.id);
    // The face's own group may be the one that has gone.
    now.delete(placing.id);
  }
  const time = (performance.now() - started) / visits.length;
  const end = (/** @type {number} */ at) => {
    let one = at;
    while (now.has(one)) one = now.get(one) ?? one;
    return one;
  };
  /** @type {Map<string, number>} */
  const both = new Map();
  /** @type {Map<number, number>} */
  const most = new Map();
  /** @type {Map<string, number[]>} */
  const of = new Map();
  for (const [i, { who }] of visits.entries()) {
    const key = `${end(into[i])} ${who}`;
    both.set(key, (both.get(key) ?? 0) + 1);
  }
  for (const [key, count] of both) {
    const [at, who] = [Number(key.slice(0, key.indexOf(' '))), key.slice(key.indexOf(' ') + 1)];
    most.set(at, Math.max(most.get(at) ?? 0, count));
    of.set(who, [...(of.get(who) ?? []), count]);
  }
  const again = [...of.values()].filter((counts) => counts.reduce((a, b) => a + b) > 1);
  const visitsAgain = again.flat().reduce((a, b) => a + b, 0);
  return {
    purity: [...most.values()].reduce((a, b) => a + b, 0) / visits.length,
    completeness: again.reduce((sum, counts) => sum + Math.max(...counts), 0) / visitsAgain,
    groups: again.flat().length / again.length,
    time,
    strangers: of.size,
    visits: visits.length,
  };
}

/** @param {Stranger[]} list @param {number} half */
const halfOf = (list, half) =>
  list.filter(({ name }) => (createHash('sha256').update(name).digest()[0] & 1) === half);

/** @param {number} half @param {string} mixture @param {(groups: number) => import('../../src/sightings/unknowns/cluster.js').JoinLimits} limitsFor */
function measure(half, mixture, limitsFor) {
  const [whom, once] = [halfOf(people, half), halfOf(passers, half)];
  const runs = Array.from({ length: SEEDS }, (_, seed) => {
    const random = createRandom(1000 * half + seed);
    const visits = MIXTURES[mixture](whom, once, random);
    return group(drawSome(visits, visits.length, random), limitsFor);
  });
  const mean = (/** @type {keyof typeof runs[0]} */ of) =>
    runs.reduce((sum, run) => sum + run[of], 0) / SEEDS;
  return {
    ...{ strangers: Math.round(mean('strangers')), visits: Math.round(mean('visits')), time: mean('time') },
    ...{ purity: mean('purity'), completeness: mean('completeness'), groups: mean('groups') },
    worst: {
      purity: Math.min(...runs.map(({ purity }) => purity)),
      groups: Math.max(...runs.map(({ groups }) => groups)),
    },
  };
}

/** What was tried: `KAOMON_TUNE=RATE,...` prints purity and groups a stranger of the first half. */
const tried = process.env.KAOMON_TUNE?.split(',').map(Number);
if (tried) {
  const { distanceAt, falseMatchRateFor } = await import(new URL('identity/odds.js', DIST).href);
  for (const rate of tried)
    for (const slack of [1, 1.05, 1.08, 1.12]) {
      const limitsFor = (/** @type {number} */ groups) => {
        const least = Math.min(rate, falseMatchRateFor(0.005, Math.max(1, groups)));
        // Where there is no curve it is a part of the threshold.
        const single = pack.curve ? distanceAt(pack.curve, least) : rate * pack.thresholds.identical;
        return { single, many: single * slack };
      };
      const cells = Object.keys(MIXTURES).map((mixture) => {
        const { purity, groups } = measure(0, mixture, limitsFor);
        return `${purity.toFixed(4)} ${groups.toFixed(3)}`;
      });
      console.log([rate, slack, limitsFor(1).single.toFixed(3), ...cells].join(' | '));
    }
} else {
  const limitsFor = (/** @type {number} */ groups) => joinLimits(pack, groups);
  for (const groups of [1, 1000, 10_000]) {
    const { single, many } = limitsFor(groups);
    console.log(`among ${groups} joined below ${single.toFixed(3)} (single) to ${many.toFixed(3)} (many)`);
  }
  console.log(
    '| mixture | strangers, visits | purity (worst of ten) | completeness | groups a stranger (worst) |',
  );
  console.log('| --- | --- | --- | --- | --- |');
  for (const half of [0, 1])
    for (const mixture of Object.keys(MIXTURES)) {
      const { strangers, visits, purity, completeness, groups, worst } = measure(half, mixture, limitsFor);
      const cells = [
        `${mixture}${half === 0 ? ' (chosen on)' : ''}`,
        `${strangers}, ${visits}`,
        `${purity.toFixed(4)} (${worst.purity.toFixed(4)})`,
        completeness.toFixed(4),
        `${groups.toFixed(3)} (${worst.groups.toFixed(3)})`,
      ];
      console.log(`| ${cells.join(' | ')} |`);
    }
}
