import { GraphBuilder, type Value } from '../graph.js';
import type { Tensor } from '../../weights/tensor.js';
import type { TfjsWeights } from '../../weights/tfjs-weights.js';
import { normaliseFace } from './face-api-parts.js';

/** The residual blocks in order: `down` halves the map and changes to `channels`. */
const BLOCKS: { name: string; channels: number; down?: true }[] = [
  ...['conv32_1', 'conv32_2', 'conv32_3'].map((name) => ({ name, channels: 32 })),
  { name: 'conv64_down', channels: 64, down: true },
  ...['conv64_1', 'conv64_2', 'conv64_3'].map((name) => ({ name, channels: 64 })),
  { name: 'conv128_down', channels: 128, down: true },
  ...['conv128_1', 'conv128_2'].map((name) => ({ name, channels: 128 })),
  { name: 'conv256_down', channels: 256, down: true },
  ...['conv256_1', 'conv256_2'].map((name) => ({ name, channels: 256 })),
  { name: 'conv256_down_out', channels: 256, down: true },
];

/**
 * face-api's recognition network: dlib's ResNet with 27 convolutions and 128 outputs.
 *
 * `faces` [n, 3, 150, 150], RGB 0 to 255 -> `descriptor` [n, 128], as face-api returns it, and `embeddings` [n, 128],
 * the same at unit length, which is what the gallery compares.
 */
export function buildFaceRecognition(weights: TfjsWeights): Uint8Array {
  const g = new GraphBuilder('face-recognition');
  const faces = g.input('faces', ['n', 3, 150, 150]);

  const convolution = (x: Value, name: string, stride: 1 | 2): Value => {
    const { weight, bias } = foldScale(weights, name);
    return g.conv(x, weight, { bias, stride, padding: stride === 2 ? 'valid' : 'same' });
  };

  let x = g.relu(convolution(normaliseFace(g, faces), 'conv32_down', 2));
  x = g.maxPool(x, { size: 3, stride: 2 });
  let side = 35; // 150 -> 72 by the 7x7 convolution -> 35 by the pool
  let channels = 32;
  for (const block of BLOCKS) {
    let main = convolution(
      g.relu(convolution(x, `${block.name}/conv1`, block.down ? 2 : 1)),
      `${block.name}/conv2`,
      1,
    );
    let shortcut = x;
    if (block.down) {
      const convolved = Math.floor((side - 3) / 2) + 1;
      side = Math.floor(side / 2);
      shortcut = g.averagePool(x, { size: 2, stride: 2 });
      // An odd map leaves the convolution one row and column short of the pool: zeros at the end, as in training.
      if (convolved < side) main = g.pad(main, [0, 0, 0, 0, 0, 0, side - convolved, side - convolved]);
      if (block.channels > channels)
        shortcut = g.pad(shortcut, [0, 0, 0, 0, 0, block.channels - channels, 0, 0]);
      channels = block.channels;
    }
    x = g.relu(g.add(shortcut, main));
  }
  const descriptor = g.dense(g.globalAverage(x), weights.tensor('fc', [256, 128]));
  g.output(descriptor, 'descriptor', ['n', 128]);
  g.output(g.unitLength(descriptor), 'embeddings', ['n', 128]);
  return g.encode();
}

/** A convolution with the per-channel scale and offset after it folded in: s (w x + b) + t. */
function foldScale(weights: TfjsWeights, name: string): { weight: Tensor; bias: Float32Array } {
  const weight = weights.convWeight(`${name}/conv/filters`);
  const [bias, scale, offset] = ['conv/bias', 'scale/weights', 'scale/biases'].map((part) =>
    weights.values(`${name}/${part}`),
  );
  const perChannel = weight.data.length / weight.shape[0];
  return {
    weight: {
      shape: weight.shape,
      data: weight.data.map((value, i) => value * scale[Math.floor(i / perChannel)]),
    },
    bias: bias.map((value, channel) => value * scale[channel] + offset[channel]),
  };
}
