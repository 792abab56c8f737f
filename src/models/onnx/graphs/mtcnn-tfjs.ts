import { checkShape, type Tensor } from '../../weights/tensor.js';
import type { TfjsWeights } from '../../weights/tfjs-weights.js';
import type { NamedTensors } from '../../weights/torch-state.js';

/** Dense layers as facenet-pytorch calls them, by their names in face-api's manifest. */
const DENSE: Readonly<Record<'pnet' | 'rnet' | 'onet', Readonly<Record<string, string>>>> = {
  pnet: {},
  rnet: { dense4: 'fc1', dense5_1: 'fc2_1', dense5_2: 'fc2_2' },
  onet: { dense5: 'fc1', dense6_1: 'fc2_1', dense6_2: 'fc2_2', dense6_3: 'fc2_3' },
};

/**
 * One of MTCNN's networks from face-api's weights, under the names and in the layout of facenet-pytorch's state dict:
 * the same numbers in another order, so that both give the same networks. A convolution is stored there as [x, y, in,
 * out] (its first implementation saw pictures by columns) and here as [out, in, y, x]; a dense layer as [in, out] and
 * as [out, in], with a map flattened by (x, y, channel) in both.
 * @throws KaomonError SETUP from `tensor` and `values`, when there is no such tensor or its shape is another
 */
export function mtcnnOfTfjs(weights: TfjsWeights, net: 'pnet' | 'rnet' | 'onet'): NamedTensors {
  function find(name: string): Tensor {
    const [layer, part] = name.split('.');
    const theirs = `${net}/${DENSE[net][layer] ?? layer}`;
    if (layer.startsWith('prelu')) return weights.tensor(`${theirs}_alpha`);
    if (part === 'bias') return weights.tensor(`${theirs}/bias`);
    return turned(weights.tensor(`${theirs}/weights`));
  }
  const tensor = (name: string, shape?: readonly number[]): Tensor => {
    const found = find(name);
    checkShape(net, name, found, shape);
    return found;
  };
  return { tensor, values: (name, length) => tensor(name, [length]).data };
}

/** The same tensor with its axes in the opposite order. */
function turned({ shape, data }: Tensor): Tensor {
  const out = new Float32Array(data.length);
  for (let from = 0; from < data.length; from++) {
    let rest = from;
    let to = 0;
    // From the last axis, the first of the new order, on.
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      to = to * shape[axis] + (rest % shape[axis]);
      rest = Math.floor(rest / shape[axis]);
    }
    out[to] = data[from];
  }
  return { shape: [...shape].reverse(), data: out };
}
