#!/usr/bin/env node
/**
 * What another execution provider finds, beside the CPU, and how fast: `node scripts/measure/provider.mjs PROVIDERS PACK`,
 * such as `cuda,cpu mtcnn+fr`. Needs `npm run build`, the pack, and the provider's hardware. The frames are put together
 * from the photographs of @vladmandic/face-api, 960x540. Times are the median, with the 95th percentile in brackets, ms.
 */
import { spawnSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';
import { DIST } from './pack.mjs';

const { composeFrame } = await import(new URL('bench/frames.js', DIST).href);
const { loadConfig } = await import(new URL('settings/config.js', DIST).href);
const { openPack, openVision } = await import(new URL('cli/shared/parts.js', DIST).href);

const [providers = 'cuda,cpu', id = 'auto'] = process.argv.slice(2);
const NAMES = ['no face', '1 face', '6 faces', '32 faces'];
const REPEATS = 30;
const SECONDS = 3;
/** Vision threads and pictures at once. */
const LOADS = [
  [1, 1],
  [1, 4],
  [1, 16],
  [2, 16],
  [4, 16],
];

const pack = await openPack(id, loadConfig({}));

/** @param {string} asked @param {number} poolThreads */
function open(asked, poolThreads) {
  const config = loadConfig({ EXECUTION_PROVIDERS: asked });
  return openVision(pack, config, { poolThreads, queueLength: 64 });
}

/** What the GPU's processes hold, megabytes. */
function gpuMemory() {
  const words = ['--query-gpu=memory.used', '--format=csv,noheader,nounits'];
  return Number(spawnSync('nvidia-smi', words, { encoding: 'utf8' }).stdout ?? NaN);
}

/** @param {number[]} numbers */
function median(numbers) {
  const sorted = numbers.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ part) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))];
  return `${at(0.5).toFixed(1)} (${at(0.95).toFixed(1)})`;
}

/** @param {any} one @param {any} other two analyses of one frame */
function compare(one, other) {
  let [box, landmark, cosine] = [0, 0, 1];
  for (const face of one.faces) {
    const far = (/** @type {any} */ { box: b }) =>
      Math.max(...['x1', 'y1', 'x2', 'y2'].map((side) => Math.abs(b[side] - face.box[side])));
    const same = other.faces.toSorted((/** @type {any} */ a, /** @type {any} */ b) => far(a) - far(b))[0];
    if (!same) return 'nobody';
    box = Math.max(box, far(same));
    for (const [i, at] of face.landmarks.entries())
      landmark = Math.max(landmark, Math.abs(at - same.landmarks[i]));
    let product = 0;
    for (const [i, value] of face.embedding.entries()) product += value * same.embedding[i];
    cosine = Math.min(cosine, product);
  }
  return `boxes within ${box.toFixed(3)} pixels, landmarks ${landmark.toFixed(3)}, cosine at least ${cosine.toFixed(6)}`;
}

const frames = await Promise.all(NAMES.map(async (name) => ({ name, bytes: await composeFrame(name) })));
const copy = (/** @type {Uint8Array} */ bytes) => Uint8Array.from(bytes);

console.log(`${pack.id} on ${availableParallelism()} cores; GPU memory before: ${gpuMemory()} MB`);
const [cpu, other] = [await open('cpu', 1), await open(providers, 1)];
const { provider, refusedProviders, kernels, note } = other.info();
console.log(`asked for ${providers}: ${JSON.stringify({ provider, refusedProviders, kernels, note })}`);
console.log(`the CPU's detector: ${cpu.info().kernels}; GPU memory after: ${gpuMemory()} MB`);
for (const { name, bytes } of frames) {
  const begun = performance.now();
  const found = await other.analyze(copy(bytes));
  const first = performance.now() - begun;
  const expected = await cpu.analyze(copy(bytes));
  console.log(`\n${name}: ${found.faces.length} of ${expected.faces.length}; ${compare(expected, found)}`);
  console.log(`  the first took ${first.toFixed(0)} ms`);
  for (const [who, vision] of [
    ['cpu', cpu],
    [provider, other],
  ]) {
    const times = /** @type {Record<string, number[]>} */ ({ whole: [], decode: [], detect: [], embed: [] });
    for (let i = -3; i < REPEATS; i++) {
      const start = performance.now();
      const { times: stages } = await vision.analyze(copy(bytes));
      if (i < 0) continue;
      times.whole.push(performance.now() - start);
      for (const stage of ['decode', 'detect', 'embed']) times[stage].push(stages[stage]);
    }
    const told = Object.entries(times).map(([stage, all]) => `${stage} ${median(all)}`);
    console.log(`  ${who.padEnd(6)} ${told.join(', ')}`);
  }
}
await Promise.all([cpu.close(), other.close()]);

console.log('');
for (const name of ['1 face', '6 faces']) {
  const bytes = frames.find((frame) => frame.name === name)?.bytes;
  for (const [threads, clients] of LOADS) {
    const vision = await open(providers, threads);
    for (let i = 0; i < 4; i++)
      await Promise.all(Array.from({ length: clients }, () => vision.analyze(copy(bytes))));
    const begun = performance.now();
    const end = begun + SECONDS * 1000;
    let done = 0;
    await Promise.all(
      Array.from({ length: clients }, async () => {
        for (; performance.now() < end; done++) await vision.analyze(copy(bytes));
      }),
    );
    console.log(
      `${name}, ${threads} vision threads, ${clients} at once: ${((done * 1000) / (performance.now() - begun)).toFixed(1)} a second; GPU memory ${gpuMemory()} MB`,
    );
    await vision.close();
  }
}
