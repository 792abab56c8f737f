import { KaomonError } from '../../platform/errors.js';
import type { Tensor } from '../weights/tensor.js';

/** The parameters of a batch normalisation at inference; one number per channel each. */
export interface BatchNorm {
  gamma: Float32Array;
  beta: Float32Array;
  mean: Float32Array;
  variance: Float32Array;
  epsilon: number;
}

/**
 * Folds a convolution and the batch normalisation after it into one convolution: y = gamma * (w x + b - mean) /
 * sqrt(variance + epsilon) + beta.
 * @param weight [out, ...]; a new array is returned, this one stays as it is
 * @throws KaomonError SETUP when a part does not have one number per channel
 */
export function foldBatchNorm(
  weight: Tensor,
  norm: BatchNorm,
  bias?: Float32Array,
): { weight: Tensor; bias: Float32Array } {
  const [out] = weight.shape;
  const { gamma, beta, mean, variance } = norm;
  for (const [part, numbers] of Object.entries({ gamma, beta, mean, variance, bias })) {
    if (numbers && numbers.length !== out) {
      throw new KaomonError(
        'SETUP',
        `A batch norm's ${part} has ${numbers.length} numbers for ${out} channels.`,
      );
    }
  }
  const perChannel = weight.data.length / out;
  const data = new Float32Array(weight.data.length);
  const folded = new Float32Array(out);
  for (let channel = 0; channel < out; channel++) {
    const scale = gamma[channel] / Math.sqrt(variance[channel] + norm.epsilon);
    const start = channel * perChannel;
    for (let i = start; i < start + perChannel; i++) data[i] = weight.data[i] * scale;
    folded[channel] = ((bias?.[channel] ?? 0) - mean[channel]) * scale + beta[channel];
  }
  return { weight: { shape: weight.shape, data }, bias: folded };
}
