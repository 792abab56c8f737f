import type { PoolOptions } from '../attributes.js';
import type { GraphBuilder, Value } from '../graph.js';
import type { Tensor } from '../../weights/tensor.js';
import type { NamedTensors } from '../../weights/torch-state.js';

/**
 * The networks are written so that ONNX Runtime keeps its blocked layout from the first convolution to the heads: PRelu
 * and Softmax would leave it, which takes two fifths of P-Net's time. Everything here is exact but for the rounding of
 * single operations.
 */

/** MTCNN was trained on (x - 127.5) / 128. */
const MEAN = 127.5;
const SCALE = 1 / 128;
/**
 * Channels in a block of ONNX Runtime's layout: 16 with AVX-512, 8 without. Pooling and adding leave the layout unless
 * the channels fill whole blocks, so channels of zeros are added. The block is 16 on every machine: a built network may
 * be carried to another one, and has the same bytes on all. On one thread of a processor with AVX-512, R-Net takes 0.70
 * of its time with blocks of 8, O-Net 0.93, P-Net 0.90; with AVX-512 hidden, 1.10, 1.07 and 0.90.
 */
const BLOCK = 16;

/** A number of channels, rounded up to whole blocks. */
const inBlocks = (channels: number) => Math.ceil(channels / BLOCK) * BLOCK;

/** A convolution of a state dict. */
export interface ConvWeights {
  weight: Tensor;
  bias: Float32Array;
}

/** Reads `<name>.weight` [out, in, side, side] and `<name>.bias`. @throws KaomonError SETUP when they do not fit */
export function convWeights(
  state: NamedTensors,
  name: string,
  out: number,
  input: number,
  side: number,
): ConvWeights {
  return {
    weight: state.tensor(`${name}.weight`, [out, input, side, side]),
    bias: state.values(`${name}.bias`, out),
  };
}

/** Numbers, followed by zeros. */
function filled(numbers: Float32Array, length: number): Float32Array {
  const all = new Float32Array(length);
  all.set(numbers);
  return all;
}

/** A convolution that follows {@link convPreluPool}, widened by the channels of zeros that it adds. */
export function takeBlocks({ weight, bias }: ConvWeights): ConvWeights {
  const [out, input, height, width] = weight.shape;
  const [given, wanted] = [input * height * width, inBlocks(input) * height * width];
  const data = new Float32Array(out * wanted);
  for (let o = 0; o < out; o++) data.set(weight.data.subarray(o * given, (o + 1) * given), o * wanted);
  return { weight: { shape: [out, inBlocks(input), height, width], data }, bias };
}

/** A first convolution, made to take 0 to 255: exact because none of MTCNN's convolutions pads. */
export function foldInput({ weight, bias }: ConvWeights): ConvWeights {
  const perChannel = weight.data.length / bias.length;
  return {
    weight: { shape: weight.shape, data: weight.data.map((value) => value * SCALE) },
    bias: bias.map((value, channel) => {
      let sum = 0;
      for (let i = 0; i < perChannel; i++) sum += weight.data[channel * perChannel + i];
      return value - sum * SCALE * MEAN;
    }),
  };
}

/** PReLU of x [n, c, h, w] as a x + (1 - a) relu(x), by depthwise convolutions. */
export function prelu(g: GraphBuilder, x: Value, slopes: Float32Array): Value {
  const groups = slopes.length;
  const shape = [groups, 1, 1, 1];
  const linear = g.conv(x, { shape, data: slopes }, { groups });
  const bent = g.conv(g.relu(x), { shape, data: slopes.map((slope) => 1 - slope) }, { groups });
  return g.add(bent, linear);
}

/**
 * A convolution, PReLU and max pooling, with the pooling done before the PReLU, on fewer numbers. PReLU with a slope a
 * >= 0 grows with its input, so the two may be swapped. With a < 0 it is max(y, a y): its largest value in a window is
 * the larger of the largest y and the largest a y, so those channels are convolved twice, once times a.
 * @returns the channels, and channels of zeros up to whole blocks
 */
export function convPreluPool(
  g: GraphBuilder,
  x: Value,
  { weight, bias }: ConvWeights,
  slopes: Float32Array,
  pool: PoolOptions,
): Value {
  const channels = slopes.length;
  const outputs = inBlocks(channels);
  const perChannel = weight.data.length / channels;
  const falling = [...slopes.keys()].filter((channel) => slopes[channel] < 0);
  const width = inBlocks(channels + falling.length);
  const data = filled(weight.data, width * perChannel);
  const biases = filled(bias, width);
  falling.forEach((channel, i) => {
    const numbers = weight.data.subarray(channel * perChannel, (channel + 1) * perChannel);
    data.set(
      numbers.map((value) => value * slopes[channel]),
      (channels + i) * perChannel,
    );
    biases[channels + i] = bias[channel] * slopes[channel];
  });
  const wide = { shape: [width, ...weight.shape.slice(1)], data };
  const pooled = g.maxPool(g.conv(x, wide, { bias: biases }), pool);
  if (falling.length === 0) return prelu(g, pooled, filled(slopes, outputs));

  // max(p, q) = q + relu(p - q) for the falling channels, a p + (1 - a) relu(p) for the others: a mix of channels,
  // relu, and the sum of two mixes.
  const bend = mix(outputs, width);
  const straight = mix(outputs, width);
  const bent = mix(outputs, outputs);
  for (let channel = 0; channel < channels; channel++) {
    const twin = falling.indexOf(channel);
    bend.set(channel, channel, 1);
    if (twin >= 0) {
      bend.set(channel, channels + twin, -1);
      straight.set(channel, channels + twin, 1);
      bent.set(channel, channel, 1);
    } else {
      straight.set(channel, channel, slopes[channel]);
      bent.set(channel, channel, 1 - slopes[channel]);
    }
  }
  return g.add(g.conv(g.relu(g.conv(pooled, bend.weight)), bent.weight), g.conv(pooled, straight.weight));
}

/** A 1x1 convolution whose weights are zero until they are set. */
function mix(
  out: number,
  input: number,
): { weight: Tensor; set: (to: number, from: number, value: number) => void } {
  const data = new Float32Array(out * input);
  return {
    weight: { shape: [out, input, 1, 1], data },
    set: (to, from, value) => (data[to * input + from] = value),
  };
}

/**
 * `<name>.weight` [out, channels * side * side] for a map that is flattened channel by channel, row by row, as [in,
 * out]. The reference transposes the map to (width, height, channels) before it flattens it.
 */
export function denseOfMap(
  state: NamedTensors,
  name: string,
  { out, channels, side }: { out: number; channels: number; side: number },
): Tensor {
  const inputs = channels * side * side;
  const { data } = state.tensor(`${name}.weight`, [out, inputs]);
  const turned = new Float32Array(data.length);
  for (let c = 0, row = 0; c < channels; c++)
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++, row++)
        for (let o = 0; o < out; o++)
          turned[row * out + o] = data[o * inputs + (x * side + y) * channels + c];
  return { shape: [inputs, out], data: turned };
}

/** PReLU of x [n, c]. */
export function densePrelu(g: GraphBuilder, x: Value, slopes: Float32Array): Value {
  return g.node('PRelu', [x, g.constant([slopes.length], slopes)]);
}

/** A head of a dense network: the name of its weights, and how many numbers it has. */
export interface Head {
  name: string;
  out: number;
}

/**
 * All heads on x [n, inputs] as one matrix product: first the probability [n] of a face, then each other head [n, out].
 * A softmax over two classes is the sigmoid of their difference.
 * @param classes the head of the two classes: no face, face
 */
export function denseHeads(
  g: GraphBuilder,
  state: NamedTensors,
  x: Value,
  inputs: number,
  classes: string,
  heads: readonly Head[],
): Value[] {
  const { weight: two, bias: twoBias } = {
    weight: state.tensor(`${classes}.weight`, [2, inputs]).data,
    bias: state.values(`${classes}.bias`, 2),
  };
  const width = 1 + heads.reduce((sum, { out }) => sum + out, 0);
  const data = new Float32Array(inputs * width);
  const bias = new Float32Array(width);
  for (let i = 0; i < inputs; i++) data[i * width] = two[inputs + i] - two[i];
  bias[0] = twoBias[1] - twoBias[0];
  let column = 1;
  for (const { name, out } of heads) {
    const rows = state.tensor(`${name}.weight`, [out, inputs]).data;
    bias.set(state.values(`${name}.bias`, out), column);
    for (let o = 0; o < out; o++, column++)
      for (let i = 0; i < inputs; i++) data[i * width + column] = rows[o * inputs + i];
  }
  const all = g.dense(x, { shape: [inputs, width], data }, bias);
  const values = [g.reshape(g.sigmoid(g.slice(all, 1, 0, 1)), [-1])];
  let from = 1;
  for (const { out } of heads) {
    values.push(g.slice(all, 1, from, from + out));
    from += out;
  }
  return values;
}
