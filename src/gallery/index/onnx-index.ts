import { createLabels } from './labels.js';
import { GrowingSegment, type OpenedSegment, openOnnxSegment, type Segment } from './onnx-segment.js';
import { checkCount, checkVector, type Found, type VectorIndex } from './vector-index.js';

/** How many vectors are searched on the calling thread before they become a segment: half a millisecond for 512 numbers. */
const GROWING_LIMIT = 1000;
/** Most bytes of vectors in a segment: a model is limited to 2 GB, and building it briefly takes twice its size. */
const SEGMENT_BYTES = 256e6;
/** A segment with a smaller share of live vectors is rebuilt. */
const LIVE_SHARE = 0.7;
/** How long to wait after a failure, milliseconds. */
const RETRY_AFTER = 60_000;

export interface OnnxIndexOptions {
  /** Execution providers in order of preference; the CPU is tried last whether it is named or not. */
  providers: readonly string[];
  /** Which GPU to use; 0, the default, is the first. */
  gpuDevice?: number;
  note?: (message: string) => void;
  growingLimit?: number;
  segmentBytes?: number;
}

/**
 * Exact search by ONNX Runtime on any of its providers: segments whose vectors are constants of a small network, each in a
 * thread of its own, and a growing one on this thread for recent additions. Removed vectors are masked. Small segments are
 * merged and thinned ones rebuilt, while the old ones serve. On the CPU it takes twice the memory of the vectors.
 */
export function createOnnxIndex(length: number, options: OnnxIndexOptions): VectorIndex {
  const { providers, gpuDevice = 0, note = () => undefined, growingLimit = GROWING_LIMIT } = options;
  const maxRows = Math.max(1, Math.floor((options.segmentBytes ?? SEGMENT_BYTES) / (4 * length)));
  const labels = createLabels();
  /** In ascending order of their labels; the growing one is the last. */
  let segments: Segment[] = [];
  let growing = new GrowingSegment(length);
  let nextLabel = 0;
  let provider = 'cpu';
  /** Providers whose refusal was noted. */
  const told = new Set<string>();
  let upkeep: Promise<void> | undefined;
  let failedAt = -Infinity;
  let closed = false;

  const all = () => [...segments, growing];
  const isGrowing = (segment: Segment) => segment instanceof GrowingSegment;
  const isThin = (segment: Segment) => segment.live < segment.count * LIVE_SHARE;

  /** The next neighbouring segments to rebuild as one (or as several full ones); undefined when there are none. */
  function due(): { from: number; to: number } | undefined {
    const waiting = segments.findIndex(isGrowing);
    if (waiting >= 0) {
      let from = waiting;
      let rows = segments[waiting].live;
      // Merged only with earlier ones that are not much larger, so that each vector is copied just a few times.
      while (from > 0 && segments[from - 1].live <= 2 * rows && segments[from - 1].live + rows <= maxRows) {
        from -= 1;
        rows += segments[from].live;
      }
      return { from, to: waiting + 1 };
    }
    const thin = segments.findIndex(isThin);
    return thin >= 0 ? { from: thin, to: thin + 1 } : undefined;
  }

  async function rebuild({ from, to }: { from: number; to: number }): Promise<void> {
    const old = segments.slice(from, to);
    const made: OpenedSegment[] = [];
    try {
      for (const parts of portions(old, maxRows))
        made.push(await openOnnxSegment(length, parts, { providers, gpuDevice }));
    } catch (error) {
      await Promise.all(made.map((segment) => segment.close()));
      throw error;
    }
    for (const segment of made) {
      provider = segment.provider;
      for (const { provider: name, reason } of segment.refused) {
        if (!told.has(name)) note(`The index is not searched on ${name}: ${reason.trim()}`);
        told.add(name);
      }
      for (const [row, label] of segment.labels.entries()) if (!labels.lives(label)) segment.remove(row);
    }
    // Meanwhile the list changed at its end at most, where a growing segment is appended.
    segments = [...segments.slice(0, from), ...made, ...segments.slice(to)];
    await Promise.all(old.map((segment) => segment.close()));
  }

  function keepUp(): void {
    if (closed || upkeep || performance.now() - failedAt < RETRY_AFTER) return;
    if (growing.count <= growingLimit && !segments.some(isThin)) return;
    upkeep = new Promise<void>((resolve) => setImmediate(resolve)).then(async () => {
      try {
        while (!closed) {
          if (growing.count > growingLimit) {
            segments = [...segments, growing];
            growing = new GrowingSegment(length);
          }
          const work = due();
          if (!work) break;
          await rebuild(work);
        }
      } catch (error) {
        failedAt = performance.now();
        note(`The ONNX index could not be rebuilt; searches go on as before: ${String(error)}`);
      } finally {
        upkeep = undefined;
      }
    });
  }

  async function searchAll(query: Float32Array, k: number): Promise<Found> {
    const found = await Promise.all(
      all().map(async (segment) => {
        const { rows, distances } = await segment.search(query, k);
        return rows.map((row, i) => ({ label: segment.labels[row], distance: distances[i] }));
      }),
    );
    const merged = found.flat().sort((a, b) => a.distance - b.distance);
    const nearest = merged.slice(0, k);
    const hits = labels.hits({
      labels: nearest.map(({ label }) => label),
      distances: nearest.map(({ distance }) => distance),
    });
    return { hits, isAll: nearest.length < k };
  }

  return {
    get kind() {
      return provider === 'cpu' ? 'onnx' : `onnx (${provider})`;
    },
    get size() {
      return labels.size;
    },

    add(id, vector) {
      checkVector(vector, length);
      if (labels.has(id)) throw new RangeError(`The id ${id} is taken.`);
      growing.add(nextLabel, vector);
      labels.set(id, nextLabel);
      nextLabel += 1;
      keepUp();
    },

    remove(id) {
      const label = labels.take(id);
      if (label === undefined) return false;
      for (const segment of all()) {
        const row = segment.rowOf(label);
        if (row >= 0) segment.remove(row);
      }
      keepUp();
      return true;
    },

    search(query, k) {
      checkVector(query, length);
      checkCount(k);
      return searchAll(query.slice(), k);
    },

    async settled() {
      while (upkeep) await upkeep;
    },

    async close() {
      closed = true;
      await upkeep;
      await Promise.all(segments.map((segment) => segment.close()));
    },
  };
}

/** The live rows of segments, in portions of at most `maxRows`. */
function* portions(segments: readonly Segment[], maxRows: number) {
  let parts: { segment: Segment; rows: Uint32Array }[] = [];
  let room = maxRows;
  for (const segment of segments) {
    const live: number[] = [];
    for (let row = 0; row < segment.count; row++) if (segment.isLive(row)) live.push(row);
    for (let at = 0; at < live.length;) {
      const rows = Uint32Array.from(live.slice(at, at + room));
      parts.push({ segment, rows });
      at += rows.length;
      room -= rows.length;
      if (room > 0) continue;
      yield parts;
      [parts, room] = [[], maxRows];
    }
  }
  if (parts.length > 0) yield parts;
}
