import { AreaTable, type Region, type SharedTable } from '../area.js';
import type { Runtime } from '../ort.js';
import { madeFaces } from '../self-check.js';
import { refuseInvalidOutput } from '../valid-output.js';
import { type Stop, throwIfStopped } from '../stop.js';
import { sharedFloats, sharedInts, type WorkSharing } from '../work-sharing.js';
import type { Picture } from '../types.js';
import type { Candidates } from './mtcnn-candidates.js';

/** Side of the made picture that P-Net is shown first: 15 x 15 windows. R- and O-Net are shown two faces, a batch. */
const MADE = 40;
/** Side of P-Net's window, pixels; its windows lie two pixels apart. */
export const CELL = 12;
const STRIDE = 2;
/** Sides of R-Net's and O-Net's inputs, and the faces they take in one run. */
const REFINE = { side: 24, batch: 16 };
const OUTPUT = { side: 48, batch: 16 };
/**
 * P-Net runs on bands of so many pixels: its maps of a band stay in the processor's cache, and a picture of 25
 * megapixels takes no more memory than a small one.
 */
const BAND_PIXELS = 65_536;

/** Threads inside one run: these networks are too small to gain by more, and idle threads do several runs at once. */
const THREADS = 1;

/** A window of P-Net in shared memory: x1, y1, x2, y2, probability, how far each side is to move. */
const WINDOW = 9;
/** Windows that a band has room for. A band with more, which no photograph has, is scanned once more. */
const BAND_WINDOWS = 1024;
/** How many there are, then the windows. */
const BAND_SLOT = 1 + BAND_WINDOWS * WINDOW;
/** What R- or O-Net says of a candidate: probability, four sides, ten landmarks. */
const SCORES = 15;

/** P-, R- and O-Net as ONNX files. */
export interface MtcnnFiles {
  pnet: string;
  rnet: string;
  onet: string;
  /** The network of 68 landmarks, where the embedder's alignment asks for them. */
  landmarks?: string;
}

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

/** Some rows of the picture at one scale. */
interface Band {
  scale: number;
  width: number;
  height: number;
  /** The first row of windows and how many. */
  row: number;
  rows: number;
}

interface ProposeJob extends Omit<Search, 'most'> {
  table: SharedTable;
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

/**
 * Opens the three networks. Their work on a picture falls into parts, which idle threads help with.
 * @throws KaomonError NO_MODEL when a network cannot be run
 */
export async function openMtcnnNetworks(
  runtime: Runtime,
  files: MtcnnFiles,
  sharing: WorkSharing,
): Promise<MtcnnNetworks> {
  const pnet = await runtime.open(files.pnet, { image: madeFaces(MADE) }, THREADS);
  const rnet = await runtime.open(files.rnet, { faces: madeFaces(REFINE.side, 2) }, THREADS);
  const onet = await runtime.open(files.onet, { faces: madeFaces(OUTPUT.side, 2) }, THREADS);
  const scorers = { rnet: { ...REFINE, network: rnet }, onet: { ...OUTPUT, network: onet } };
  const own = new AreaTable();
  const others = new AreaTable();
  const crops = new Float32Array(Math.max(batchLength(REFINE), batchLength(OUTPUT)));
  let picture = { width: 0, height: 0 };
  let band = new Float32Array(0);
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
  async function scan(table: AreaTable, part: Band, threshold: number, add: AddWindow): Promise<void> {
    const { scale, width, height, row, rows } = part;
    const from = row * STRIDE;
    const to = Math.min(height, (row + rows - 1) * STRIDE + CELL);
    const length = 3 * (to - from) * width;
    if (band.length < length) band = new Float32Array(length);
    table.resample({ x: 0, y: 0, ...table.size }, width, height, band, 0, { from, to });
    const { probability, regression } = await pnet.run({
      image: { data: band.subarray(0, length), shape: [1, 3, to - from, width] },
    });
    const columns = windowsAlong(width);
    // Windows are placed in float32, as the reference does: the floor of a rounded number may be another.
    const divisor = Math.fround(scale);
    const place = (pixel: number) => Math.floor(Math.fround(pixel / divisor));
    for (let i = 0; i < probability.length; i++) {
      if (probability[i] < threshold) continue;
      let sum = probability[i];
      for (let k = i; k < regression.length; k += probability.length) sum += regression[k];
      if (!Number.isFinite(sum)) refuseInvalidOutput('pnet');
      const x = (i % columns) * STRIDE;
      const y = (row + Math.floor(i / columns)) * STRIDE;
      const box = { x1: place(x + 1), y1: place(y + 1), x2: place(x + CELL), y2: place(y + CELL) };
      add(box, probability[i], regression, i, probability.length);
    }
  }

  const proposeTogether = sharing.loop(async (job: ProposeJob, index) => {
    throwIfStopped(job.stop);
    const table = tableOf(job.table);
    const slot = job.windows.subarray(index * BAND_SLOT, (index + 1) * BAND_SLOT);
    let count = 0;
    await scan(
      table,
      bandsOf(table.size, job)[index],
      job.threshold,
      (box, probability, sides, from, step) => {
        if (count < BAND_WINDOWS) {
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

  const scoreTogether = sharing.loop(async (job: ScoreJob, index) => {
    throwIfStopped(job.stop);
    const table = tableOf(job.table);
    const { side, batch, network } = scorers[job.network];
    const first = index * batch;
    const count = Math.min(batch, job.count - first);
    const face = 3 * side * side;
    for (let i = 0; i < count; i++) {
      const [x, y, width, height] = job.regions.subarray((first + i) * 4, (first + i + 1) * 4);
      table.resample({ x, y, width, height }, side, side, crops, i * face);
    }
    const { probability, regression, landmarks } = await network.run({
      faces: { data: crops.subarray(0, count * face), shape: [count, 3, side, side] },
    });
    for (let i = 0; i < count; i++) {
      const at = (first + i) * SCORES;
      job.scores[at] = probability[i];
      for (let k = 0; k < 4; k++) job.scores[at + 1 + k] = regression[i * 4 + k];
      if (job.network === 'onet') for (let k = 0; k < 10; k++) job.scores[at + 5 + k] = landmarks[i * 10 + k];
      let sum = 0;
      for (let k = at; k < at + (job.network === 'onet' ? SCORES : 5); k++) sum += job.scores[k];
      if (!Number.isFinite(sum)) refuseInvalidOutput(job.network);
    }
  });

  const region: Region = { x: 0, y: 0, width: 0, height: 0 };
  return {
    load(next) {
      picture = { width: next.width, height: next.height };
      own.load(next);
    },

    async propose(search, boxes, endScale) {
      const bands = bandsOf(picture, search);
      windows = sharedFloats(bands.length * BAND_SLOT, windows);
      const { minFaceSize, factor, threshold, most, stop } = search;
      const job = { table: own.share(), windows, minFaceSize, factor, threshold, stop };
      await proposeTogether(job, bands.length);
      let first = boxes.count;
      for (const [index, part] of bands.entries()) {
        const slot = index * BAND_SLOT;
        const count = windows[slot];
        if (count > BAND_WINDOWS) await scan(own, part, threshold, boxes.add.bind(boxes));
        else {
          for (let at = slot + 1; at < slot + 1 + count * WINDOW; at += WINDOW) {
            const [x1, y1, x2, y2, probability] = windows.subarray(at, at + 5);
            boxes.add({ x1, y1, x2, y2 }, probability, windows, at + 5, 1);
          }
        }
        boxes.keepBest(most, first);
        if (bands.at(index + 1)?.scale === part.scale) continue;
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
      await scoreTogether(job, Math.ceil(count / scorers[network].batch));
      for (let index = 0; index < count; index++) boxes.setScores(index, scores, index * SCORES);
    },

    trim: () => own.trim(),

    async release() {
      await pnet.release();
      await rnet.release();
      await onet.release();
    },
  };
}

type AddWindow = Candidates['add'];
type Scales = Pick<Search, 'minFaceSize' | 'factor'>;

/** The bands of all scales, the largest scale first. */
function bandsOf({ width, height }: { width: number; height: number }, search: Scales): Band[] {
  return scalesOf(width, height, search).flatMap((scale) => {
    const scaled = { width: Math.floor(width * scale + 1), height: Math.floor(height * scale + 1) };
    const rows = windowsAlong(scaled.height);
    const rowsPerBand = Math.max(1, Math.floor((BAND_PIXELS / scaled.width - CELL) / STRIDE));
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

/** P-Net's windows along a side: a convolution of 3, halved upwards, two convolutions of 3. */
function windowsAlong(side: number): number {
  return Math.ceil((side - 2) / STRIDE) - 4;
}

function batchLength({ side, batch }: typeof REFINE): number {
  return batch * 3 * side * side;
}
