import { AreaTable } from '../area.js';
import type { Runtime } from '../ort.js';
import { madeFaces } from '../self-check.js';
import {
  BATCH,
  type Band,
  CELL,
  type MtcnnEngine,
  type MtcnnFiles,
  SCORES,
  SIDES,
  STRIDE,
  windowsAlong,
} from './mtcnn-engine.js';

/** Side of the made picture that P-Net is shown first: 15 x 15 windows. R- and O-Net are shown two faces, a batch. */
const MADE = 40;
/** Threads inside one run: these networks are too small to gain by more, and idle threads do several runs at once. */
const THREADS = 1;
/**
 * P-Net runs on bands of so many pixels: its maps of a band stay in the processor's cache, and a picture of 25
 * megapixels takes no more memory than a small one.
 */
const BANDS = { pixels: 65_536, rows: 1, room: 1024 };

/**
 * Opens the three networks in ONNX Runtime.
 * @throws KaomonError NO_MODEL when a network cannot be run
 */
export async function openMtcnnOnnx(runtime: Runtime, files: MtcnnFiles): Promise<MtcnnEngine> {
  const pnet = await runtime.open(files.pnet, { image: madeFaces(MADE) }, THREADS);
  const rnet = await runtime.open(files.rnet, { faces: madeFaces(SIDES.rnet, 2) }, THREADS);
  const onet = await runtime.open(files.onet, { faces: madeFaces(SIDES.onet, 2) }, THREADS);
  const scorers = { rnet, onet };
  const crops = new Float32Array(BATCH * 3 * SIDES.onet * SIDES.onet);
  let pixels = new Float32Array(0);

  return {
    kernels: 'onnx',
    bands: { alone: BANDS, shared: BANDS },

    async scan(table: AreaTable, { width, height, row, rows }: Band, threshold, add) {
      const from = row * STRIDE;
      const to = Math.min(height, (row + rows - 1) * STRIDE + CELL);
      const length = 3 * (to - from) * width;
      if (pixels.length < length) pixels = new Float32Array(length);
      table.resample({ x: 0, y: 0, ...table.size }, width, height, pixels, 0, { from, to });
      const { probability, regression } = await pnet.run({
        image: { data: pixels.subarray(0, length), shape: [1, 3, to - from, width] },
      });
      const columns = windowsAlong(width);
      for (let i = 0; i < probability.length; i++) {
        if (probability[i] < threshold) continue;
        add(i % columns, row + Math.floor(i / columns), probability[i], regression, i, probability.length);
      }
    },

    async score(network, table, regions, first, count, scores) {
      const side = SIDES[network];
      const face = 3 * side * side;
      for (let i = 0; i < count; i++) {
        const [x, y, width, height] = regions.subarray((first + i) * 4, (first + i + 1) * 4);
        table.resample({ x, y, width, height }, side, side, crops, i * face);
      }
      const { probability, regression, landmarks } = await scorers[network].run({
        faces: { data: crops.subarray(0, count * face), shape: [count, 3, side, side] },
      });
      for (let i = 0; i < count; i++) {
        const at = (first + i) * SCORES;
        scores[at] = probability[i];
        for (let k = 0; k < 4; k++) scores[at + 1 + k] = regression[i * 4 + k];
        if (network === 'onet') for (let k = 0; k < 10; k++) scores[at + 5 + k] = landmarks[i * 10 + k];
      }
    },

    async release() {
      await pnet.release();
      await rnet.release();
      await onet.release();
    },
  };
}
