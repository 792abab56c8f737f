import { AreaTable } from '../area.js';
import type { Runtime } from '../ort.js';
import { madeFace } from '../self-check.js';
import { type MtcnnEngine, type MtcnnFiles, SCORES } from './mtcnn-engine.js';
import { openMtcnnKernels } from './mtcnn-kernels.js';
import { openMtcnnOnnx } from './mtcnn-onnx.js';

export interface ChosenEngine {
  engine: MtcnnEngine;
  /** Why ONNX Runtime runs the networks on a CPU though it was not asked for. */
  refusal?: string;
}

/** Loops of our own may be so far from ONNX Runtime on the made picture: both round, by 3e-6 at most as far as is known. */
const NEAR = 1e-4;
/** Sides of the made picture: its rows of windows are longer than a register. */
const MADE = 96;
/** A probability that every window has. */
const ANY = 1e-30;

/**
 * Opens MTCNN's networks: on a CPU in loops of our own, elsewhere, and where these cannot be had, in ONNX Runtime. That
 * is opened in any case: it finds the provider and has its answers checked, and the loops must agree with it.
 * @param asked `auto`, `onnx`, or the name of a kernel
 * @throws KaomonError NO_MODEL when a network cannot be run
 */
export async function chooseMtcnnEngine(
  runtime: Runtime,
  files: MtcnnFiles,
  asked = 'auto',
): Promise<ChosenEngine> {
  const onnx = await openMtcnnOnnx(runtime, files);
  if (asked === 'onnx' || runtime.provider !== 'cpu') return { engine: onnx };
  const own = openMtcnnKernels(files.weights, asked);
  if (typeof own === 'string') return { engine: onnx, refusal: own };
  const [expected, found] = [await answersOf(onnx), await answersOf(own)];
  const isNear =
    expected.length === found.length && expected.every((value, i) => Math.abs(value - found[i]) <= NEAR);
  if (!isNear)
    return { engine: onnx, refusal: `the loops for ${own.kernels} answer something else than they should` };
  await onnx.release();
  return { engine: own };
}

/** What an engine says of a made picture: of all windows, and of two parts of it. */
async function answersOf(engine: MtcnnEngine): Promise<number[]> {
  const table = new AreaTable();
  table.load({ data: madeFace(MADE), width: MADE, height: MADE });
  const answers: number[] = [];
  const half = { width: MADE / 2 + 1, height: MADE / 2 + 1, row: 1, rows: 10 };
  await engine.scan(table, half, ANY, (column, row, probability, sides, from, step) => {
    answers.push(column, row, probability);
    for (let side = 0; side < 4; side++) answers.push(sides[from + side * step]);
  });
  const regions = Int32Array.of(0, 0, MADE, MADE, 20, 10, 50, 60);
  for (const network of ['rnet', 'onet'] as const) {
    const scores = new Float32Array(2 * SCORES);
    await engine.score(network, table, regions, 0, 2, scores);
    answers.push(...scores);
  }
  return answers;
}
