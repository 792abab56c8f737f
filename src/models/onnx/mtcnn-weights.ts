import { readFile } from 'node:fs/promises';
import { decodeModel, floatsOf, type GraphMessage, type NodeMessage, type TensorMessage } from './schema.js';
import type { MtcnnWeights } from '../types.js';
import { constantsOf } from './rewrite/parts.js';

/**
 * The operators of each graph, in their order: another network, or one that was built otherwise, has others. A pooled
 * convolution has one more where one of its slopes is below zero.
 */
const POOLED = 'Conv MaxPool Conv Relu Conv (?:Conv )?Add';
const BENT = 'Conv Conv Relu Conv Add';
const DENSE = 'Flatten Gemm PRelu Gemm Slice Sigmoid Reshape Slice';
const OPERATORS: Readonly<Record<keyof MtcnnWeights, string>> = {
  pnet: `${POOLED} ${BENT} Conv Conv Relu Conv Add Slice Sigmoid Identity Slice Identity`,
  rnet: `${POOLED} ${POOLED} ${BENT} ${DENSE} Identity Identity`,
  onet: `${POOLED} ${POOLED} ${POOLED} ${BENT} ${DENSE} Slice Identity Identity Identity`,
};

/**
 * The numbers of MTCNN's networks for loops of our own (native/detector), one layer behind another: a convolution's
 * weights [out, in, y, x], biases and slopes [out]; a dense layer's weights [in, out], biases and slopes; heads without
 * slopes, P-Net's [5, 32]. What the graphs add for ONNX Runtime's sake (graphs/mtcnn-parts.ts) is taken away.
 * @param files the bytes of the three networks
 * @returns undefined where one is not a network as we build it
 */
export function readMtcnnWeights(
  files: Readonly<Record<keyof MtcnnWeights, Uint8Array>>,
): MtcnnWeights | undefined {
  const pnet = layersOf(files.pnet, 'pnet', (read) => [
    ...read.pooled(10, 3, 3),
    ...read.bent(16, 10, 3),
    ...read.bentHeads(32, 16, 3),
  ]);
  const rnet = layersOf(files.rnet, 'rnet', (read) => [
    ...read.pooled(28, 3, 3),
    ...read.pooled(48, 28, 3),
    ...read.bent(64, 48, 2),
    ...read.dense(576, 128, 5),
  ]);
  const onet = layersOf(files.onet, 'onet', (read) => [
    ...read.pooled(32, 3, 3),
    ...read.pooled(64, 32, 3),
    ...read.pooled(64, 64, 3),
    ...read.bent(128, 64, 2),
    ...read.dense(1152, 256, 15),
  ]);
  return pnet && rnet && onet && { pnet, rnet, onet };
}

/**
 * As {@link readMtcnnWeights}, from files.
 * @returns undefined, too, where one cannot be read: whoever runs the network says why
 */
export async function loadMtcnnWeights(
  files: Readonly<Record<keyof MtcnnWeights, string>>,
): Promise<MtcnnWeights | undefined> {
  const reading = Promise.all([files.pnet, files.rnet, files.onet].map((file) => readFile(file)));
  const read = await reading.catch(() => undefined);
  return read && readMtcnnWeights({ pnet: read[0], rnet: read[1], onet: read[2] });
}

function layersOf(
  bytes: Uint8Array,
  network: keyof MtcnnWeights,
  read: (reader: Reader) => Float32Array[],
): Float32Array | undefined {
  const graph = decodeModel(bytes);
  const operators = graph?.node.map(({ opType }) => opType).join(' ') ?? '';
  if (!graph || !new RegExp(`^${OPERATORS[network]}$`).test(operators)) return undefined;
  try {
    const layers = read(new Reader(graph));
    // Shared: the threads that are sent it hold it once.
    const length = layers.reduce((sum, layer) => sum + layer.length, 0);
    const all = new Float32Array(new SharedArrayBuffer(length * Float32Array.BYTES_PER_ELEMENT));
    let at = 0;
    for (const layer of layers) {
      all.set(layer, at);
      at += layer.length;
    }
    return all;
  } catch (error) {
    if (error instanceof OtherShape) return undefined;
    throw error;
  }
}

/** Weights of a 1x1 convolution. */
const MIX = [undefined, undefined, 1, 1];

/** A constant does not have the shape of the network that we build. */
class OtherShape extends Error {}

/** Reads a graph's layers in their order. @throws OtherShape */
class Reader {
  readonly #constants: Map<string, TensorMessage>;
  readonly #nodes: NodeMessage[];

  constructor(graph: GraphMessage) {
    this.#constants = constantsOf(graph);
    this.#nodes = graph.node.filter(({ opType }) => ['Conv', 'Gemm', 'PRelu'].includes(opType));
  }

  /** The constants of the next node that has any. */
  #next(...shapes: readonly (readonly (number | undefined)[])[]): Float32Array[] {
    const names = this.#nodes.shift()?.input.slice(1) ?? [];
    const found = names.map((name) => this.#constants.get(name));
    return shapes.map((shape, i) => {
      const dims = found[i]?.dims;
      const fits =
        dims?.length === shape.length && shape.every((size, axis) => dims[axis] === (size ?? dims[axis]));
      if (!fits || !found[i] || found.length !== shapes.length) throw new OtherShape();
      return floatsOf(found[i]);
    });
  }

  /** Weights and biases without the channels of zeros that fill a block. */
  #convolution(out: number, input: number, side: number) {
    const [all, biases] = this.#next([undefined, undefined, side, side], [undefined]);
    const [perOutput, wanted] = [all.length / biases.length, input * side * side];
    if (biases.length < out || perOutput < wanted) throw new OtherShape();
    const weight = new Float32Array(out * wanted);
    for (let o = 0; o < out; o++) weight.set(all.subarray(o * perOutput, o * perOutput + wanted), o * wanted);
    return { weight, bias: biases.slice(0, out), all, width: biases.length };
  }

  /**
   * A convolution that is pooled before its PReLU. Channels with a slope below zero are there twice, the second time
   * times it; where there are none the PReLU is two depthwise convolutions.
   */
  pooled(out: number, input: number, side: number): Float32Array[] {
    const { weight, bias, all, width } = this.#convolution(out, input, side);
    const [[bend], [bent]] = [this.#next(MIX), this.#next(MIX)];
    if (bend.length === width && bent.length === width) return [weight, bias, bend.slice(0, out)];
    const [straight] = this.#next(MIX);
    if (straight.length < out * width) throw new OtherShape();
    const perOutput = all.length / width;
    const slope = Float32Array.from({ length: out }, (_, channel) => {
      const row = straight.subarray(channel * width, (channel + 1) * width);
      const twin = row.indexOf(1, out);
      if (twin < 0) return row[channel];
      const of = (index: number) => all.subarray(index * perOutput, (index + 1) * perOutput);
      return quotient(of(twin), of(channel));
    });
    return [weight, bias, slope];
  }

  /** A convolution whose PReLU follows as two depthwise ones. */
  bent(out: number, input: number, side: number): Float32Array[] {
    const { weight, bias } = this.#convolution(out, input, side);
    const [slope] = this.#next([out, 1, 1, 1]);
    this.#next([out, 1, 1, 1]);
    return [weight, bias, slope];
  }

  /** P-Net's last convolution, whose PReLU lies in the weights of the heads: H a x + H (1 - a) relu(x). */
  bentHeads(out: number, input: number, side: number): Float32Array[] {
    const { weight, bias } = this.#convolution(out, input, side);
    const [straight, headBias] = this.#next([5, out, 1, 1], [5]);
    const [bent] = this.#next([5, out, 1, 1]);
    const heads = straight.map((value, i) => value + bent[i]);
    const column = (numbers: Float32Array, channel: number) => numbers.filter((_, i) => i % out === channel);
    const slope = Float32Array.from({ length: out }, (_, channel) =>
      quotient(column(straight, channel), column(heads, channel)),
    );
    return [weight, bias, slope, heads, headBias];
  }

  /** A dense layer with PReLU, and the heads. */
  dense(input: number, middle: number, out: number): Float32Array[] {
    const first = this.#next([input, middle], [middle]);
    const slope = this.#next([middle]);
    return [...first, ...slope, ...this.#next([middle, out], [out])];
  }
}

/** The number that `divisors` were multiplied by to give `products`, which were rounded: the best for all together. */
function quotient(products: Float32Array, divisors: Float32Array): number {
  let [above, below] = [0, 0];
  products.forEach((product, i) => {
    above += product * divisors[i];
    below += divisors[i] * divisors[i];
  });
  return below > 0 ? above / below : 0;
}
