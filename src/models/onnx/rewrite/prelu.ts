import {
  ATTRIBUTE_TYPE,
  type AttributeMessage,
  floatsOf,
  type GraphMessage,
  type NodeMessage,
  type TensorMessage,
} from '../schema.js';
import { constantsOf, floatTensor } from './parts.js';

/**
 * Replaces each PReLU after a convolution by two depthwise convolutions, a ReLU and an addition: ONNX Runtime has no
 * PReLU for its blocked layout, and converting the numbers there and back costs more than all of these
 * (docs/models.md).
 *
 * Why it is exact: PReLU of slope a is a x + (1 - a) relu(x). Below zero the second part is zero. From zero on it is a
 * x + (1 - a) x = x, but for the rounding of the two products and their sum: at most (|a| + |1 - a|) * 1.2e-7 of x.
 */
export function withPreluAsConvolutions(graph: GraphMessage): GraphMessage {
  const constants = constantsOf(graph);
  const convolutions = new Map(
    graph.node.filter(({ opType }) => opType === 'Conv').map((conv) => [conv.output[0], conv]),
  );
  const made: TensorMessage[] = [];
  const node = graph.node.flatMap((each): NodeMessage[] => {
    if (each.opType !== 'PRelu') return [each];
    const [x, slopeName] = each.input;
    const slope = constants.get(slopeName);
    const channels = constants.get(convolutions.get(x)?.input[1] ?? '')?.dims[0];
    if (!slope || channels === undefined) return [each];
    const given = floatsOf(slope);
    if (given.length !== channels && given.length !== 1) return [each];
    const slopes = Float32Array.from({ length: channels }, (_, i) => given[i % given.length]);
    const [y] = each.output;
    const constant = (name: string, numbers: Float32Array) => {
      made.push(floatTensor(name, [channels, 1, 1, 1], numbers));
      return name;
    };
    const attribute = [integer('group', channels), integers('kernel_shape', [1, 1])];
    const scaled = (value: string, by: string, to: string): NodeMessage => {
      return { opType: 'Conv', name: to, input: [value, by], output: [to], attribute };
    };
    return [
      { opType: 'Relu', name: `${y}_relu`, input: [x], output: [`${y}_relu`], attribute: [] },
      scaled(x, constant(`${y}_slope`, slopes), `${y}_straight`),
      scaled(
        `${y}_relu`,
        constant(
          `${y}_rest`,
          slopes.map((value) => 1 - value),
        ),
        `${y}_bent`,
      ),
      { opType: 'Add', name: each.name, input: [`${y}_straight`, `${y}_bent`], output: [y], attribute: [] },
    ];
  });
  const used = new Set(node.flatMap(({ input }) => input));
  const kept = graph.initializer.filter(({ name }) => used.has(name));
  return { ...graph, node, initializer: [...kept, ...made] };
}

const integer = (name: string, i: number): AttributeMessage => ({ name, type: ATTRIBUTE_TYPE.int, i });
const integers = (name: string, ints: number[]): AttributeMessage => ({
  name,
  type: ATTRIBUTE_TYPE.ints,
  ints,
});
