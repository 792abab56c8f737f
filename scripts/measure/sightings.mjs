#!/usr/bin/env node
/**
 * What keeping who came by costs: `node scripts/measure/sightings.mjs [ROUNDS [PACK]]`. Servers without sightings, with
 * them, and with pictures of them too, get the same frames in turn, over HTTP and the stream, so that another program on
 * the machine disturbs all alike. Counted is the processor time of each server's process, writing included; differences are
 * of the rounds, each with the server that keeps nothing. `node scripts/measure/sightings.mjs memory [FRAMES]` shows
 * whether memory stays level, without any network: made-up faces come by at four cameras. Needs `npm run build` and the pack.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { WebSocket } from 'ws';
import { DIST } from './pack.mjs';

const [first = '12', second] = process.argv.slice(2);
const folder = await mkdtemp(path.join(os.tmpdir(), 'kaomon-sightings-'));
try {
  await (first === 'memory' ? memory(Number(second ?? 100_000)) : cost(Number(first), second));
} finally {
  await rm(folder, { recursive: true, force: true });
}

/** @param {number} rounds @param {string | undefined} pack */
async function cost(rounds, pack) {
  const { startServer } = await import(new URL('bench/server.js', DIST).href);
  const { loadFrames } = await import(new URL('bench/frames.js', DIST).href);
  const { frames } = await loadFrames();
  const [one, six] = ['1 face', '6 faces'].map((wanted) =>
    frames.find((/** @type {{ name: string }} */ { name }) => name === wanted),
  );
  const kinds = {
    'nothing kept': {},
    sightings: { SIGHTINGS: 'true' },
    'with pictures': { SIGHTINGS: 'true', KEEP_SIGHTINGS: 'true' },
  };
  /** @type {{ name: string, server: any, ask: (bytes: Buffer) => Promise<unknown> }[]} */
  const servers = [];
  for (const [name, env] of Object.entries(kinds)) {
    const place = path.join(folder, name.replaceAll(' ', '-'));
    const server = await startServer({
      ...{ EMBEDDINGS_DIR: path.join(place, 'gallery'), CACHE_DIR: path.join(place, 'cache') },
      ...{ VISION_THREADS: '1', WORKERS: '1', ...(pack && { MODEL_PACK: pack }), ...env },
    });
    servers.push({ name, server, ask: await streamOf(server.origin) });
  }
  const ways = {
    'HTTP, 1 face': [
      one,
      (/** @type {any} */ { server }) => server.send('POST', '/api/v1/recognise', one.bytes),
    ],
    'HTTP, 6 faces': [
      six,
      (/** @type {any} */ { server }) => server.send('POST', '/api/v1/recognise', six.bytes),
    ],
    'stream, 1 face': [one, (/** @type {any} */ { ask }) => ask(one.bytes)],
    'stream, 6 faces': [six, (/** @type {any} */ { ask }) => ask(six.bytes)],
  };
  console.log(
    '| way | kept | CPU ms a frame, median | more than nothing kept, median of the rounds (quartiles) |',
  );
  console.log('| --- | --- | --- | --- |');
  for (const [way, [, send]] of Object.entries(ways)) {
    /** @type {Map<string, number[]>} */
    const times = new Map(servers.map(({ name }) => [name, []]));
    for (let round = -1; round < rounds; round++) {
      // Another one begins each time.
      const order = servers.map((_, i) => servers[(i + round + servers.length) % servers.length]);
      for (const one of order) {
        const before = await cpuOf(one.server.pid);
        const asked = 40;
        for (let i = 0; i < asked; i++) await /** @type {Function} */ (send)(one);
        // What is written a second later counts as well.
        await new Promise((resolve) => setTimeout(resolve, 1200));
        if (round >= 0) times.get(one.name)?.push(((await cpuOf(one.server.pid)) - before) / asked);
      }
    }
    const base = times.get('nothing kept') ?? [];
    for (const [name, list] of times) {
      const more = list.map((ms, i) => (100 * (ms - base[i])) / base[i]).sort((a, b) => a - b);
      const at = (/** @type {number} */ part) => more[Math.floor(part * (more.length - 1))].toFixed(1);
      const told = name === 'nothing kept' ? '' : `${at(0.5)} % (${at(0.25)} to ${at(0.75)})`;
      console.log(`| ${way} | ${name} | ${median(list).toFixed(2)} | ${told} |`);
    }
  }
  for (const { server } of servers) await server.end();
}

/** @param {string} origin @returns {Promise<(bytes: Buffer) => Promise<unknown>>} */
async function streamOf(origin) {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/api/v1/stream`);
  /** @type {((answer: unknown) => void) | undefined} */
  let answered;
  socket.on('message', (/** @type {Buffer} */ data) => {
    const message = JSON.parse(data.toString());
    if (message.type === 'frame' || message.type === 'error') answered?.(message);
  });
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  return (bytes) =>
    new Promise((resolve) => {
      answered = resolve;
      socket.send(bytes);
    });
}

/** Processor time of a process so far, with all its threads, milliseconds; a tick is 10 ms. @param {number} pid */
async function cpuOf(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** @param {number[]} list */
function median(list) {
  return [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)] ?? NaN;
}

/** @param {number} frames */
async function memory(frames) {
  const { openSightings } = await import(new URL('sightings/open.js', DIST).href);
  const { loadConfig } = await import(new URL('settings/config.js', DIST).href);
  const config = { ...loadConfig({ EMBEDDINGS_DIR: folder }), KEEP_SIGHTINGS: true };
  const clock = { now: 0 };
  const begun = Date.now();
  const persons = Array.from({ length: 50 }, (_, i) => ({
    faceid: `g-p${i}`,
    groupid: 'g',
    userid: `p${i}`,
  }));
  const { groupingFor } = await import(new URL('sightings/unknowns/grouping-for.js', DIST).href);
  const { PACKS } = await import(new URL('models/packs/packs.js', DIST).href);
  const pack = PACKS.find((/** @type {{ id: string }} */ { id }) => id === 'mtcnn+fr');
  const sightings = await openSightings({
    ...{ config, pack: 'measured', pair: pack.thresholds.identical },
    unknowns: groupingFor({ ...pack, embedder: { length: 512 } }, config),
    gallery: { person: async () => persons[0], subscribe: () => () => undefined },
    log: { warn: console.error, info: () => undefined },
    now: () => clock.now,
    date: () => begun + clock.now,
  });
  /** @param {number} who */
  const faceOf = (who) => {
    const vector = new Float32Array(512);
    let seed = who + 1;
    for (let i = 0; i < 512; i++) {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      vector[i] = seed / 1073741824 - 1;
    }
    const norm = Math.hypot(...vector);
    return vector.map((value) => value / norm);
  };
  const sources = ['gate', 'yard', 'hall', 'door'].map((deviceid) => ({ deviceid, source: {} }));
  const started = performance.now();
  for (let frame = 0; frame < frames; frame++) {
    clock.now += 100;
    // Three in each frame, for 60 frames; every second one is a stranger.
    const scene = Math.floor(frame / 240);
    sightings.observer.observe(
      sources[frame % 4],
      [0, 1, 2].map((place) => {
        const who = 3 * scene + place;
        const person = who % 2 ? persons[who % persons.length] : undefined;
        return {
          match: person && { person, face: {}, distance: 0.3, odds: undefined },
          embedding: faceOf(person ? who % persons.length : 1000 + (who % 700)),
          quality: { size: 100 + (frame % 60), sharpness: 50, brightness: 100, yaw: 0, pitch: 0, roll: 0 },
          ...{ area: 10_000, track: who, aligned: new Uint8Array(3 * 160 * 160).fill(frame % 251) },
        };
      }),
    );
    if (frame % 10 === 9) await sightings.flush();
    if ((frame + 1) % (frames / 10) === 0) {
      globalThis.gc?.();
      const { rss, heapUsed, external } = process.memoryUsage();
      const mb = (/** @type {number} */ bytes) => (bytes / 1e6).toFixed(0).padStart(5);
      const { open, waiting, dropped } = sightings.info();
      console.log(
        `${frame + 1} frames: resident ${mb(rss)} MB, heap ${mb(heapUsed)}, external ${mb(external)}; open ${open}, waiting ${waiting}, dropped ${dropped}`,
      );
    }
  }
  console.log(
    await sightings.store.ask('figures'),
    `${((performance.now() - started) / frames).toFixed(3)} ms a frame`,
  );
  await sightings.close();
}
