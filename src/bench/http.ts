import { type BenchContext, underLoad } from './effort.js';
import type { Frame } from './frames.js';
import type { BenchPack } from './pack.js';
import { rowOf } from './report.js';
import { galleryOf, startServer } from './server.js';

const URL = '/api/v1/recognise';

/** One client with each frame, in turn with a server whose detector ONNX Runtime runs; then several with one face. */
export async function benchHttp(
  pack: BenchPack,
  frames: readonly Frame[],
  context: BenchContext,
): Promise<void> {
  const { effort, add } = context;
  const env = await galleryOf(effort.people, pack, context);
  const server = await startServer(env);
  const other = await startServer({ ...env, DETECTOR_KERNELS: 'onnx' });
  const endOther = once(() => other.end());
  try {
    // A body that undici sent is not to be sent again while it is read.
    const recognise = (frame: Frame, to = server) => to.send('POST', URL, Uint8Array.from(frame.bytes));
    const report = (of: string, samples: number[], perSecond: number) => {
      add(rowOf({ section: 'http', of, measure: 'latency', unit: 'ms' }, samples));
      add({ section: 'http', of, measure: 'frames', unit: '/s', median: perSecond, samples: samples.length });
    };
    for (const frame of frames) {
      const both = [server, other].map((to) => ({ to, samples: [] as number[] }));
      for (let i = -2; i < effort.repeats; i++)
        for (const { to, samples } of both) {
          const start = performance.now();
          await recognise(frame, to);
          if (i >= 0) samples.push(performance.now() - start);
        }
      for (const { to, samples } of both) {
        const total = samples.reduce((sum, ms) => sum + ms, 0);
        const how = to === other ? ', ONNX Runtime' : '';
        report(`1 client, ${frame.name}${how}`, samples, (samples.length * 1000) / total);
      }
    }
    await endOther();
    const one = frames.find(({ name }) => name === '1 face') ?? frames[0];
    for (const clients of effort.clients) {
      if (clients === 1) continue;
      const { samples, perSecond } = await underLoad(clients, effort.seconds, () => recognise(one));
      report(`${clients} clients, ${one.name}`, samples, perSecond);
    }
  } finally {
    await Promise.all([server.end(), endOther()]);
  }
}

/** The same promise however often it is asked for. */
function once(work: () => Promise<void>): () => Promise<void> {
  let done: Promise<void> | undefined;
  return () => (done ??= work());
}
