import { GraphBuilder } from '../graph.js';
import type { NamedTensors } from '../../weights/torch-state.js';
import { convPreluPool, convWeights, foldInput, prelu, takeBlocks } from './mtcnn-parts.js';

/**
 * MTCNN's proposal network (Zhang et al. 2016): looks at every window of 12 pixels, two pixels apart.
 *
 * `image` [1, 3, h, w], RGB 0 to 255, 12 pixels or more each way -> `probability` [1, 1, h', w'] of a face in the
 * window, and `regression` [1, 4, h', w']: how far its left, top, right and bottom lie from the window's, as a share
 * of the window. h' = ceil((h - 2) / 2) - 4.
 * @throws KaomonError SETUP when a tensor is missing or has another shape
 */
export function buildPNet(state: NamedTensors): Uint8Array {
  const g = new GraphBuilder('p-net');
  const image = g.input('image', [1, 3, 'height', 'width']);

  const first = foldInput(convWeights(state, 'conv1', 10, 3, 3));
  let x = convPreluPool(g, image, first, state.values('prelu1.weight', 10), {
    size: 2,
    stride: 2,
    ceil: true,
  });
  const second = takeBlocks(convWeights(state, 'conv2', 16, 10, 3));
  x = prelu(g, g.conv(x, second.weight, second), state.values('prelu2.weight', 16));
  const third = convWeights(state, 'conv3', 32, 16, 3);
  x = g.conv(x, third.weight, third);

  // Both heads as one 1x1 convolution, with prelu3 in its weights: H prelu(x) = (H a) x + (H (1 - a)) relu(x).
  const { weight, bias } = joinHeads(state);
  const slopes = state.values('prelu3.weight', 32);
  const scaled = (scale: (slope: number) => number) => ({
    shape: weight.shape,
    data: weight.data.map((value, i) => value * scale(slopes[i % 32])),
  });
  const straight = g.conv(
    x,
    scaled((slope) => slope),
    { bias },
  );
  const heads = g.add(
    g.conv(
      g.relu(x),
      scaled((slope) => 1 - slope),
    ),
    straight,
  );
  g.output(g.sigmoid(g.slice(heads, 1, 0, 1)), 'probability', [1, 1, 'rows', 'columns']);
  g.output(g.slice(heads, 1, 1, 5), 'regression', [1, 4, 'rows', 'columns']);
  return g.encode();
}

/** Row 0: face minus no face, whose sigmoid is the softmax of the two; rows 1 to 4: the regression. */
function joinHeads(state: NamedTensors) {
  const classes = convWeights(state, 'conv4_1', 2, 32, 1);
  const regression = convWeights(state, 'conv4_2', 4, 32, 1);
  const data = new Float32Array(5 * 32);
  for (let i = 0; i < 32; i++) data[i] = classes.weight.data[32 + i] - classes.weight.data[i];
  data.set(regression.weight.data, 32);
  const bias = Float32Array.of(classes.bias[1] - classes.bias[0], ...regression.bias);
  return { weight: { shape: [5, 32, 1, 1], data }, bias };
}
