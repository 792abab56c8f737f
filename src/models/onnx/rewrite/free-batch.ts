import {
  ATTRIBUTE_TYPE,
  ELEMENT_TYPE,
  type GraphMessage,
  type NodeMessage,
  type TensorMessage,
  type ValueMessage,
} from '../schema.js';
import { constantsOf } from './parts.js';

/** Operators that work on each row of the first axis by itself. */
const ROW_BY_ROW = new Set(['Conv', 'Relu', 'PRelu', 'Add', 'Identity']);

/**
 * Makes the first axis of a graph's inputs and outputs free, where it was fixed to one.
 *
 * Why it is exact: convolutions, activations and the addition of two values of the graph treat each row as if it were
 * alone. Only a Reshape to [1, -1] fixes the number of rows; Flatten does the same for any number.
 * @throws Error naming the node for which none of this holds
 */
export function withFreeBatch(graph: GraphMessage): GraphMessage {
  const constants = constantsOf(graph);
  const node = graph.node.map((each): NodeMessage => {
    if (each.opType === 'Reshape' && isOneRow(constants.get(each.input[1]))) {
      const axis = { name: 'axis', type: ATTRIBUTE_TYPE.int, i: 1 };
      return { ...each, opType: 'Flatten', input: [each.input[0]], attribute: [axis] };
    }
    const rows = each.opType === 'Add' ? each.input : each.input.slice(0, 1);
    if (!ROW_BY_ROW.has(each.opType) || rows.some((name) => constants.has(name))) {
      throw new Error(`${each.opType} ${each.name} is not known to take any number of rows`);
    }
    return each;
  });
  const used = new Set(node.flatMap(({ input }) => input));
  return {
    ...graph,
    node,
    initializer: graph.initializer.filter(({ name }) => used.has(name)),
    input: graph.input.map(freed),
    output: graph.output.map(freed),
  };
}

/** Whether a Reshape's shape is [1, -1]. */
function isOneRow(shape: TensorMessage | undefined): boolean {
  if (shape?.dataType !== ELEMENT_TYPE.int64 || shape.rawData.length !== 16) return false;
  const { buffer, byteOffset } = shape.rawData;
  const numbers = new DataView(buffer, byteOffset, 16);
  return numbers.getBigInt64(0, true) === 1n && numbers.getBigInt64(8, true) === -1n;
}

function freed({ name, type: { tensorType } }: ValueMessage): ValueMessage {
  const [, ...rest] = tensorType.shape?.dim ?? [];
  return { name, type: { tensorType: { ...tensorType, shape: { dim: [{ dimParam: 'n' }, ...rest] } } } };
}
