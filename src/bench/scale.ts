import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { request } from 'undici';
import { faceIdOf } from '../gallery/ids.js';
import { LISTS_FROM } from '../gallery/base/train-lists.js';
import type { BenchContext } from './effort.js';
import type { Frame } from './frames.js';
import { GROUP, makeGallery, type MadeGallery } from './made-gallery.js';
import { benchMatrix } from './matrix.js';
import type { BenchPack } from './pack.js';
import { rowOf } from './report.js';
import { type BenchServer, startServer } from './server.js';

/** Workers of one machine. */
const WORKERS = 4;
/** The largest gallery that is made as files of people. */
const MOST_MADE = 2_000_000;
/** The largest gallery that is imported as well. */
const MOST_IMPORTED = 100_000;

/** What a gallery costs by its size: start, memory, export, import, search and a change. */
export async function benchScale(
  bench: BenchPack,
  _frames: readonly Frame[],
  context: BenchContext,
): Promise<void> {
  const { effort, note } = context;
  note('scale: made people with one face each; probes are other faces of them, searched for by vector.');
  const empty = await makeGallery(0, bench, context);
  const none = await workersOn(empty.env, (servers) => proportional(servers));
  for (const size of effort.sizes) {
    if (size > MOST_MADE) {
      await benchMatrix(size, context);
      continue;
    }
    const { env, probes, folder } = await makeGallery(size, bench, context);
    try {
      await measure(size, { env, probes, none, bench }, context);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

interface Made {
  env: Record<string, string>;
  probes: MadeGallery['probes'];
  /** What `WORKERS` workers take with nobody enrolled, MB. */
  none: number;
  bench: BenchPack;
}

async function measure(
  size: number,
  { env, probes, none, bench }: Made,
  context: BenchContext,
): Promise<void> {
  const { add, folder } = context;
  const place = (measured: string, unit: 's' | 'MB' | 'ms' | 'share') =>
    ({ section: 'scale', of: `${size.toLocaleString('en')} people`, measure: measured, unit }) as const;

  const first = await startServer(env);
  add(rowOf(place('first start, from the files', 's'), [first.startedIn / 1000]));
  await untilSnapshot(first, size);
  await first.end();

  await workersOn(env, async (servers) => {
    add(
      rowOf(
        place('start from the snapshot', 's'),
        servers.map(({ startedIn }) => startedIn / 1000),
      ),
    );
    const [server] = servers;
    const times: number[] = [];
    let found = 0;
    for (const { username, vector } of probes) {
      const body = { embeddings: [Array.from(vector)] };
      const begun = performance.now();
      const answer = await server.send('POST', `${SEARCH}?prediction_count=1`, body);
      times.push(performance.now() - begun);
      if (JSON.stringify(answer).includes(`"${username}"`)) found += 1;
    }
    add(rowOf(place('search by vector, HTTP', 'ms'), times));
    add(rowOf(place('found', 'share'), [found / probes.length]));
    const changes: number[] = [];
    for (let i = 0; i < 50; i++) {
      const begun = performance.now();
      await server.send('POST', '/api/v1/people', { groupid: GROUP, userid: `new${i}` });
      changes.push(performance.now() - begun);
      await server.send('DELETE', `/api/v1/people/${faceIdOf(GROUP, `new${i}`)}`);
    }
    add(rowOf(place('a person created, HTTP', 'ms'), changes));
    add(
      rowOf(place(`${WORKERS} workers, beyond the empty ones`, 'MB'), [(await proportional(servers)) - none]),
    );

    const archive = path.join(folder, 'scale.zip');
    const before = await server.rss();
    let most = before;
    const watching = setInterval(() => void server.rss().then((mb) => (most = Math.max(most, mb))), 100);
    const begun = performance.now();
    const { body } = await request(`${server.origin}/api/v1/export`);
    await pipeline(body as Readable, createWriteStream(archive));
    clearInterval(watching);
    add(rowOf(place('export', 's'), [(performance.now() - begun) / 1000]));
    add(rowOf(place('export, memory', 'MB'), [most - before]));
  });
  if (size <= MOST_IMPORTED) await benchImport(size, bench, context);
}

async function benchImport(size: number, bench: BenchPack, context: BenchContext): Promise<void> {
  const archive = path.join(context.folder, 'scale.zip');
  const { env, folder } = await makeGallery(0, bench, context);
  const server = await startServer({ ...env, MAX_IMPORT_BYTES: String(2 ** 34) });
  try {
    const begun = performance.now();
    const { statusCode, body } = await request(`${server.origin}/api/v1/import`, {
      method: 'POST',
      headers: { 'content-type': 'application/zip' },
      body: createReadStream(archive),
      headersTimeout: 3_600_000,
    });
    const answer = await body.text();
    if (statusCode !== 200) throw new Error(`the import answered ${statusCode}: ${answer}`);
    context.add(
      rowOf({ section: 'scale', of: `${size.toLocaleString('en')} people`, measure: 'import', unit: 's' }, [
        (performance.now() - begun) / 1000,
      ]),
    );
  } finally {
    await server.end();
    await rm(archive, { force: true });
    await rm(folder, { recursive: true, force: true });
  }
}

const SEARCH = '/api/v1/recognition/embeddings/recognize';

async function workersOn<T>(
  env: Record<string, string>,
  work: (servers: BenchServer[]) => Promise<T>,
): Promise<T> {
  const servers: BenchServer[] = [];
  try {
    // One after another, as pm2 starts them on a reload; each finds the machine as a single worker does.
    for (let i = 0; i < WORKERS; i++) servers.push(await startServer(env));
    return await work(servers);
  } finally {
    for (const server of servers) await server.end();
  }
}

/** Resident memory of several processes, what they share counted once, MB. */
async function proportional(servers: readonly BenchServer[]): Promise<number> {
  let sum = 0;
  for (const server of servers) sum += await server.pss();
  return sum;
}

/** Small galleries get no snapshot, and are loaded at once; large ones get lists after the first start. */
export async function untilSnapshot(server: BenchServer, size: number): Promise<void> {
  const most = performance.now() + 1000 * (60 + size / 500);
  for (;;) {
    const { gallery } = (await server.send('GET', '/api/v1/health')) as {
      gallery: { index: string; snapshot?: object };
    };
    const isReady = gallery.snapshot && (size < LISTS_FROM || gallery.index !== 'flat');
    if (size < 1000 || isReady || performance.now() > most) return;
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
}
