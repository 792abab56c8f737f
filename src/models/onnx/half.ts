import { ATTRIBUTE_TYPE, ELEMENT_TYPE, floatsOf, type GraphMessage, type NodeMessage } from './schema.js';

/** What is done in 32 bits on: sums of squares are beyond 16. */
const STAYS_FLOAT = new Set(['LpNormalization', 'Identity']);

/**
 * The graph in numbers of 16 bits, for a GPU: half the memory, and several times as fast where the card has units for
 * it. Inputs and outputs stay float32. Values must lie within 65,504, which those of our networks do.
 * @returns a graph of its own; what it has in common with the given one is shared
 */
export function toHalf(graph: GraphMessage): GraphMessage {
  const node: NodeMessage[] = [];
  /** Values that are float32, and what they are called as the other type once somebody wanted it. */
  const floats = new Set(graph.input.map(({ name }) => name));
  const casts = new Map<string, string>();
  const constants = new Set(graph.initializer.map(({ name }) => name));

  function cast(value: string, to: 'float16' | 'float32'): string {
    const known = casts.get(value);
    if (known !== undefined) return known;
    const name = `${value}_${to}`;
    const attribute = [{ name: 'to', type: ATTRIBUTE_TYPE.int, i: ELEMENT_TYPE[to] }];
    node.push({ opType: 'Cast', name, input: [value], output: [name], attribute });
    casts.set(value, name);
    return name;
  }

  for (const each of graph.node) {
    const inFloat = STAYS_FLOAT.has(each.opType);
    const input = each.input.map((name) => {
      if (constants.has(name) || floats.has(name) === inFloat) return name;
      return cast(name, inFloat ? 'float32' : 'float16');
    });
    node.push({ ...each, input });
    if (inFloat) for (const name of each.output) floats.add(name);
  }
  const initializer = graph.initializer.map((tensor) => {
    if (tensor.dataType !== ELEMENT_TYPE.float32) return tensor;
    const halves = Uint16Array.from(floatsOf(tensor), numberToHalf);
    return { ...tensor, dataType: ELEMENT_TYPE.float16, rawData: new Uint8Array(halves.buffer) };
  });
  return { ...graph, node, initializer };
}

const word = new DataView(new ArrayBuffer(4));

/** IEEE 754 binary16 of a number, rounded to the nearest, to even in between. */
export function numberToHalf(value: number): number {
  word.setFloat32(0, value);
  const bits = word.getUint32(0);
  const sign = (bits >>> 16) & 0x8000;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const fraction = bits & 0x7fffff;
  if (exponent >= 31) return sign | 0x7c00 | (exponent === 143 && fraction !== 0 ? 0x200 : 0);
  // Below the smallest normal one: the leading one is written out and everything moved to the right.
  const shift = exponent <= 0 ? 14 - exponent : 13;
  if (shift > 24) return sign;
  const whole = exponent <= 0 ? fraction | 0x800000 : (exponent << 23) | fraction;
  const half = 2 ** (shift - 1);
  const rest = whole & (2 ** shift - 1);
  const cut = whole >>> shift;
  // A carry out of the fraction is the next exponent, and out of the largest one infinity.
  return sign | (cut + (rest > half || (rest === half && cut % 2 === 1) ? 1 : 0));
}
