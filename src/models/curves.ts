import type { Curve } from './types.js';

/** Of `mtcnn+fr`; see {@link Curve}. */
export const FR_FEATURE_CURVE: Curve = {
  pairs: 1_675_365,
  source: 'Labeled Faces in the Wild: 916 people and 915 strangers, a first picture of each enrolled',
  points: [
    [0.864, 1e-6],
    [1.053, 1e-5],
    [1.184, 1e-4],
    [1.331, 1e-3],
    [1.511, 1e-2],
  ],
};
