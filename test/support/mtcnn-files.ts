import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Tensor } from '../../src/models/weights/tensor.js';
import type { NamedTensors } from '../../src/models/weights/torch-state.js';

/** The tensors of each network in the order of face-api's manifest: its name, ours, our shape. */
const conv = (theirs: string, ours: string, out: number, input: number, side: number) => [
  { theirs: `${theirs}/weights`, ours: `${ours}.weight`, shape: [out, input, side, side] },
  { theirs: `${theirs}/bias`, ours: `${ours}.bias`, shape: [out] },
];
const dense = (theirs: string, ours: string, out: number, input: number) => [
  { theirs: `${theirs}/weights`, ours: `${ours}.weight`, shape: [out, input] },
  { theirs: `${theirs}/bias`, ours: `${ours}.bias`, shape: [out] },
];
const prelu = (layer: number, channels: number) => [
  { theirs: `prelu${layer}_alpha`, ours: `prelu${layer}.weight`, shape: [channels] },
];

const TENSORS = {
  pnet: [
    ...[...conv('conv1', 'conv1', 10, 3, 3), ...prelu(1, 10)],
    ...[...conv('conv2', 'conv2', 16, 10, 3), ...prelu(2, 16)],
    ...[...conv('conv3', 'conv3', 32, 16, 3), ...prelu(3, 32)],
    ...[...conv('conv4_1', 'conv4_1', 2, 32, 1), ...conv('conv4_2', 'conv4_2', 4, 32, 1)],
  ],
  rnet: [
    ...[...conv('conv1', 'conv1', 28, 3, 3), ...prelu(1, 28)],
    ...[...conv('conv2', 'conv2', 48, 28, 3), ...prelu(2, 48)],
    ...[...conv('conv3', 'conv3', 64, 48, 2), ...prelu(3, 64)],
    ...[...dense('fc1', 'dense4', 128, 576), ...prelu(4, 128)],
    ...[...dense('fc2_1', 'dense5_1', 2, 128), ...dense('fc2_2', 'dense5_2', 4, 128)],
  ],
  onet: [
    ...[...conv('conv1', 'conv1', 32, 3, 3), ...prelu(1, 32)],
    ...[...conv('conv2', 'conv2', 64, 32, 3), ...prelu(2, 64)],
    ...[...conv('conv3', 'conv3', 64, 64, 3), ...prelu(3, 64)],
    ...[...conv('conv4', 'conv4', 128, 64, 2), ...prelu(4, 128)],
    ...[...dense('fc1', 'dense5', 256, 1152), ...prelu(5, 256)],
    ...[...dense('fc2_1', 'dense6_1', 2, 256), ...dense('fc2_2', 'dense6_2', 4, 256)],
    ...dense('fc2_3', 'dense6_3', 10, 256),
  ],
};

/** Writes MTCNN's weights as face-api's package holds them: the manifest, and its one binary beside it. */
export async function writeMtcnnTfjs(
  manifest: string,
  stateOf: (net: 'pnet' | 'rnet' | 'onet') => NamedTensors,
): Promise<void> {
  const binary = 'mtcnn_model-shard1';
  const weights: { name: string; dtype: 'float32'; shape: number[] }[] = [];
  const numbers: Buffer[] = [];
  for (const net of ['pnet', 'rnet', 'onet'] as const) {
    const state = stateOf(net);
    for (const { theirs, ours, shape } of TENSORS[net]) {
      const { data } = toTheirs(state.tensor(ours, shape));
      weights.push({ name: `${net}/${theirs}`, dtype: 'float32', shape: [...shape].reverse() });
      numbers.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    }
  }
  await writeFile(path.join(path.dirname(manifest), binary), Buffer.concat(numbers));
  await writeFile(manifest, JSON.stringify([{ weights, paths: [binary] }]));
}

/** [out, in, y, x] as [x, y, in, out], [out, in] as [in, out]: written out, so that a fault in the reader's way shows. */
function toTheirs({ shape, data }: Tensor): Tensor {
  if (shape.length === 1) return { shape, data: Float32Array.from(data) };
  const [outs, ins, height = 1, width = 1] = shape;
  const turned = new Float32Array(data.length);
  let at = 0;
  for (let x = 0; x < width; x++)
    for (let y = 0; y < height; y++)
      for (let i = 0; i < ins; i++)
        for (let o = 0; o < outs; o++) turned[at++] = data[((o * ins + i) * height + y) * width + x];
  return { shape: [...shape].reverse(), data: turned };
}
