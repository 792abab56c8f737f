import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import pMap from 'p-map';
import type { Config } from '../../settings/config.js';
import { KaomonError } from '../../platform/errors.js';
import { encodeModel, type GraphMessage } from '../../models/onnx/schema.js';
import { quantise, type Ranges, withAllOutputs } from '../../models/onnx/quantise.js';
import type { ReadyEmbedder, ReadyPack } from '../../models/types.js';
import { type Likeness, readNetwork, refuseUnsuited, writeVariant } from '../../models/packs/variants.js';
import { createEmbedder } from '../../vision/embedder.js';
import { decodeImage } from '../../vision/image.js';
import { facesInput } from '../../vision/faces-input.js';
import { Runtime } from '../../vision/ort.js';
import { note, openPack, openVision, picturesBelow } from './parts.js';

/** Faces to measure the ranges on, and as many again to compare the result on. */
const ENOUGH = 64;
const MINIMUM = 10;
/** Cosine that an int8 embedding must have with the float32 one. */
const MIN_COSINE = 0.99;

/** On the CPU, where int8 pays; without a cache, because these networks are temporary. */
const openRuntime = () => new Runtime({ providers: ['cpu'], threads: 2 });

/**
 * Makes the int8 form of a pack's embedder, and compares it with the float32 network.
 * @param folder with pictures of any people, in any folders
 * @param id of a pack
 * @returns how close its embeddings come to the float32 ones
 * @throws KaomonError SETUP when int8 does not suit the network, there are too few faces, or the embeddings differ too
 *   much; nothing is changed then
 */
export async function makeInt8(folder: string, id: string, config: Config): Promise<Likeness> {
  const pack = await openPack(id, { ...config, EMBEDDER_PRECISION: 'float32' });
  const { embedder } = pack;
  const graph = await readNetwork(embedder);
  refuseUnsuited(embedder, graph);
  const crops = await cropsOf(folder, pack, config);
  if (crops.length < 2 * MINIMUM) {
    throw new KaomonError(
      'SETUP',
      `The pictures in ${folder} have ${crops.length} faces: at least ${2 * MINIMUM} are needed, ${2 * ENOUGH} are best.`,
    );
  }
  const { whole, likeness } = await int8On(crops, graph, embedder);
  if (likeness.least < MIN_COSINE) {
    throw new KaomonError(
      'SETUP',
      `The int8 form of ${embedder.name} is not accurate enough: the embedding of one face has a cosine of ${likeness.least.toFixed(4)} with the float32 one, and ${MIN_COSINE} is required. Use more pictures, and more varied ones.`,
    );
  }
  await writeVariant('int8', embedder, config.MODELS_DIR, whole, likeness);
  return likeness;
}

/**
 * The int8 form of an embedder's graph, with ranges measured on every second face, compared on the others.
 * @param crops as `Embedder.embed` takes them; at least two
 */
export async function int8On(
  crops: readonly Uint8Array[],
  graph: GraphMessage,
  embedder: ReadyEmbedder,
): Promise<{ whole: GraphMessage; likeness: Likeness }> {
  const measured = crops.filter((_, i) => i % 2 === 0);
  const others = crops.filter((_, i) => i % 2 === 1);
  const work = await mkdtemp(path.join(tmpdir(), 'kaomon-int8-'));
  try {
    note(`measuring on ${measured.length} faces`);
    const whole = quantise(graph, await measureRanges(graph, embedder, measured, work));
    note(`comparing on ${others.length} faces`);
    return { whole, likeness: await compare(whole, embedder, others, work) };
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Face crops for the pack's embedder, from as many pictures as are needed. */
async function cropsOf(folder: string, pack: ReadyPack, config: Config): Promise<Uint8Array[]> {
  const crops: Uint8Array[] = [];
  const all = await picturesBelow(folder);
  // Where there are more than needed, they are taken from the whole list, so that they show many people.
  const step = Math.max(1, Math.floor(all.length / (2 * ENOUGH)));
  const files = all.filter((_, i) => i % step === 0);
  const vision = await openVision(pack, config);
  try {
    const cropsFrom = async (file: string) => {
      if (crops.length >= 2 * ENOUGH) return;
      const { faces } = await vision.analyze(await readFile(file), {
        embed: false,
        crops: true,
        maxFaces: 4,
      });
      for (const { crop } of faces) {
        if (crop) crops.push((await decodeImage(crop, { maxPixels: config.MAX_PIXELS })).data);
      }
    };
    await pMap(files, cropsFrom, { concurrency: config.VISION_THREADS });
  } finally {
    await vision.close();
  }
  return crops;
}

async function measureRanges(
  graph: GraphMessage,
  embedder: ReadyEmbedder,
  crops: readonly Uint8Array[],
  work: string,
): Promise<Ranges> {
  const file = path.join(work, 'measure.onnx');
  await writeFile(file, encodeModel(withAllOutputs(graph)));
  const input = facesInput(embedder, 1);
  const shape = [1, 3, embedder.size, embedder.size];
  const name = graph.input[0].name;
  const network = await openRuntime().open(file, { [name]: { data: input.data, shape } });
  const ranges = new Map<string, [number, number]>();
  const widen = (value: string, numbers: Float32Array) => {
    let [low, high] = ranges.get(value) ?? [0, 0];
    for (const number of numbers) {
      if (number < low) low = number;
      if (number > high) high = number;
    }
    ranges.set(value, [low, high]);
  };
  for (const crop of crops) {
    input.fill(crop, 0);
    widen(name, input.data);
    const values = await network.run({ [name]: { data: input.data, shape } });
    for (const [value, numbers] of Object.entries(values)) widen(value, numbers);
  }
  await network.release();
  return ranges;
}

async function compare(
  graph: GraphMessage,
  embedder: ReadyEmbedder,
  crops: readonly Uint8Array[],
  work: string,
): Promise<Likeness> {
  const file = path.join(work, 'int8.onnx');
  await writeFile(file, encodeModel(graph));
  const embed = async (network: string) => {
    const opened = await createEmbedder(openRuntime(), { ...embedder, network });
    const embeddings = await opened.embed(crops);
    await opened.release();
    return embeddings;
  };
  const expected = await embed(embedder.network);
  const found = await embed(file);
  const cosines = expected.map((vector, i) => vector.reduce((sum, value, k) => sum + value * found[i][k], 0));
  return {
    faces: crops.length,
    least: Math.min(...cosines),
    mean: cosines.reduce((sum, cosine) => sum + cosine, 0) / cosines.length,
  };
}
