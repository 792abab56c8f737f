import { createFaissIndex } from '../gallery/index/faiss-index.js';
import { createExactIndex } from '../gallery/index/exact-index.js';
import { faissRefusal } from '../gallery/index/faiss-addon.js';
import type { ReadyPack } from '../models/types.js';
import { cutFace } from '../vision/align.js';
import type { Detector } from '../vision/detectors/detector.js';
import { createLandmarks68 } from '../vision/detectors/landmarks.js';
import { chooseMtcnnEngine } from '../vision/detectors/mtcnn-choice.js';
import type { MtcnnEngine } from '../vision/detectors/mtcnn-engine.js';
import { createMtcnnOn } from '../vision/detectors/mtcnn.js';
import { createSsdDetector } from '../vision/detectors/ssd.js';
import { createEmbedder } from '../vision/embedder.js';
import { decodeImage } from '../vision/image.js';
import { Runtime } from '../vision/ort.js';
import { Resampler } from '../vision/resample.js';
import type { BenchContext } from './effort.js';
import { openFaceApi } from './face-api.js';
import type { Frame } from './frames.js';
import { rowOf } from './report.js';
import { createIdentities } from './vectors.js';

const MAX_PIXELS = 25_000_000;
/** Faces in the index that is searched. */
const GALLERY = 1000;
const MIN_FACE_SIZES = [20, 60];

/** Adds up how long an engine's networks run, each with what makes its input: the pyramid, or the crops. */
function timed(engine: MtcnnEngine) {
  const spent = { pnet: 0, rnet: 0, onet: 0 };
  const time = async (network: keyof typeof spent, work: Promise<void>, start: number) => {
    await work;
    spent[network] += performance.now() - start;
  };
  const timedEngine: MtcnnEngine = {
    ...engine,
    scan: (...of) => time('pnet', engine.scan(...of), performance.now()),
    score: (...of) => time(of[0], engine.score(...of), performance.now()),
  };
  return { engine: timedEngine, spent };
}

/** A detector, how its rows are called, and the time of its networks. */
interface Measured {
  detector: Detector;
  /** Follows the stage's name. */
  suffix: string;
  spent?: Record<'pnet' | 'rnet' | 'onet', number>;
}

/** The pack's detector; MTCNN in the loops that a server would take, and in ONNX Runtime. */
async function detectorsOf({ detector: files }: ReadyPack, runtime: Runtime): Promise<Measured[]> {
  if (files.kind === 'ssd') return [{ detector: await createSsdDetector(runtime, files), suffix: '' }];
  const measured: Measured[] = [];
  for (const asked of ['auto', 'onnx']) {
    const chosen = await chooseMtcnnEngine(runtime, files, asked);
    const { engine, spent } = timed(chosen.engine);
    const landmarks = files.landmarks ? await createLandmarks68(runtime, files.landmarks) : undefined;
    measured.push({ detector: createMtcnnOn(engine, landmarks), suffix: ` (${engine.kernels})`, spent });
    if (engine.kernels === asked) break;
  }
  return measured;
}

/** The stages of a frame on one thread: decode, detection and its networks, crop, embedding, search. */
export async function benchStages(
  pack: ReadyPack,
  frames: readonly Frame[],
  context: BenchContext,
): Promise<void> {
  const { add, note, effort } = context;
  const runtime = new Runtime({ providers: ['cpu'], threads: 1 });
  const detectors = await detectorsOf(pack, runtime);
  const embedder = await createEmbedder(runtime, pack.embedder);
  const { length, size } = pack.embedder;
  const resampler = new Resampler();
  const index = faissRefusal() ? createExactIndex(length) : createFaissIndex(length);
  const people = createIdentities(length, 1);
  for (let i = 0; i < GALLERY; i++) index.add(`person${i}`, people.direction());

  async function oneFrame(
    { detector, suffix, spent }: Measured,
    bytes: Uint8Array,
    minFaceSize: number,
  ): Promise<Record<string, number>> {
    if (spent) spent.pnet = spent.rnet = spent.onet = 0;
    const start = performance.now();
    const picture = await decodeImage(bytes, { maxPixels: MAX_PIXELS });
    const decoded = performance.now();
    const detections = await detector.detect(picture, { minFaceSize });
    const detected = performance.now();
    const crops = detections.map((detection) => {
      const crop = new Uint8Array(3 * size * size);
      cutFace(pack.embedder, picture, detection, resampler, crop);
      return crop;
    });
    const cropped = performance.now();
    const embeddings = await embedder.embed(crops);
    const embedded = performance.now();
    for (const embedding of embeddings) await index.search(embedding, 1);
    const end = performance.now();
    const times: Record<string, number> = {
      decode: decoded - start,
      [`detect${suffix}`]: detected - decoded,
    };
    if (spent) {
      const { pnet, rnet, onet } = spent;
      times[`- P-Net with its pyramid${suffix}`] = pnet;
      times[`- R-Net with its crops${suffix}`] = rnet;
      times[`- O-Net with its crops${suffix}`] = onet;
      times[`- table and boxes${suffix}`] = detected - decoded - pnet - rnet - onet;
    }
    return {
      ...times,
      crop: cropped - detected,
      embed: embedded - cropped,
      search: end - embedded,
      [`whole${suffix}`]: end - start,
    };
  }

  try {
    for (const frame of frames) {
      for (const minFaceSize of MIN_FACE_SIZES) {
        const samples = new Map<string, number[]>();
        for (let i = -2; i < effort.repeats; i++) {
          // In turn, so that a busy moment of the machine meets all of them.
          for (const detector of detectors)
            for (const [stage, ms] of Object.entries(await oneFrame(detector, frame.bytes, minFaceSize)))
              if (i >= 0) samples.set(stage, [...(samples.get(stage) ?? []), ms]);
        }
        const first = minFaceSize === MIN_FACE_SIZES[0];
        for (const [stage, values] of samples) {
          if (!first && !stage.startsWith('whole')) continue;
          const measure = first ? stage : `${stage}, faces from ${minFaceSize} pixels`;
          add(rowOf({ section: 'stages', of: frame.name, measure, unit: 'ms' }, values));
        }
      }
    }
  } catch (error) {
    note(`stages: ended early: ${String(error)}`);
  } finally {
    for (const { detector } of detectors) await detector.release();
    await embedder.release();
    await index.close();
  }
}

/** The same frames with face-api. */
export async function benchFaceApi(
  frames: readonly Frame[],
  { effort, add, note }: BenchContext,
): Promise<void> {
  const faceApi = await openFaceApi().catch((error: unknown) =>
    error instanceof Error ? error : new Error(String(error)),
  );
  if (faceApi instanceof Error) {
    note(
      `@vladmandic/face-api is left out (a development package: npm install): ${faceApi.message.split('\n')[0]}`,
    );
    return;
  }
  note(
    '@vladmandic/face-api: wasm backend with SIMD, SSD MobileNet v1 at 0.4, 68 landmarks, 128 numbers a face.',
  );
  for (const frame of frames) {
    const samples: number[] = [];
    let faces = 0;
    for (let i = -1; i < Math.max(3, effort.repeats / 4); i++) {
      const start = performance.now();
      faces = await faceApi.describe(frame.bytes);
      if (i >= 0) samples.push(performance.now() - start);
    }
    add(rowOf({ section: 'stages', of: frame.name, measure: 'face-api (wasm), whole', unit: 'ms' }, samples));
    note(`face-api finds ${faces} in the frame with ${frame.name}.`);
  }
}
