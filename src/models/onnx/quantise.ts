import {
  ATTRIBUTE_TYPE,
  ELEMENT_TYPE,
  floatsOf,
  type GraphMessage,
  type NodeMessage,
  type TensorMessage,
} from './schema.js';

/** The smallest and the largest value that each value of a graph took on real inputs, zero among them. */
export type Ranges = ReadonlyMap<string, readonly [low: number, high: number]>;

/** Operators whose inputs and output are kept as bytes between two convolutions. */
const CARRIES_BYTES = new Set(['Add', 'AveragePool', 'Concat', 'MaxPool', 'Pad']);
/**
 * The bits of a weight, of the 8 that it has: without VNNI a processor adds two products of a byte and a weight in 16 bits, which two
 * of 255 * 127 do not fit, and cuts the sum to 32,767 (ONNX Runtime's documentation on quantisation, "reduce_range").
 */
export const WEIGHT_BITS = 7;
const LARGEST_WEIGHT = 2 ** (WEIGHT_BITS - 1);
const LARGEST_UINT8 = 255;
const LARGEST_INT32 = 2 ** 31 - 1;
/** For a tensor that was always zero. */
const SMALLEST_SCALE = 1e-8;

/** The graph with every node's output as an output of its own, to measure {@link Ranges}. Shares its parts. */
export function withAllOutputs(graph: GraphMessage): GraphMessage {
  const known = new Set(graph.output.map(({ name }) => name));
  const more = graph.node.flatMap(({ output }) => output).filter((name) => !known.has(name));
  const type = { tensorType: { elemType: ELEMENT_TYPE.float32 } };
  return { ...graph, output: [...graph.output, ...more.map((name) => ({ name, type }))] };
}

/**
 * Quantises a graph's convolutions to 8 bits, in the QDQ form of ONNX Runtime's documentation: weights as int8 with a
 * scale per output channel, activations as uint8 with a scale and a zero point per tensor. ONNX Runtime fuses the pairs
 * of QuantizeLinear and DequantizeLinear with the operator between them. All other operators stay as they are.
 * @param ranges of every value that a convolution or one of {@link CARRIES_BYTES} reads
 * @returns a new graph; unchanged parts are shared with the given one
 * @throws Error when a range is missing
 */
export function quantise(graph: GraphMessage, ranges: Ranges): GraphMessage {
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  const maker = new Map(graph.node.flatMap((node) => node.output.map((name) => [name, node] as const)));
  const node: NodeMessage[] = [];
  const initializer: TensorMessage[] = [];
  const asBytes = new Map<string, string>();

  function constant(name: string, dims: number[], dataType: number, numbers: Numbers): string {
    const rawData = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
    initializer.push({ name, dims, dataType, rawData });
    return name;
  }

  function rangeOf(value: string): { scale: number; zero: number } {
    const range = ranges.get(value);
    if (!range) throw new Error(`The range of ${value} was not measured.`);
    const [low, high] = range;
    const scale = Math.max((high - low) / LARGEST_UINT8, SMALLEST_SCALE);
    return { scale, zero: Math.round(-low / scale) };
  }

  /** The value, quantised to bytes and back. */
  function throughBytes(value: string): string {
    const made = asBytes.get(value);
    if (made !== undefined) return made;
    const { scale, zero } = rangeOf(value);
    const how = [
      constant(`${value}_scale`, [], ELEMENT_TYPE.float32, Float32Array.of(scale)),
      constant(`${value}_zero`, [], ELEMENT_TYPE.uint8, Uint8Array.of(zero)),
    ];
    const [bytes, back] = [`${value}_bytes`, `${value}_back`];
    node.push(
      plainNode('QuantizeLinear', [value, ...how], bytes),
      plainNode('DequantizeLinear', [bytes, ...how], back),
    );
    asBytes.set(value, back);
    return back;
  }

  function perChannel(
    name: string,
    { dims }: TensorMessage,
    dataType: number,
    numbers: Numbers,
    scales: Float32Array,
  ) {
    const zeros =
      dataType === ELEMENT_TYPE.int8 ? new Int8Array(scales.length) : new Int32Array(scales.length);
    const inputs = [
      constant(`${name}_whole`, dims, dataType, numbers),
      constant(`${name}_scale`, [scales.length], ELEMENT_TYPE.float32, scales),
      constant(`${name}_zero`, [scales.length], dataType, zeros),
    ];
    const axis = { name: 'axis', type: ATTRIBUTE_TYPE.int, i: 0 };
    node.push({ ...plainNode('DequantizeLinear', inputs, `${name}_back`), attribute: [axis] });
    return `${name}_back`;
  }

  function convolution(conv: NodeMessage): NodeMessage {
    const [x, weightName, biasName] = conv.input;
    const weight = constants.get(weightName);
    if (!weight) throw new Error(`The weights of ${conv.name} are not constant.`);
    const { whole, scales } = wholeWeights(weight);
    const input = [throughBytes(x), perChannel(weightName, weight, ELEMENT_TYPE.int8, whole, scales)];
    const bias = constants.get(biasName);
    if (bias) {
      // The bias is added to products of both, so its scale is the product of theirs.
      const biasScales = scales.map((scale) => scale * rangeOf(x).scale);
      const numbers = Int32Array.from(floatsOf(bias), (value, i) =>
        Math.max(-LARGEST_INT32, Math.min(LARGEST_INT32, Math.round(value / biasScales[i]))),
      );
      input.push(perChannel(biasName, bias, ELEMENT_TYPE.int32, numbers, biasScales));
    }
    return { ...conv, input };
  }

  for (const each of graph.node) {
    if (each.opType === 'Conv') node.push(convolution(each));
    else if (CARRIES_BYTES.has(each.opType)) {
      const input = each.input.map((name) => (maker.has(name) ? throughBytes(name) : name));
      node.push({ ...each, input });
    } else node.push(each);
  }
  const used = new Set(node.flatMap(({ input }) => input));
  const kept = graph.initializer.filter(({ name }) => used.has(name));
  return { ...graph, node, initializer: [...kept, ...initializer] };
}

/**
 * Whether quantising helps a network. It does not where most convolutions are depthwise: they have few products to save
 * on, and the network gets slower and its embeddings far less alike (docs/models.md).
 */
export function suitsWholeNumbers(graph: GraphMessage): boolean {
  const convolutions = graph.node.filter(({ opType }) => opType === 'Conv');
  const channelwise = convolutions.filter(({ attribute }) =>
    attribute.some(({ name, i = 1 }) => name === 'group' && i > 1),
  );
  return channelwise.length * 2 < convolutions.length;
}

type Numbers = Float32Array | Int32Array | Int8Array | Uint8Array;

const plainNode = (opType: string, input: string[], output: string): NodeMessage => {
  const name = `${output}_${opType}`;
  return { opType, name, input, output: [output], attribute: [] };
};

/** Each output channel's largest weight becomes {@link LARGEST_WEIGHT}. */
function wholeWeights(weight: TensorMessage): { whole: Int8Array; scales: Float32Array } {
  const values = floatsOf(weight);
  const [channels] = weight.dims;
  const length = values.length / channels;
  const whole = new Int8Array(values.length);
  const scales = new Float32Array(channels);
  for (let channel = 0; channel < channels; channel++) {
    const [start, end] = [channel * length, (channel + 1) * length];
    let largest = 0;
    for (let i = start; i < end; i++) largest = Math.max(largest, Math.abs(values[i]));
    const scale = Math.max(largest / LARGEST_WEIGHT, SMALLEST_SCALE);
    scales[channel] = scale;
    for (let i = start; i < end; i++) whole[i] = Math.round(values[i] / scale);
  }
  return { whole, scales };
}
