import type { Curve } from '../../src/models/types.js';

/** As it was measured of an embedder with five landmarks: 1,675,365 impostor pairs of Labeled Faces in the Wild. */
export const MEASURED_CURVE: Curve = {
  pairs: 1_675_365,
  source: 'Labeled Faces in the Wild',
  points: [
    [0.864, 1e-6],
    [1.053, 1e-5],
    [1.184, 1e-4],
    [1.331, 1e-3],
    [1.511, 1e-2],
  ],
};

/** Easy to reckon with: every 0.1 of distance is a decade, FMR 1e-4 at 0.5; a thousand million pairs. */
export const PLAIN_CURVE: Curve = {
  pairs: 1_000_000_000,
  source: 'made',
  points: [
    [0.3, 1e-6],
    [0.5, 1e-4],
    [0.7, 1e-2],
  ],
};
