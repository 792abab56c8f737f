import { AreaTable, type Region, type SharedTable } from '../area.js';
import { refuseInvalidOutput } from '../valid-output.js';
import { type Stop, throwIfStopped } from '../stop.js';
import { sharedFloats, sharedInts, type WorkSharing } from '../work-sharing.js';
import type { Picture } from '../types.js';
import type { Candidates } from './mtcnn-candidates.js';
import {
  BATCH,
  type Band,
  type BandSize,
  CELL,
  type MtcnnEngine,
  SCORES,
  STRIDE,
  windowsAlong,
} from './mtcnn-engine.js';

/** A window of P-Net in shared memory: x1, y1, x2, y2, probability, how far each side is to move. */
const WINDOW = 9;

/** Which windows P-Net is asked for. */
export interface Search {
  /** Shorter side of the smallest face, pixels. */
  minFaceSize: number;
  factor: number;
  /** Smallest probability. */
  threshold: number;
  /** Windows of a scale that are kept, the most probable ones. */
  most: number;
  stop: Stop | undefined;
}

interface ScaledBand extends Band {
  scale: number;
}

interface ProposeJob extends Omit<Search, 'most'> {
  table: SharedTable;
  size: BandSize;
  windows: Float32Array;
}

interface ScoreJob {
  stop: Stop | undefined;
  table: SharedTable;
  network: 'rnet' | 'onet';
  count: number;
  /** x, y, width and height of each candidate. */
  regions: Int32Array;
  scores: Float32Array;
}

/** The networks of the cascade over one picture. */
export interface MtcnnNetworks {
  /** Takes another picture; it is only read, and only now. One that was decoded and taken last is taken already. */
  load(picture: Picture): void;
  /** Adds P-Net's windows; `endScale` is called after those of each scale with the number there were before them. */
  propose(search: Search, boxes: Candidates, endScale: (first: number) => void): Promise<void>;
  /** R- or O-Net scorers every candidate; those outside the picture are dropped. */
  score(network: 'rnet' | 'onet', boxes: Candidates, stop?: Stop): Promise<void>;
  /** Gives back the memory of a large picture. */
  trim(): void;
  release(): Promise<void>;
}

/** The cascade in an engine. Its work on a picture falls into parts, which idle threads help with. */
export function createMtcnnNetworks(engine: MtcnnEngine, sharing: WorkSharing): MtcnnNetworks {
  const own = new AreaTable();
  const others = new AreaTable();
  let picture = { width: 0, height: 0 };
  let windows = sharedFloats(0);
  let regions = sharedInts(0);
  let scores = sharedFloats(0);

  /** The table of a job: this thread's own, or what another one lends. */
  function tableOf(shared: SharedTable): AreaTable {
    if (own.isOf(shared)) return own;
    others.borrow(shared);
    return others;
  }

  /** P-Net over a band; `add` is told of every window that may be a face. */
  async function scan(table: AreaTable, band: ScaledBand, threshold: number, add: AddBox): Promise<void> {
    // Windows are placed in float32, as the reference does: the floor of a rounded number may be another.
    const divisor = Math.fround(band.scale);
    const place = (pixel: number) => Math.floor(Math.fround(pixel / divisor));
    await engine.scan(table, band, threshold, (column, row, probability, sides, from, step) => {
      const sum =
        probability + sides[from] + sides[from + step] + sides[from + 2 * step] + sides[from + 3 * step];
      if (!Number.isFinite(sum)) refuseInvalidOutput('pnet');
      const [x, y] = [column * STRIDE, row * STRIDE];
      const box = { x1: place(x + 1), y1: place(y + 1), x2: place(x + CELL), y2: place(y + CELL) };
      add(box, probability, sides, from, step);
    });
  }

  const proposeTogether = sharing.loop(async (job: ProposeJob, index) => {
    throwIfStopped(job.stop);
    const { room } = job.size;
    const slot = slotOf(job.windows, index, room);
    const table = tableOf(job.table);
    let count = 0;
    await scan(
      table,
      bandsOf(table.size, job)[index],
      job.threshold,
      (box, probability, sides, from, step) => {
        if (count < room) {
          const at = 1 + count * WINDOW;
          slot[at] = box.x1;
          slot[at + 1] = box.y1;
          slot[at + 2] = box.x2;
          slot[at + 3] = box.y2;
          slot[at + 4] = probability;
          for (let side = 0; side < 4; side++) slot[at + 5 + side] = sides[from + side * step];
        }
        count += 1;
      },
    );
    slot[0] = count;
  });

  const scoreTogether = sharing.loop(
    async ({ stop, table, network, regions, count, scores }: ScoreJob, index) => {
      throwIfStopped(stop);
      const first = index * BATCH;
      const some = Math.min(BATCH, count - first);
      await engine.score(network, tableOf(table), regions, first, some, scores);
      for (let i = first; i < first + some; i++) {
        let sum = 0;
        for (let k = 0; k < (network === 'onet' ? SCORES : 5); k++) sum += scores[i * SCORES + k];
        if (!Number.isFinite(sum)) refuseInvalidOutput(network);
      }
    },
  );

  const region: Region = { x: 0, y: 0, width: 0, height: 0 };
  return {
    load(next) {
      picture = { width: next.width, height: next.height };
      own.load(next);
    },

    async propose(search, boxes, endScale) {
      const { minFaceSize, factor, threshold, most, stop } = search;
      const size = sharing.idle() > 0 ? engine.bands.shared : engine.bands.alone;
      const bands = bandsOf(picture, { minFaceSize, factor, size });
      windows = sharedFloats(bands.length * slotLength(size.room), windows);
      const job = { table: own.share(), size, windows, minFaceSize, factor, threshold, stop };
      await proposeTogether(job, bands.length);
      let first = boxes.count;
      for (const [index, band] of bands.entries()) {
        const slot = slotOf(windows, index, size.room);
        const [count] = slot;
        if (count > size.room) await scan(own, band, threshold, boxes.add.bind(boxes));
        else {
          for (let at = 1; at < 1 + count * WINDOW; at += WINDOW) {
            const [x1, y1, x2, y2, probability] = slot.subarray(at, at + 5);
            boxes.add({ x1, y1, x2, y2 }, probability, slot, at + 5, 1);
          }
        }
        boxes.keepBest(most, first);
        if (bands.at(index + 1)?.scale === band.scale) continue;
        endScale(first);
        first = boxes.count;
      }
    },

    async score(network, boxes, stop) {
      boxes.filter((index) => boxes.region(index, picture, region));
      const { count } = boxes;
      regions = sharedInts(count * 4, regions);
      scores = sharedFloats(count * SCORES, scores);
      for (let index = 0; index < count; index++) {
        boxes.region(index, picture, region);
        regions.set([region.x, region.y, region.width, region.height], index * 4);
      }
      const job = { stop, table: own.share(), network, count, regions, scores };
      await scoreTogether(job, Math.ceil(count / BATCH));
      for (let index = 0; index < count; index++) boxes.setScores(index, scores, index * SCORES);
    },

    trim: () => own.trim(),
    release: () => engine.release(),
  };
}

type AddBox = Candidates['add'];
type Scales = Pick<Search, 'minFaceSize' | 'factor'>;

/** How many windows a band has, then the windows. */
const slotLength = (room: number) => 1 + room * WINDOW;

function slotOf(windows: Float32Array, index: number, room: number): Float32Array {
  return windows.subarray(index * slotLength(room), (index + 1) * slotLength(room));
}

/** The bands of all scales, the largest scale first. */
function bandsOf(
  { width, height }: { width: number; height: number },
  { size, ...search }: Scales & { size: BandSize },
): ScaledBand[] {
  return scalesOf(width, height, search).flatMap((scale) => {
    const scaled = { width: Math.floor(width * scale + 1), height: Math.floor(height * scale + 1) };
    const rows = windowsAlong(scaled.height);
    const rowsPerBand = Math.max(size.rows, Math.floor((size.pixels / scaled.width - CELL) / STRIDE));
    return Array.from({ length: Math.ceil(rows / rowsPerBand) }, (_, i) => ({
      scale,
      ...scaled,
      row: i * rowsPerBand,
      rows: Math.min(rowsPerBand, rows - i * rowsPerBand),
    }));
  });
}

/** Scales at which a face of `minFaceSize` and each size above it, a factor apart, fills P-Net's window. */
function scalesOf(width: number, height: number, { minFaceSize, factor }: Scales): number[] {
  const scales: number[] = [];
  let scale = CELL / minFaceSize;
  // The side is multiplied along, not worked out anew: that rounds as the reference does.
  let shorter = Math.min(width, height) * scale;
  for (; shorter >= CELL; shorter *= factor, scale *= factor) scales.push(scale);
  return scales;
}
