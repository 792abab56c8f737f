import { rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BenchContext } from './effort.js';
import type { Frame } from './frames.js';
import { makeGallery } from './made-gallery.js';
import type { BenchPack } from './pack.js';
import { rowOf } from './report.js';
import { untilSnapshot } from './scale.js';
import { type BenchServer, startServer } from './server.js';

const ADDRESS = '/api/v1/audit/gallery';
/** Between two looks, milliseconds. */
const EVERY = 100;

interface State {
  state: string;
  progress: number;
}

/** What a check-up of a gallery costs, and whether the server answers meanwhile. */
export async function benchCheckup(
  bench: BenchPack,
  _frames: readonly Frame[],
  context: BenchContext,
): Promise<void> {
  context.note('check-up: made people with one face each.');
  for (const size of context.effort.sizes) {
    const { env, folder } = await makeGallery(size, bench, context);
    try {
      const first = await startServer(env);
      await untilSnapshot(first, size);
      await first.end();
      const server = await startServer(env);
      await measure(size, server, context).finally(() => server.end());
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }
}

async function measure(size: number, server: BenchServer, { add }: BenchContext): Promise<void> {
  const place = (what: string, unit: 's' | 'MB' | 'ms') =>
    ({ section: 'check-up', of: `${size.toLocaleString('en')} people`, measure: what, unit }) as const;
  const ask = async () => (await server.send('GET', `${ADDRESS}?limit=1`)) as State;

  // Stopped in the middle, by somebody else than who began it.
  await server.send('POST', ADDRESS);
  while ((await ask()).progress < 0.01) await sleep(EVERY);
  let begun = performance.now();
  await server.send('DELETE', ADDRESS);
  while ((await ask()).state === 'running') await sleep(5);
  add(rowOf(place('stopped', 'ms'), [performance.now() - begun]));

  const before = await server.rss();
  let most = before;
  const live: number[] = [];
  begun = performance.now();
  await server.send('POST', ADDRESS);
  while ((await ask()).state === 'running') {
    const asked = performance.now();
    await server.send('GET', '/api/v1/live');
    live.push(performance.now() - asked);
    most = Math.max(most, await server.rss());
    await sleep(EVERY);
  }
  add(rowOf(place('whole', 's'), [(performance.now() - begun) / 1000]));
  add(rowOf(place('memory', 'MB'), [most - before]));
  add(rowOf(place('/live meanwhile', 'ms'), live));
  add(rowOf(place('/live meanwhile, longest', 'ms'), [Math.max(...live)]));
}
