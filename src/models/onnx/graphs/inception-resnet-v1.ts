import { foldBatchNorm } from '../batch-norm.js';
import { GraphBuilder, type Value } from '../graph.js';
import type { Tensor } from '../../weights/tensor.js';
import type { NamedTensors } from '../../weights/torch-state.js';

/** Of the batch norms: TensorFlow's, in which the network was trained. */
const EPSILON = 0.001;
/** The input is (x - 127.5) / 128. */
const MEAN = 127.5;
const SCALE = 1 / 128;

interface ConvShape {
  out: number;
  input: number;
  /** Height and width of the kernel; one number for both. */
  kernel?: number | readonly [number, number];
  stride?: 1 | 2;
  /** Keep the map's size (stride 1 only). */
  same?: boolean;
}

/**
 * InceptionResnetV1 (Szegedy et al. 2016) as facenet-pytorch publishes it, trained on VGGFace2.
 *
 * `faces` [n, 3, 160, 160], RGB 0 to 255 -> `embeddings` [n, 512] of unit length. The classifier that the state dict
 * also holds is left out.
 * @throws KaomonError SETUP when a tensor is missing or has another shape
 */
export function buildInceptionResnetV1(state: NamedTensors): Uint8Array {
  const g = new GraphBuilder('inception-resnet-v1');
  const faces = g.input('faces', ['n', 3, 160, 160]);

  /** Convolution, batch norm, ReLU. */
  const unit = (x: Value, name: string, shape: ConvShape): Value => {
    const { weight, bias } = foldedConv(state, name, shape);
    return g.relu(g.conv(x, weight, { bias, stride: shape.stride, padding: shape.same ? 'same' : 'valid' }));
  };
  /** Concatenates branches, mixes them by a 1x1 convolution and adds the result times `scale` to `x`. */
  const residual = (
    x: Value,
    name: string,
    channels: number,
    scale: number,
    branches: Value[],
    width: number,
  ): Value => {
    const { shape, data } = state.tensor(`${name}.conv2d.weight`, [channels, width, 1, 1]);
    const bias = state.values(`${name}.conv2d.bias`, channels).map((value) => value * scale);
    const weight = { shape, data: data.map((value) => value * scale) };
    return g.add(g.conv(g.concat(branches, 1), weight, { bias }), x);
  };

  const block35 = (x: Value, name: string): Value => {
    const narrow = { out: 32, input: 256 };
    const square = { out: 32, input: 32, kernel: 3, same: true };
    const one = unit(unit(x, `${name}.branch1.0`, narrow), `${name}.branch1.1`, square);
    const two = unit(
      unit(unit(x, `${name}.branch2.0`, narrow), `${name}.branch2.1`, square),
      `${name}.branch2.2`,
      square,
    );
    return g.relu(residual(x, name, 256, 0.17, [unit(x, `${name}.branch0`, narrow), one, two], 96));
  };
  const block17 = (x: Value, name: string): Value => {
    const narrow = { out: 128, input: 896 };
    const row = unit(unit(x, `${name}.branch1.0`, narrow), `${name}.branch1.1`, {
      out: 128,
      input: 128,
      kernel: [1, 7],
      same: true,
    });
    const column = unit(row, `${name}.branch1.2`, { out: 128, input: 128, kernel: [7, 1], same: true });
    return g.relu(residual(x, name, 896, 0.1, [unit(x, `${name}.branch0`, narrow), column], 256));
  };
  const block8 = (x: Value, name: string, scale: number): Value => {
    const narrow = { out: 192, input: 1792 };
    const row = unit(unit(x, `${name}.branch1.0`, narrow), `${name}.branch1.1`, {
      out: 192,
      input: 192,
      kernel: [1, 3],
      same: true,
    });
    const column = unit(row, `${name}.branch1.2`, { out: 192, input: 192, kernel: [3, 1], same: true });
    return residual(x, name, 1792, scale, [unit(x, `${name}.branch0`, narrow), column], 384);
  };
  const halve = (x: Value) => g.maxPool(x, { size: 3, stride: 2 });

  let x = unitOfPicture(g, state, faces);
  x = unit(x, 'conv2d_2a', { out: 32, input: 32, kernel: 3 });
  x = halve(unit(x, 'conv2d_2b', { out: 64, input: 32, kernel: 3, same: true }));
  x = unit(x, 'conv2d_3b', { out: 80, input: 64 });
  x = unit(x, 'conv2d_4a', { out: 192, input: 80, kernel: 3 });
  x = unit(x, 'conv2d_4b', { out: 256, input: 192, kernel: 3, stride: 2 });
  for (let i = 0; i < 5; i++) x = block35(x, `repeat_1.${i}`);

  const sixth = unit(unit(x, 'mixed_6a.branch1.0', { out: 192, input: 256 }), 'mixed_6a.branch1.1', {
    out: 192,
    input: 192,
    kernel: 3,
    same: true,
  });
  x = g.concat(
    [
      unit(x, 'mixed_6a.branch0', { out: 384, input: 256, kernel: 3, stride: 2 }),
      unit(sixth, 'mixed_6a.branch1.2', { out: 256, input: 192, kernel: 3, stride: 2 }),
      halve(x),
    ],
    1,
  );
  for (let i = 0; i < 10; i++) x = block17(x, `repeat_2.${i}`);

  const entry = { out: 256, input: 896 };
  const seventh = unit(unit(x, 'mixed_7a.branch2.0', entry), 'mixed_7a.branch2.1', {
    out: 256,
    input: 256,
    kernel: 3,
    same: true,
  });
  x = g.concat(
    [
      unit(unit(x, 'mixed_7a.branch0.0', entry), 'mixed_7a.branch0.1', {
        out: 384,
        input: 256,
        kernel: 3,
        stride: 2,
      }),
      unit(unit(x, 'mixed_7a.branch1.0', entry), 'mixed_7a.branch1.1', {
        out: 256,
        input: 256,
        kernel: 3,
        stride: 2,
      }),
      unit(seventh, 'mixed_7a.branch2.2', { out: 256, input: 256, kernel: 3, stride: 2 }),
      halve(x),
    ],
    1,
  );
  for (let i = 0; i < 5; i++) x = g.relu(block8(x, `repeat_3.${i}`, 0.2));
  x = g.globalAverage(block8(x, 'block8', 1));

  const { weight, bias } = lastLayer(state);
  g.output(g.unitLength(g.dense(x, weight, bias)), 'embeddings', ['n', 512]);
  return g.encode();
}

function batchNorm(state: NamedTensors, name: string, channels: number) {
  return {
    gamma: state.values(`${name}.weight`, channels),
    beta: state.values(`${name}.bias`, channels),
    mean: state.values(`${name}.running_mean`, channels),
    variance: state.values(`${name}.running_var`, channels),
    epsilon: EPSILON,
  };
}

/** `<name>.conv` with `<name>.bn` folded in. */
function foldedConv(state: NamedTensors, name: string, { out, input, kernel = 1 }: ConvShape) {
  const [height, width] = typeof kernel === 'number' ? [kernel, kernel] : kernel;
  const weight = state.tensor(`${name}.conv.weight`, [out, input, height, width]);
  return foldBatchNorm(weight, batchNorm(state, `${name}.bn`, out));
}

/** The first layer, with the input's mean and scale folded in: exact because it does not pad. */
function unitOfPicture(g: GraphBuilder, state: NamedTensors, faces: Value): Value {
  const { weight, bias } = foldedConv(state, 'conv2d_1a', { out: 32, input: 3, kernel: 3 });
  const perChannel = weight.data.length / bias.length;
  for (let i = 0; i < weight.data.length; i++) {
    bias[Math.floor(i / perChannel)] -= weight.data[i] * SCALE * MEAN;
    weight.data[i] *= SCALE;
  }
  return g.relu(g.conv(faces, weight, { bias, stride: 2 }));
}

/** `last_linear` [512, 1792] with `last_bn` folded in, as [1792, 512]. */
function lastLayer(state: NamedTensors): { weight: Tensor; bias: Float32Array } {
  const linear = state.tensor('last_linear.weight', [512, 1792]);
  const { weight, bias } = foldBatchNorm(linear, batchNorm(state, 'last_bn', 512));
  const data = new Float32Array(weight.data.length);
  for (let o = 0; o < 512; o++) for (let i = 0; i < 1792; i++) data[i * 512 + o] = weight.data[o * 1792 + i];
  return { weight: { shape: [1792, 512], data }, bias };
}
