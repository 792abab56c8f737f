import type { GraphBuilder, Value } from '../graph.js';
import type { TfjsWeights } from '../../weights/tfjs-weights.js';

/** Mean RGB of VGG's training pictures, which face-api's landmark, recognition and age networks subtract. */
const MEAN_RGB = [122.782, 117.001, 104.298];

/** (x - mean) / 255 for RGB 0 to 255; not folded into the first convolution, as its zero padding stands for the mean. */
export function normaliseFace(g: GraphBuilder, x: Value): Value {
  const mean = g.constant([3, 1, 1], Float32Array.from(MEAN_RGB));
  return g.mul(g.sub(x, mean), g.scalar(1 / 255));
}

/** Depthwise 3x3 without a bias, then 1x1 with one. */
export function separableConv(
  g: GraphBuilder,
  weights: TfjsWeights,
  x: Value,
  name: string,
  stride = 1,
): Value {
  const depthwise = weights.depthwiseWeight(`${name}/depthwise_filter`);
  const spread = g.conv(x, depthwise, { stride, padding: 'same', groups: depthwise.shape[0] });
  return g.conv(spread, weights.convWeight(`${name}/pointwise_filter`), {
    bias: weights.values(`${name}/bias`),
  });
}

/** A convolution with a bias, padded as TensorFlow's SAME. */
export function plainConv(
  g: GraphBuilder,
  weights: TfjsWeights,
  x: Value,
  name: string,
  stride: number,
): Value {
  const bias = weights.values(`${name}/bias`);
  return g.conv(x, weights.convWeight(`${name}/filters`), { bias, stride, padding: 'same' });
}
