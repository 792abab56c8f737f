/**
 * The thread of one segment of the ONNX index: ONNX Runtime blocks the thread that runs it. It gathers the vectors, opens
 * them as a network on the first provider that runs it, and answers searches in order.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { onProvider, sessionOptions } from '../../platform/onnx-runtime.js';
import type { WebgpuTurns } from '../../platform/webgpu-turns.js';
import { encodeNearest } from './onnx-graph.js';
import type { Rows } from './rows.js';

export interface SegmentData {
  length: number;
  providers: readonly string[];
  /** Which GPU, of several. */
  gpuDevice: number;
  turns: WebgpuTurns;
  /** Filled here, row by row of `parts`. */
  target: SharedArrayBuffer;
  parts: readonly { vectors: SharedArrayBuffer; rows: Uint32Array }[];
}
export type ToSegment =
  | { kind: 'search'; number: number; query: Float32Array; k: number }
  | { kind: 'remove'; rows: Uint32Array }
  | { kind: 'close' };
export type FromSegment =
  | { kind: 'ready'; provider: string; refused: { provider: string; reason: string }[] }
  | { kind: 'failed'; reason: string }
  | ({ kind: 'found'; number: number } & Rows);

const port = parentPort;
if (!port) throw new Error('onnx-thread.ts runs in a worker thread only: see onnx-segment.ts.');
const { length, providers, gpuDevice, turns, target, parts } = workerData as SegmentData;
const say = (message: FromSegment) => port.postMessage(message);

/** The most that a vector's squared distance to itself may be, as a share of its squared length. */
const SELF = 1e-6;
const vectors = new Float32Array(target);
const count = vectors.length / length;
/** |x|², or infinity for what was removed. */
const offsets = new Float32Array(count);

function gather(): void {
  let row = 0;
  for (const part of parts) {
    const source = new Float32Array(part.vectors);
    for (const from of part.rows) {
      vectors.set(source.subarray(from * length, (from + 1) * length), row * length);
      row += 1;
    }
  }
  for (let i = 0; i < count; i++) {
    let sum = 0;
    for (let at = i * length; at < (i + 1) * length; at++) sum += vectors[at] * vectors[at];
    offsets[i] = sum;
  }
}

/** A network on the provider that runs it. */
interface Opened {
  session: InferenceSession;
  provider: string;
}

async function search({ session, provider }: Opened, query: Float32Array, k: number): Promise<Rows> {
  const feeds = {
    query: new Tensor(
      'float32',
      query.map((value) => -2 * value),
      [1, length],
    ),
    offsets: new Tensor('float32', offsets, [1, count]),
    k: new Tensor('int64', BigInt64Array.of(BigInt(Math.min(k, count))), [1]),
  };
  const { distances, places } = await onProvider(provider, turns, () => session.run(feeds));
  const found: { row: number; distance: number }[] = [];
  for (const [i, score] of (distances.data as Float32Array).entries()) {
    if (score === Infinity) break;
    const row = Number((places.data as BigInt64Array)[i]);
    found.push({ row, distance: distanceTo(query, row) });
  }
  found.sort((a, b) => a.distance - b.distance);
  return { rows: found.map(({ row }) => row), distances: found.map(({ distance }) => distance) };
}

/** Computed again, because the network's formula subtracts large numbers and rounds. */
function distanceTo(query: Float32Array, row: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (query[i] - vectors[row * length + i]) ** 2;
  return sum;
}

/** Checks the provider: some vectors must find themselves. @throws Error */
async function check(opened: Opened): Promise<void> {
  for (const row of new Set([0, count >> 1, count - 1])) {
    const { distances } = await search(opened, vectors.subarray(row * length, (row + 1) * length), 1);
    if (!(distances[0] <= SELF * Math.max(1, offsets[row])))
      throw new Error('a vector that is in the index is not found there');
  }
}

/** Opens the network on the first provider that answers correctly. @throws the last one's error */
async function open(): Promise<Opened & { refused: { provider: string; reason: string }[] }> {
  const model = encodeNearest(vectors, length);
  const refused: { provider: string; reason: string }[] = [];
  for (const provider of new Set([...providers, 'cpu'])) {
    let session: InferenceSession | undefined;
    try {
      const options = sessionOptions(
        { provider, threads: 1, gpuDevice },
        // With two nodes there is nothing to optimise, and the optimiser takes seconds over the constants. Prepacking
        // would copy the vectors.
        { optimised: false, settings: { disable_prepacking: '1' } },
      );
      session = await onProvider(provider, turns, () => InferenceSession.create(model, options));
      await check({ session, provider });
      return { session, provider, refused };
    } catch (error) {
      const unused = session;
      if (unused) await onProvider(provider, turns, () => unused.release());
      if (provider === 'cpu') throw error;
      refused.push({ provider, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  throw new Error('unreachable: cpu is always tried');
}

async function answer(opened: Opened, message: ToSegment): Promise<void> {
  if (message.kind === 'remove') {
    for (const row of message.rows) offsets[row] = Infinity;
  } else if (message.kind === 'search') {
    const { number, query, k } = message;
    say({ kind: 'found', number, ...(await search(opened, query, k)) });
  } else {
    await onProvider(opened.provider, turns, () => opened.session.release());
    port?.close();
  }
}

try {
  gather();
  const { refused, ...opened } = await open();
  let last = Promise.resolve();
  port.on('message', (message: ToSegment) => {
    last = last.then(() => answer(opened, message));
  });
  say({ kind: 'ready', provider: opened.provider, refused });
} catch (error) {
  say({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  port.close();
}
