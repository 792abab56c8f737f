import { GraphBuilder, type Value } from '../graph.js';
import type { TfjsWeights } from '../../weights/tfjs-weights.js';
import { normaliseFace, plainConv, separableConv } from './face-api-parts.js';

/**
 * face-api's 68-point landmark network: four densely joined blocks of separable convolutions.
 *
 * `faces` [n, 3, 112, 112], RGB 0 to 255, the face centred in a square of black -> `landmarks` [n, 136]: x and y of 68
 * points in the iBUG order, 0 to 1 of the square (a little outside is possible).
 */
export function buildLandmarks68(weights: TfjsWeights): Uint8Array {
  const g = new GraphBuilder('landmarks-68');
  const faces = g.input('faces', ['n', 3, 112, 112]);

  const block = (x: Value, name: string, first: boolean): Value => {
    const one = g.relu(
      first ? plainConv(g, weights, x, `${name}/conv0`, 2) : separableConv(g, weights, x, `${name}/conv0`, 2),
    );
    const two = separableConv(g, weights, one, `${name}/conv1`);
    const three = separableConv(g, weights, g.relu(g.add(one, two)), `${name}/conv2`);
    const four = separableConv(g, weights, g.relu(g.add(one, g.add(two, three))), `${name}/conv3`);
    return g.relu(g.add(one, g.add(two, g.add(three, four))));
  };

  let x = normaliseFace(g, faces);
  for (const [i, name] of ['dense0', 'dense1', 'dense2', 'dense3'].entries()) x = block(x, name, i === 0);
  x = g.flatten(g.averagePool(x, { size: 7, stride: 2 }));
  g.output(g.dense(x, weights.tensor('fc/weights', [256, 136]), weights.values('fc/bias')), 'landmarks', [
    'n',
    136,
  ]);
  return g.encode();
}
