import { once } from 'node:events';
import { WebSocket } from 'undici';
import type { BenchContext } from './effort.js';
import { type Frame, resizeFrame } from './frames.js';
import type { BenchPack } from './pack.js';
import { rowOf } from './report.js';
import { galleryOf, startServer } from './server.js';

const IN_FLIGHT = 2;
const SIZES = [
  [640, 360],
  [960, 540],
] as const;

interface Told {
  type: string;
  frame?: number;
  message?: string;
}

/** Clients that always have two frames in flight: frames per second, of each client and in all, and how long one takes. */
export async function benchStream(
  pack: BenchPack,
  frames: readonly Frame[],
  context: BenchContext,
): Promise<void> {
  const { effort, add, note } = context;
  const one = frames.find(({ name }) => name === '1 face') ?? frames[0];
  const server = await startServer(await galleryOf(effort.people, pack, context));
  const url = `${server.origin.replace('http', 'ws')}/api/v1/stream`;
  try {
    for (const [width, height] of SIZES) {
      const bytes = Uint8Array.from(await resizeFrame(one, width, height));
      await play(url, bytes, 1);
      for (const clients of effort.clients) {
        const runs = await Promise.all(
          Array.from({ length: clients }, () => play(url, bytes, effort.seconds)),
        );
        const samples = runs.flatMap((run) => run.samples);
        const skipped = runs.reduce((sum, run) => sum + run.skipped, 0);
        if (samples.length === 0) {
          note(`stream: no frame was answered with ${clients} clients: ${runs[0].problem}`);
          continue;
        }
        const of = `${clients} ${clients === 1 ? 'client' : 'clients'}, ${width}x${height}, ${one.name}`;
        const perSecond = samples.length / effort.seconds;
        const place = { section: 'stream', of, samples: samples.length } as const;
        add(rowOf({ section: 'stream', of, measure: 'latency', unit: 'ms' }, samples));
        add({ ...place, measure: 'answered', unit: '/s', median: perSecond });
        add({ ...place, measure: 'answered, each client', unit: '/s', median: perSecond / clients });
        add({
          ...place,
          measure: 'share answered',
          unit: 'share',
          median: 1 - skipped / (skipped + samples.length),
        });
      }
    }
  } finally {
    await server.end();
  }
}

/**
 * A client that sends the same frame over and over, two in flight, for some seconds or until `isOver`.
 * @returns milliseconds of each answered frame, and how many were skipped
 */
export async function play(
  url: string,
  bytes: Uint8Array<ArrayBuffer>,
  seconds: number,
  isOver: (answered: number) => boolean = () => false,
) {
  const socket = new WebSocket(url);
  const samples: number[] = [];
  const sentAt: number[] = [];
  let skipped = 0;
  let problem = '';
  const end = performance.now() + seconds * 1000;
  const send = () => {
    sentAt.push(performance.now());
    socket.send(bytes);
  };
  socket.addEventListener('message', ({ data }) => {
    const told = JSON.parse(String(data)) as Told;
    const now = performance.now();
    if (told.type === 'hello') for (let i = 0; i < IN_FLIGHT; i++) send();
    if (told.frame === undefined) return;
    if (told.type === 'frame') samples.push(now - sentAt[told.frame]);
    else if (told.type === 'skipped') skipped += 1;
    else problem = told.message ?? told.type;
    if (now >= end || isOver(samples.length)) socket.close();
    else send();
  });
  socket.addEventListener('error', () => (problem ||= 'the connection failed'));
  await once(socket, 'close');
  return { samples, skipped, problem };
}
