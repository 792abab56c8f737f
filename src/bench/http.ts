import { type BenchContext, timeEach, underLoad } from './effort.js';
import type { Frame } from './frames.js';
import type { BenchPack } from './pack.js';
import { rowOf } from './report.js';
import { galleryOf, startServer } from './server.js';

const URL = '/api/v1/recognise';

/** One client with each frame, then several clients with the frame of one face. */
export async function benchHttp(
  pack: BenchPack,
  frames: readonly Frame[],
  context: BenchContext,
): Promise<void> {
  const { effort, add } = context;
  const server = await startServer(await galleryOf(effort.people, pack, context));
  try {
    // A body that undici sent is not to be sent again while it is read.
    const recognise = (frame: Frame) => server.send('POST', URL, Uint8Array.from(frame.bytes));
    const report = (of: string, samples: number[], perSecond: number) => {
      add(rowOf({ section: 'http', of, measure: 'latency', unit: 'ms' }, samples));
      add({ section: 'http', of, measure: 'frames', unit: '/s', median: perSecond, samples: samples.length });
    };
    for (const frame of frames) {
      const samples = await timeEach(effort.repeats, () => recognise(frame));
      const total = samples.reduce((sum, ms) => sum + ms, 0);
      report(`1 client, ${frame.name}`, samples, (samples.length * 1000) / total);
    }
    const one = frames.find(({ name }) => name === '1 face') ?? frames[0];
    for (const clients of effort.clients) {
      if (clients === 1) continue;
      const { samples, perSecond } = await underLoad(clients, effort.seconds, () => recognise(one));
      report(`${clients} clients, ${one.name}`, samples, perSecond);
    }
  } finally {
    await server.end();
  }
}
