import { GraphBuilder } from '../graph.js';
import type { NamedTensors } from '../../weights/torch-state.js';
import {
  convPreluPool,
  convWeights,
  denseHeads,
  denseOfMap,
  densePrelu,
  foldInput,
  prelu,
  takeBlocks,
} from './mtcnn-parts.js';

/**
 * MTCNN's output network: the final word on each face, its box and five landmarks.
 *
 * `faces` [n, 3, 48, 48], RGB 0 to 255 -> `probability` [n], `regression` [n, 4], as P-Net's, and `landmarks` [n, 10]:
 * x of left eye, right eye, nose, left and right mouth corner, then their y, 0 to 1 of the box.
 * @throws KaomonError SETUP when a tensor is missing or has another shape
 */
export function buildONet(state: NamedTensors): Uint8Array {
  const g = new GraphBuilder('o-net');
  const faces = g.input('faces', ['n', 3, 48, 48]);

  const slopes = (layer: number, channels: number) => state.values(`prelu${layer}.weight`, channels);
  const wide = { size: 3, stride: 2, ceil: true };
  let x = convPreluPool(g, faces, foldInput(convWeights(state, 'conv1', 32, 3, 3)), slopes(1, 32), wide);
  x = convPreluPool(g, x, takeBlocks(convWeights(state, 'conv2', 64, 32, 3)), slopes(2, 64), wide);
  const half = { size: 2, stride: 2, ceil: true };
  x = convPreluPool(g, x, takeBlocks(convWeights(state, 'conv3', 64, 64, 3)), slopes(3, 64), half);
  const fourth = takeBlocks(convWeights(state, 'conv4', 128, 64, 2));
  x = prelu(g, g.conv(x, fourth.weight, fourth), slopes(4, 128));

  const dense = denseOfMap(state, 'dense5', { out: 256, channels: 128, side: 3 });
  x = densePrelu(g, g.dense(g.flatten(x), dense, state.values('dense5.bias', 256)), slopes(5, 256));
  const [probability, regression, landmarks] = denseHeads(g, state, x, 256, 'dense6_1', [
    { name: 'dense6_2', out: 4 },
    { name: 'dense6_3', out: 10 },
  ]);
  g.output(probability, 'probability', ['n']);
  g.output(regression, 'regression', ['n', 4]);
  g.output(landmarks, 'landmarks', ['n', 10]);
  return g.encode();
}
