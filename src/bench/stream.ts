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

/** Frames of a camera a second, and those that our pages send while nothing moves (browser/logic/quiet.ts). */
const RATE = 25;
const QUIET_RATE = 10;

/** What a camera that shows nobody costs: with a search of each frame in ONNX Runtime, of each, and of few. */
async function benchNobody(pack: BenchPack, frames: readonly Frame[], context: BenchContext): Promise<void> {
  const { effort, add } = context;
  const nobody = frames.find(({ name }) => name === 'no face') ?? frames[0];
  const env = await galleryOf(effort.people, pack, context);
  for (const [measure, settings, rates] of [
    ['every frame searched, ONNX Runtime', { STREAM_QUIET_SEARCH: '0', DETECTOR_KERNELS: 'onnx' }, [RATE]],
    ['every frame searched', { STREAM_QUIET_SEARCH: '0' }, [RATE]],
    ['as set', {}, [RATE, QUIET_RATE]],
  ] as const) {
    const server = await startServer({ ...env, ...settings });
    const url = `${server.origin.replace('http', 'ws')}/api/v1/stream`;
    try {
      for (const [width, height] of SIZES) {
        const bytes = Uint8Array.from(await resizeFrame(nobody, width, height));
        await play(url, bytes, 1);
        for (const rate of rates) {
          const before = await server.cpu();
          const { samples } = await play(url, bytes, effort.seconds, { every: 1000 / rate });
          const of = `a camera of ${width}x${height}, ${nobody.name}, processor time a second`;
          const median = (((await server.cpu()) - before) / samples.length) * rate;
          const as = { measure: `${measure}, ${rate} frames`, unit: 'ms' } as const;
          add({ section: 'stream', of, ...as, median, samples: samples.length });
        }
      }
    } finally {
      await server.end();
    }
  }
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
  await benchNobody(pack, frames, context);
}

/**
 * A client that sends the same frame over and over, two in flight, for some seconds or until `isOver`.
 * @param every milliseconds between two frames, of which one is in flight; default: as fast as they are answered
 * @returns milliseconds of each answered frame, and how many were skipped
 */
export async function play(
  url: string,
  bytes: Uint8Array<ArrayBuffer>,
  seconds: number,
  { isOver = () => false, every }: { isOver?: (answered: number) => boolean; every?: number } = {},
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
    if (told.type === 'hello') for (let i = 0; i < (every === undefined ? IN_FLIGHT : 1); i++) send();
    if (told.frame === undefined) return;
    if (told.type === 'frame') samples.push(now - sentAt[told.frame]);
    else if (told.type === 'skipped') skipped += 1;
    else problem = told.message ?? told.type;
    if (now >= end || isOver(samples.length)) socket.close();
    else if (every === undefined) send();
    else setTimeout(send, Math.max(0, every - (now - (sentAt.at(-1) ?? now))));
  });
  socket.addEventListener('error', () => (problem ||= 'the connection failed'));
  await once(socket, 'close');
  return { samples, skipped, problem };
}
