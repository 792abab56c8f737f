import { GraphBuilder, type Value } from '../graph.js';
import type { TfjsWeights } from '../../weights/tfjs-weights.js';
import { normaliseFace, plainConv, separableConv } from './face-api-parts.js';

/**
 * face-api's age and gender network: a small Xception.
 *
 * `faces` [n, 3, 112, 112], RGB 0 to 255, the face centred in a square of black -> `age` [n], years, and `female` [n],
 * a probability.
 */
export function buildAgeGender(weights: TfjsWeights): Uint8Array {
  const g = new GraphBuilder('age-gender');
  const faces = g.input('faces', ['n', 3, 112, 112]);

  const reduction = (x: Value, name: string, activate: boolean): Value => {
    let out = separableConv(g, weights, activate ? g.relu(x) : x, `${name}/separable_conv0`);
    out = separableConv(g, weights, g.relu(out), `${name}/separable_conv1`);
    out = g.maxPool(out, { size: 3, stride: 2, padding: 'same' });
    return g.add(out, plainConv(g, weights, x, `${name}/expansion_conv`, 2));
  };
  const main = (x: Value, name: string): Value => {
    let out = x;
    for (let i = 0; i < 3; i++) out = separableConv(g, weights, g.relu(out), `${name}/separable_conv${i}`);
    return g.add(out, x);
  };

  let x = g.relu(plainConv(g, weights, normaliseFace(g, faces), 'entry_flow/conv_in', 2));
  x = reduction(x, 'entry_flow/reduction_block_0', false);
  x = reduction(x, 'entry_flow/reduction_block_1', true);
  x = main(x, 'middle_flow/main_block_0');
  x = main(x, 'middle_flow/main_block_1');
  x = reduction(x, 'exit_flow/reduction_block', true);
  x = g.relu(separableConv(g, weights, x, 'exit_flow/separable_conv'));
  x = g.flatten(g.averagePool(x, { size: 7, stride: 2 }));

  const age = g.dense(x, weights.tensor('fc/age/weights', [512, 1]), weights.values('fc/age/bias'));
  const gender = g.softmax(
    g.dense(x, weights.tensor('fc/gender/weights', [512, 2]), weights.values('fc/gender/bias')),
    1,
  );
  g.output(g.reshape(age, [-1]), 'age', ['n']);
  g.output(g.reshape(g.slice(gender, 1, 1, 2), [-1]), 'female', ['n']);
  return g.encode();
}
