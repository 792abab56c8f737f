import { type BenchContext, underLoad } from './effort.js';
import type { Frame } from './frames.js';
import type { BenchPack } from './pack.js';
import { rowOf } from './report.js';
import { galleryOf, startServer } from './server.js';

/** Starts to average over. */
const STARTS = 3;
/** Whose loops look for faces, with the settings of each. */
const WAYS = [
  ['', {}],
  [', ONNX Runtime looks for faces', { DETECTOR_KERNELS: 'onnx' }],
] as const;

/** How long a start takes, and the resident size before and after some work: as set, and in turn with ONNX Runtime. */
export async function benchStart(
  pack: BenchPack,
  frames: readonly Frame[],
  context: BenchContext,
): Promise<void> {
  const { effort, add } = context;
  const env = await galleryOf(effort.people, pack, context);
  const of = `${pack.pack.id}, ${effort.people} people`;
  const figures = WAYS.map(() => ({
    seconds: [] as number[],
    fresh: [] as number[],
    worked: [] as number[],
  }));
  for (let i = 0; i < STARTS; i++)
    for (const [way, [, settings]] of WAYS.entries()) {
      const { seconds, fresh, worked } = figures[way];
      const server = await startServer({ ...env, ...settings });
      try {
        seconds.push(server.startedIn / 1000);
        fresh.push(await server.rss());
        let next = 0;
        await underLoad(2, effort.seconds, () =>
          server.send('POST', '/api/v1/recognise', Uint8Array.from(frames[next++ % frames.length].bytes)),
        );
        worked.push(await server.rss());
      } finally {
        await server.end();
      }
    }
  for (const [way, [told]] of WAYS.entries()) {
    const { seconds, fresh, worked } = figures[way];
    const place = (measure: string, unit: 's' | 'MB') =>
      ({ section: 'start', of, measure: measure + told, unit }) as const;
    add(rowOf(place('until ready', 's'), seconds));
    if (!fresh.every(Number.isFinite)) continue;
    add(rowOf(place('resident, fresh', 'MB'), fresh));
    add(rowOf(place('resident, after work on all frames', 'MB'), worked));
  }
}
