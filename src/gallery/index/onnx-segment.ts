import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { endTurnOf, webgpuTurns } from '../../platform/webgpu-turns.js';
import type { FromSegment, SegmentData, ToSegment } from './onnx-thread.js';
import { nearestRows, type Rows } from './rows.js';

/** Some of the index's vectors, in ascending order of their labels. */
export interface Segment {
  readonly labels: Float64Array;
  readonly vectors: Float32Array<SharedArrayBuffer>;
  /** Rows in use, removed ones among them. */
  readonly count: number;
  /** The row of a label, or -1. */
  rowOf(label: number): number;
  remove(row: number): void;
  isLive(row: number): boolean;
  readonly live: number;
  /** Resolves with at most `k` rows; without a thread, removed ones may be among them. */
  search(query: Float32Array, k: number): Promise<Rows>;
  close(): Promise<void>;
}

/** A segment that is searched in a thread. */
export interface OpenedSegment extends Segment {
  readonly provider: string;
  /** Preferred providers that are not used, and why. */
  readonly refused: readonly { provider: string; reason: string }[];
}

/** The row of `label` in ascending `labels`, or -1. */
function findRow(labels: Float64Array, count: number, label: number): number {
  let [low, high] = [0, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (labels[middle] < label) low = middle + 1;
    else high = middle;
  }
  return low < count && labels[low] === label ? low : -1;
}

/** A segment that can grow, searched on this thread, for the latest additions. */
export class GrowingSegment implements Segment {
  labels: Float64Array<ArrayBuffer>;
  vectors: Float32Array<SharedArrayBuffer>;
  count = 0;
  live = 0;
  readonly #length: number;
  #removed: Uint8Array<ArrayBuffer>;

  constructor(length: number, capacity = 64) {
    this.#length = length;
    this.labels = new Float64Array(capacity);
    this.#removed = new Uint8Array(capacity);
    this.vectors = new Float32Array(new SharedArrayBuffer(capacity * length * 4));
  }

  /** @param label larger than the last one */
  add(label: number, vector: Float32Array): void {
    if (this.count === this.labels.length) {
      const larger = new GrowingSegment(this.#length, this.count * 2);
      larger.labels.set(this.labels);
      larger.#removed.set(this.#removed);
      larger.vectors.set(this.vectors);
      this.labels = larger.labels;
      this.#removed = larger.#removed;
      this.vectors = larger.vectors;
    }
    this.labels[this.count] = label;
    this.vectors.set(vector, this.count * this.#length);
    this.count += 1;
    this.live += 1;
  }

  rowOf(label: number): number {
    return findRow(this.labels, this.count, label);
  }

  remove(row: number): void {
    this.#removed[row] = 1;
    this.live -= 1;
  }

  isLive(row: number): boolean {
    return this.#removed[row] === 0;
  }

  search(query: Float32Array, k: number): Promise<Rows> {
    return Promise.resolve(nearestRows(this.vectors, this.count, query, k));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

/**
 * A segment of the live vectors of others, searched by ONNX Runtime in a thread of its own.
 * @param parts in ascending order of their labels
 * @returns once it can be searched, independent of the parts; what was removed from them meanwhile is still in it
 * @throws Error when no thread or no provider runs it
 */
export async function openOnnxSegment(
  length: number,
  parts: readonly { segment: Segment; rows: Uint32Array }[],
  place: Pick<SegmentData, 'providers' | 'gpuDevice'>,
): Promise<OpenedSegment> {
  const count = parts.reduce((sum, { rows }) => sum + rows.length, 0);
  const labels = new Float64Array(count);
  let next = 0;
  for (const { segment, rows } of parts) for (const row of rows) labels[next++] = segment.labels[row];
  const vectors = new Float32Array(new SharedArrayBuffer(count * length * 4));
  const data: SegmentData = {
    length,
    ...place,
    turns: webgpuTurns,
    target: vectors.buffer,
    parts: parts.map(({ segment, rows }) => ({ vectors: segment.vectors.buffer, rows })),
  };
  const worker = new Worker(new URL('./onnx-thread.js', import.meta.url), { workerData: data });
  const { threadId } = worker;
  const send = (message: ToSegment) => worker.postMessage(message);
  const waiting = new Map<number, (rows: Rows | undefined) => void>();
  const removed = new Uint8Array(count);
  let live = count;
  let asked = 0;
  let serving = true;

  const { provider, refused } = await new Promise<Pick<OpenedSegment, 'provider' | 'refused'>>(
    (resolve, reject) => {
      worker.on('message', (message: FromSegment) => {
        if (message.kind === 'ready') resolve(message);
        else if (message.kind === 'failed') reject(new Error(message.reason));
        else {
          waiting.get(message.number)?.(message);
          waiting.delete(message.number);
        }
      });
      worker.on('error', reject);
      worker.on('exit', () => {
        serving = false;
        endTurnOf(webgpuTurns, threadId);
        reject(new Error('The thread of a segment ended.'));
        // Unanswered searches are done on this thread.
        for (const give of waiting.values()) give(undefined);
        waiting.clear();
      });
    },
  );

  const ask = (query: Float32Array, k: number) =>
    new Promise<Rows | undefined>((resolve) => {
      waiting.set(asked, resolve);
      send({ kind: 'search', number: asked, query, k });
      asked += 1;
    });

  return {
    labels,
    vectors,
    count,
    provider,
    refused,
    get live() {
      return live;
    },
    rowOf: (label) => findRow(labels, count, label),
    isLive: (row) => removed[row] === 0,

    remove(row) {
      removed[row] = 1;
      live -= 1;
      if (serving) send({ kind: 'remove', rows: Uint32Array.of(row) });
    },

    async search(query, k) {
      const found = serving ? await ask(query, k) : undefined;
      return found ?? nearestRows(vectors, count, query, k);
    },

    async close() {
      if (!serving) return;
      send({ kind: 'close' });
      // It answers the searches it still has first.
      await once(worker, 'exit');
    },
  };
}
