import path from 'node:path';
import { createFaissIndex } from '../gallery/index/faiss-index.js';
import { createExactIndex } from '../gallery/index/exact-index.js';
import { faissRefusal } from '../gallery/index/faiss-addon.js';
import type { ReadyPack } from '../models/types.js';
import { cutFace } from '../vision/align.js';
import { createMtcnnDetector } from '../vision/detectors/mtcnn.js';
import { createSsdDetector } from '../vision/detectors/ssd.js';
import { createEmbedder } from '../vision/embedder.js';
import { decodeImage } from '../vision/image.js';
import type { Network, NetworkInput } from '../vision/network.js';
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

/** A runtime that adds up how long each network runs, and records when the first run of a frame began. */
class TimedRuntime extends Runtime {
  readonly spent = new Map<string, number>();
  readonly begun = new Map<string, number>();

  override async open(file: string, probe: Record<string, NetworkInput>, threads?: number): Promise<Network> {
    const network = await super.open(file, probe, threads);
    const name = path.basename(file, '.onnx');
    return {
      ...network,
      run: async (inputs) => {
        const start = performance.now();
        if (!this.begun.has(name)) this.begun.set(name, start);
        const results = await network.run(inputs);
        this.spent.set(name, (this.spent.get(name) ?? 0) + performance.now() - start);
        return results;
      },
    };
  }

  clear(): void {
    this.spent.clear();
    this.begun.clear();
  }
}

/** The stages of a frame on one thread: decode, detection and its networks, crop, embedding, search. */
export async function benchStages(
  pack: ReadyPack,
  frames: readonly Frame[],
  context: BenchContext,
): Promise<void> {
  const { add, note, effort } = context;
  const runtime = new TimedRuntime({ providers: ['cpu'], threads: 1 });
  const { detector: files } = pack;
  const detector =
    files.kind === 'mtcnn'
      ? await createMtcnnDetector(runtime, files)
      : await createSsdDetector(runtime, files);
  const embedder = await createEmbedder(runtime, pack.embedder);
  const { length, size } = pack.embedder;
  const resampler = new Resampler();
  const index = faissRefusal() ? createExactIndex(length) : createFaissIndex(length);
  const people = createIdentities(length, 1);
  for (let i = 0; i < GALLERY; i++) index.add(`person${i}`, people.direction());

  async function oneFrame(bytes: Uint8Array, minFaceSize: number): Promise<Record<string, number>> {
    runtime.clear();
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
    const times: Record<string, number> = { decode: decoded - start, detect: detected - decoded };
    if (files.kind === 'mtcnn') {
      const spent = (name: string) => runtime.spent.get(name) ?? 0;
      // Until R-Net's first run: the image pyramid, and choosing among P-Net's windows.
      const proposed = (runtime.begun.get('rnet') ?? detected) - decoded;
      times['- pyramid'] = proposed - spent('pnet');
      times['- P-Net'] = spent('pnet');
      times['- R-Net'] = spent('rnet');
      times['- O-Net'] = spent('onet');
      times['- candidates (crops, boxes)'] = detected - decoded - proposed - spent('rnet') - spent('onet');
    }
    return {
      ...times,
      crop: cropped - detected,
      embed: embedded - cropped,
      search: end - embedded,
      whole: end - start,
    };
  }

  try {
    for (const frame of frames) {
      for (const minFaceSize of MIN_FACE_SIZES) {
        const samples: Record<string, number>[] = [];
        for (let i = -2; i < effort.repeats; i++) {
          const times = await oneFrame(frame.bytes, minFaceSize);
          if (i >= 0) samples.push(times);
        }
        const first = minFaceSize === MIN_FACE_SIZES[0];
        for (const stage of Object.keys(samples[0])) {
          if (!first && stage !== 'whole') continue;
          const measure = first ? stage : `whole, faces from ${minFaceSize} pixels`;
          const values = samples.map((times) => times[stage]);
          add(rowOf({ section: 'stages', of: frame.name, measure, unit: 'ms' }, values));
        }
      }
    }
  } catch (error) {
    note(`stages: ended early: ${String(error)}`);
  } finally {
    await detector.release();
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
