import { foldBatchNorm } from '../batch-norm.js';
import { GraphBuilder, type Value } from '../graph.js';
import type { TfjsWeights } from '../../weights/tfjs-weights.js';

/** Side of the square input, pixels. */
const SIDE = 512;
/** Anchors over the six feature maps: 32² x 3, then (16² + 8² + 4² + 2² + 1²) x 6. */
const ANCHORS = 5118;
/** The layers of MobileNet that halve the map; the first convolution does too. */
const STRIDED = new Set([2, 4, 6, 12]);
const EPSILON = 0.0010000000474974513;

/**
 * SSD MobileNet v1 as face-api trained it (WIDER FACE).
 *
 * `image` [1, 3, 512, 512], RGB 0 to 255 -> `boxes` [5118, 4] as (top, left, bottom, right), 0 to 1 of the input, not
 * clipped; `scores` [5118], 0 to 1. The caller suppresses overlapping boxes.
 */
export function buildSsdMobilenet(weights: TfjsWeights): Uint8Array {
  const g = new GraphBuilder('ssd-mobilenet-v1');
  const image = g.input('image', [1, 3, SIDE, SIDE]);

  const convolution = (x: Value, name: string, stride = 1): Value => {
    const weight = weights.convWeight(`${name}/weights`);
    const bias = weights.values(`${name}/convolution_bn_offset`);
    return g.clip(g.conv(x, weight, { bias, stride, padding: 'same' }), 0, 6);
  };
  const depthwise = (x: Value, name: string, stride: number): Value => {
    const raw = weights.depthwiseWeight(`${name}/depthwise_weights`);
    const { weight, bias } = foldBatchNorm(raw, {
      gamma: weights.values(`${name}/BatchNorm/gamma`),
      beta: weights.values(`${name}/BatchNorm/beta`),
      mean: weights.values(`${name}/BatchNorm/moving_mean`),
      variance: weights.values(`${name}/BatchNorm/moving_variance`),
      epsilon: EPSILON,
    });
    return g.clip(g.conv(x, weight, { bias, stride, padding: 'same', groups: weight.shape[0] }), 0, 6);
  };

  let x = g.sub(g.mul(image, g.scalar(1 / 127.5)), g.scalar(1));
  x = convolution(x, 'MobilenetV1/Conv2d_0_pointwise', 2);
  let eleventh = x;
  for (let layer = 1; layer <= 13; layer++) {
    x = depthwise(x, `MobilenetV1/Conv2d_${layer}_depthwise`, STRIDED.has(layer) ? 2 : 1);
    x = convolution(x, `MobilenetV1/Conv2d_${layer}_pointwise`);
    if (layer === 11) eleventh = x;
  }

  // Four more maps, each half the size of the one before.
  const maps = [eleventh, x];
  for (let layer = 0; layer < 8; layer += 2) {
    x = convolution(x, `Prediction/Conv2d_${layer}_pointwise`);
    x = convolution(x, `Prediction/Conv2d_${layer + 1}_pointwise`, 2);
    maps.push(x);
  }

  /** One predictor's numbers, `width` per anchor, in the order of the anchors. */
  const predict = (map: Value, name: string, width: number): Value => {
    const weight = weights.convWeight(`${name}/weights`);
    const raw = g.conv(map, weight, { bias: weights.values(`${name}/biases`) });
    return g.reshape(g.transpose(raw, [0, 2, 3, 1]), [-1, width]);
  };
  const encodings = g.concat(
    maps.map((map, i) => predict(map, `Prediction/BoxPredictor_${i}/BoxEncodingPredictor`, 4)),
    0,
  );
  const classes = g.concat(
    maps.map((map, i) => predict(map, `Prediction/BoxPredictor_${i}/ClassPredictor`, 3)),
    0,
  );

  // Boxes are offsets from the anchors: the centre in tenths of the anchor's size, the size as a fifth of its logarithm.
  const { centres, sizes } = anchors(weights);
  const anchorSizes = g.constant([ANCHORS, 2], sizes);
  const centre = g.add(
    g.mul(g.mul(g.slice(encodings, 1, 0, 2), g.scalar(1 / 10)), anchorSizes),
    g.constant([ANCHORS, 2], centres),
  );
  const half = g.mul(
    g.mul(g.exp(g.mul(g.slice(encodings, 1, 2, 4), g.scalar(1 / 5))), anchorSizes),
    g.scalar(0.5),
  );
  const boxes = g.concat([g.sub(centre, half), g.add(centre, half)], 1);

  // Class 0 is the background, 1 a face; 2 was never trained.
  const scores = g.reshape(g.sigmoid(g.slice(classes, 1, 1, 2)), [-1]);
  g.output(boxes, 'boxes', [ANCHORS, 4]);
  g.output(scores, 'scores', [ANCHORS]);
  return g.encode();
}

/** Centres (y, x) and sizes (height, width) of the stored anchors (top, left, bottom, right). */
function anchors(weights: TfjsWeights): { centres: Float32Array; sizes: Float32Array } {
  const { data } = weights.tensor('Output/extra_dim', [1, ANCHORS, 4]);
  const centres = new Float32Array(ANCHORS * 2);
  const sizes = new Float32Array(ANCHORS * 2);
  for (let i = 0; i < ANCHORS; i++) {
    for (let axis = 0; axis < 2; axis++) {
      const low = data[i * 4 + axis];
      const size = data[i * 4 + 2 + axis] - low;
      sizes[i * 2 + axis] = size;
      centres[i * 2 + axis] = low + size / 2;
    }
  }
  return { centres, sizes };
}
