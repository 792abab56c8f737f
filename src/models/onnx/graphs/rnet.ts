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
 * MTCNN's refinement network: keeps the proposals that are faces and corrects their boxes.
 *
 * `faces` [n, 3, 24, 24], RGB 0 to 255 -> `probability` [n] and `regression` [n, 4], as P-Net's.
 * @throws KaomonError SETUP when a tensor is missing or has another shape
 */
export function buildRNet(state: NamedTensors): Uint8Array {
  const g = new GraphBuilder('r-net');
  const faces = g.input('faces', ['n', 3, 24, 24]);
  const pool = { size: 3, stride: 2, ceil: true };

  const first = foldInput(convWeights(state, 'conv1', 28, 3, 3));
  let x = convPreluPool(g, faces, first, state.values('prelu1.weight', 28), pool);
  x = convPreluPool(
    g,
    x,
    takeBlocks(convWeights(state, 'conv2', 48, 28, 3)),
    state.values('prelu2.weight', 48),
    pool,
  );
  const third = takeBlocks(convWeights(state, 'conv3', 64, 48, 2));
  x = prelu(g, g.conv(x, third.weight, third), state.values('prelu3.weight', 64));

  const dense = denseOfMap(state, 'dense4', { out: 128, channels: 64, side: 3 });
  x = densePrelu(
    g,
    g.dense(g.flatten(x), dense, state.values('dense4.bias', 128)),
    state.values('prelu4.weight', 128),
  );
  const [probability, regression] = denseHeads(g, state, x, 128, 'dense5_1', [{ name: 'dense5_2', out: 4 }]);
  g.output(probability, 'probability', ['n']);
  g.output(regression, 'regression', ['n', 4]);
  return g.encode();
}
