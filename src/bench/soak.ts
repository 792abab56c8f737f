import type { BenchContext } from './effort.js';
import { type Frame, resizeFrame } from './frames.js';
import type { BenchPack } from './pack.js';
import { galleryOf, startServer } from './server.js';
import { play } from './stream.js';

const CLIENTS = 2;
/** How often the memory is measured. */
const MARKS = 10;
/** Frames on the stream for each posted picture, so that both code paths are used. */
const FRAMES_A_REQUEST = 100;
const DAY = 86_400;

/**
 * Checks that a server's memory stays level, with two cameras on the stream and requests with all frames, until
 * `effort.soakFrames` are answered. Reports, at each tenth, the resident and the proportional set size; the latter counts
 * weights that are mapped by two threads once.
 */
export async function benchSoak(
  pack: BenchPack,
  frames: readonly Frame[],
  { effort, add, note, folder }: BenchContext,
): Promise<void> {
  const server = await startServer(await galleryOf(effort.people, pack, { effort, add, note, folder }));
  const url = `${server.origin.replace('http', 'ws')}/api/v1/stream`;
  const bytes = Uint8Array.from(await resizeFrame(frames[1], 640, 360));
  let answered = 0;
  let next = 0;
  let mark = 0;
  let looking = Promise.resolve();
  const count = () => {
    answered += 1;
    if (answered % FRAMES_A_REQUEST === 0) {
      const frame = frames[next++ % frames.length];
      looking = looking.then(async () => {
        await server.send('POST', '/api/v1/recognise', Uint8Array.from(frame.bytes));
      });
    }
    if (answered >= ((mark + 1) * effort.soakFrames) / MARKS) {
      mark += 1;
      const of = `${answered.toLocaleString('en')} frames`;
      looking = looking.then(async () => {
        const place = { section: 'soak', of, unit: 'MB', samples: 1 } as const;
        add({ ...place, measure: 'resident', median: await server.rss() });
        add({ ...place, measure: 'proportional', median: await server.pss() });
      });
    }
    return answered >= effort.soakFrames;
  };
  try {
    const begun = performance.now();
    await Promise.all(Array.from({ length: CLIENTS }, () => play(url, bytes, DAY, { isOver: count })));
    await looking;
    const seconds = (performance.now() - begun) / 1000;
    note(
      `soak: ${answered.toLocaleString('en')} frames in ${seconds.toFixed(0)} s, ${next} requests beside them.`,
    );
  } finally {
    await server.end();
  }
}
