/**
 * One segment of the ONNX index: a thread of its own, for ONNX Runtime blocks the one that runs it. Takes the vectors
 * together, opens them as a network on the first provider that runs it, and answers searches in their order.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { encodeNearest } from './onnx-graph.js';
import type { Rows } from './rows.js';

export interface SegmentData {
  length: number;
  providers: readonly string[];
  /** Filled here, row by row of `parts`. */
  target: SharedArrayBuffer;
  parts: readonly { vectors: SharedArrayBuffer; rows: Uint32Array }[];
}
export type ToSegment =
  | { kind: 'search'; number: number; query: Float32Array; k: number }
  | { kind: 'remove'; rows: Uint32Array }
  | { kind: 'close' };
export type FromSegment =
  | { kind: 'ready'; provider: string }
  | { kind: 'failed'; reason: string }
  | ({ kind: 'found'; number: number } & Rows);

const port = parentPort;
if (!port) throw new Error('onnx-thread.ts runs in a worker thread only: see onnx-segment.ts.');
const { length, providers, target, parts } = workerData as SegmentData;
const say = (message: FromSegment) => port.postMessage(message);

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

async function search(session: InferenceSession, query: Float32Array, k: number): Promise<Rows> {
  const scaled = query.map((value) => -2 * value);
  const { distances, places } = await session.run({
    query: new Tensor('float32', scaled, [1, length]),
    offsets: new Tensor('float32', offsets, [1, count]),
    k: new Tensor('int64', BigInt64Array.of(BigInt(Math.min(k, count))), [1]),
  });
  const found: { row: number; distance: number }[] = [];
  for (const [i, score] of (distances.data as Float32Array).entries()) {
    if (score === Infinity) break;
    const row = Number((places.data as BigInt64Array)[i]);
    found.push({ row, distance: distanceTo(query, row) });
  }
  found.sort((a, b) => a.distance - b.distance);
  return { rows: found.map(({ row }) => row), distances: found.map(({ distance }) => distance) };
}

/** Without what the formula of the network rounds away: the difference of large numbers. */
function distanceTo(query: Float32Array, row: number): number {
  let sum = 0;
  for (let i = 0; i < length; i++) sum += (query[i] - vectors[row * length + i]) ** 2;
  return sum;
}

/** Opens the network on the first provider that runs it. @throws what the last one said */
async function open(): Promise<{ session: InferenceSession; provider: string }> {
  const model = encodeNearest(vectors, length);
  const candidates = [...new Set([...providers, 'cpu'])];
  for (const provider of candidates) {
    try {
      const session = await InferenceSession.create(model, {
        executionProviders: [provider],
        intraOpNumThreads: 1,
        interOpNumThreads: 1,
        // Two nodes: nothing to optimise, and looking at the constants takes seconds.
        graphOptimizationLevel: 'disabled',
        logSeverityLevel: 3,
        // Repacking the vectors would take their memory once more.
        extra: { session: { disable_prepacking: '1', intra_op: { allow_spinning: '0' } } },
      });
      await search(session, new Float32Array(length), 1);
      return { session, provider };
    } catch (error) {
      if (provider === candidates.at(-1)) throw error;
    }
  }
  throw new Error('unreachable: cpu is always tried');
}

async function answer(session: InferenceSession, message: ToSegment): Promise<void> {
  if (message.kind === 'remove') {
    for (const row of message.rows) offsets[row] = Infinity;
  } else if (message.kind === 'search') {
    const { number, query, k } = message;
    say({ kind: 'found', number, ...(await search(session, query, k)) });
  } else {
    await session.release();
    port?.close();
  }
}

try {
  gather();
  const { session, provider } = await open();
  let last = Promise.resolve();
  port.on('message', (message: ToSegment) => {
    last = last.then(() => answer(session, message));
  });
  say({ kind: 'ready', provider });
} catch (error) {
  say({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
  port.close();
}
