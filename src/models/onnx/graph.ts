import { KaomonError } from '../../platform/errors.js';
import type { Tensor } from '../weights/tensor.js';
import {
  type Attribute,
  describe,
  type Dimension,
  encodeAttribute,
  type Padding,
  paddingAttributes,
  poolAttributes,
  type PoolOptions,
} from './attributes.js';
import { ELEMENT_TYPE, encodeModel, type GraphMessage, type TensorMessage } from './schema.js';

/** The name of a value that flows through the graph: an input, an initializer or a node's output. */
export type Value = string & { readonly brand?: 'onnx value' };

export interface ConvOptions {
  bias?: Float32Array;
  /** Both directions; default 1. */
  stride?: number;
  /** Default `valid`. */
  padding?: Padding;
  /** Default 1; the number of channels for a depthwise convolution. */
  groups?: number;
}

/**
 * Writes an ONNX graph in the order in which data flows. Each method adds one node and returns the value it makes, so a
 * network's file reads like its paper. Layout is NCHW throughout, numbers are float32. Weights that do not fit are
 * refused with the node's name (KaomonError SETUP): they come from files that may be damaged.
 */
export class GraphBuilder {
  readonly #graph: GraphMessage;
  /** Size of axis 1 of the values for which it is known, so that a weight that does not fit is refused here. */
  readonly #channels = new Map<Value, number>();
  #counter = 0;

  constructor(name: string) {
    this.#graph = { name, node: [], initializer: [], input: [], output: [] };
  }

  input(name: string, shape: readonly Dimension[]): Value {
    this.#graph.input.push(describe(name, shape));
    if (typeof shape[1] === 'number') this.#channels.set(name, shape[1]);
    return name;
  }

  /** Declares `value` as an output under `name`. */
  output(value: Value, name: string, shape: readonly Dimension[]): void {
    this.#graph.node.push({ opType: 'Identity', name, input: [value], output: [name], attribute: [] });
    this.#graph.output.push(describe(name, shape));
  }

  /**
   * A constant of the graph.
   * @param data read when the model is encoded, not copied before: leave it unchanged until then
   * @throws KaomonError SETUP when the number of values is not what the shape says
   */
  constant(shape: readonly number[], data: Float32Array | BigInt64Array): Value {
    const name = this.#nextName('constant');
    const count = shape.reduce((product, size) => product * size, 1);
    if (count !== data.length) {
      this.#refuse(name, `the shape [${shape.join(', ')}] takes ${count} values, not ${data.length}`);
    }
    const tensor: TensorMessage = {
      name,
      dims: [...shape],
      dataType: data instanceof Float32Array ? ELEMENT_TYPE.float32 : ELEMENT_TYPE.int64,
      rawData: new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    };
    this.#graph.initializer.push(tensor);
    return name;
  }

  scalar(value: number): Value {
    return this.constant([], Float32Array.of(value));
  }

  /** Constant whole numbers, for shapes, axes and pads. */
  integers(values: readonly number[]): Value {
    return this.constant([values.length], BigInt64Array.from(values, BigInt));
  }

  /** Any operator with one output. */
  node(opType: string, inputs: readonly Value[], attributes: Record<string, Attribute> = {}): Value {
    const name = this.#nextName(opType);
    const attribute = Object.entries(attributes).map(([key, value]) => encodeAttribute(key, value));
    this.#graph.node.push({ opType, name, input: [...inputs], output: [name], attribute });
    const channels = KEEPS_CHANNELS.has(opType) ? this.#channels.get(inputs[0]) : undefined;
    if (channels !== undefined) this.#channels.set(name, channels);
    return name;
  }

  /** 2-D convolution; `weight` is [out, in / groups, height, width]. */
  conv(x: Value, weight: Tensor, options: ConvOptions = {}): Value {
    const [out, perGroup, height, width] = weight.shape;
    const { bias, stride = 1, padding = 'valid', groups = 1 } = options;
    const problem =
      weight.shape.length !== 4
        ? `its weight has ${weight.shape.length} dimensions, not 4`
        : out % groups !== 0
          ? `${out} channels do not split into ${groups} groups`
          : (this.#misfit(x, perGroup * groups) ?? misfitBias(bias, out));
    if (problem !== undefined) this.#refuse(`Conv_${this.#counter + 1}`, problem);
    const inputs = [x, this.constant(weight.shape, weight.data)];
    if (bias) inputs.push(this.constant([out], bias));
    const value = this.node('Conv', inputs, {
      kernel_shape: [height, width],
      strides: [stride, stride],
      group: groups,
      ...paddingAttributes(padding),
    });
    this.#channels.set(value, out);
    return value;
  }

  maxPool(x: Value, options: PoolOptions): Value {
    return this.node('MaxPool', [x], poolAttributes(options));
  }

  averagePool(x: Value, options: PoolOptions): Value {
    return this.node('AveragePool', [x], poolAttributes(options));
  }

  /** Mean over height and width: [n, c, h, w] -> [n, c]. */
  globalAverage(x: Value): Value {
    return this.flatten(this.node('GlobalAveragePool', [x]));
  }

  relu(x: Value): Value {
    return this.node('Relu', [x]);
  }

  /** One slope per channel. */
  prelu(x: Value, slopes: Float32Array): Value {
    const problem = this.#misfit(x, slopes.length);
    if (problem !== undefined) this.#refuse(`PRelu_${this.#counter + 1}`, problem);
    return this.node('PRelu', [x, this.constant([slopes.length, 1, 1], slopes)]);
  }

  clip(x: Value, low: number, high: number): Value {
    return this.node('Clip', [x, this.scalar(low), this.scalar(high)]);
  }

  sigmoid(x: Value): Value {
    return this.node('Sigmoid', [x]);
  }

  softmax(x: Value, axis: number): Value {
    return this.node('Softmax', [x], { axis });
  }

  exp(x: Value): Value {
    return this.node('Exp', [x]);
  }

  add(a: Value, b: Value): Value {
    return this.node('Add', [a, b]);
  }

  sub(a: Value, b: Value): Value {
    return this.node('Sub', [a, b]);
  }

  mul(a: Value, b: Value): Value {
    return this.node('Mul', [a, b]);
  }

  concat(values: readonly Value[], axis: number): Value {
    return this.node('Concat', values, { axis });
  }

  /** Elements from `start` to before `end` along an axis; axis 1 has the channels. */
  slice(x: Value, axis: number, start: number, end: number): Value {
    return this.node('Slice', [x, this.integers([start]), this.integers([end]), this.integers([axis])]);
  }

  transpose(x: Value, order: readonly number[]): Value {
    return this.node('Transpose', [x], { perm: order });
  }

  /** 0 keeps a dimension, -1 is inferred. */
  reshape(x: Value, shape: readonly number[]): Value {
    return this.node('Reshape', [x, this.integers(shape)]);
  }

  /** [n, ...] -> [n, everything else]. */
  flatten(x: Value): Value {
    return this.node('Flatten', [x], { axis: 1 });
  }

  /** Adds zeros around: `pads` has the start of each dimension, then the end of each. */
  pad(x: Value, pads: readonly number[]): Value {
    return this.node('Pad', [x, this.integers(pads)]);
  }

  /** x [n, in] times weight [in, out] plus bias. */
  dense(x: Value, weight: Tensor, bias?: Float32Array): Value {
    const [width, out] = weight.shape;
    const problem =
      weight.shape.length !== 2
        ? `its weight has ${weight.shape.length} dimensions, not 2`
        : (this.#misfit(x, width) ?? misfitBias(bias, out));
    if (problem !== undefined) this.#refuse(`Gemm_${this.#counter + 1}`, problem);
    const inputs = [x, this.constant(weight.shape, weight.data)];
    if (bias) inputs.push(this.constant([bias.length], bias));
    const value = this.node('Gemm', inputs);
    this.#channels.set(value, out);
    return value;
  }

  /** Scales each row of [n, length] to unit length. */
  unitLength(x: Value): Value {
    return this.node('LpNormalization', [x], { axis: 1, p: 2 });
  }

  /** The bytes of the `.onnx` file. */
  encode(): Uint8Array {
    return encodeModel(this.#graph);
  }

  /** Why `x` does not fit a weight for `channels` channels, or undefined. */
  #misfit(x: Value, channels: number): string | undefined {
    const known = this.#channels.get(x);
    if (known === undefined || known === channels) return undefined;
    return `its weight is for ${channels} channels, its input has ${known}`;
  }

  #refuse(node: string, reason: string): never {
    throw new KaomonError(
      'SETUP',
      `The weights do not fit the network ${this.#graph.name}, ${node}: ${reason}.`,
    );
  }

  #nextName(kind: string): string {
    this.#counter += 1;
    return `${kind}_${this.#counter}`;
  }
}

/** Operators whose output has as many channels as their first input. */
const KEEPS_CHANNELS = new Set([
  ...['Relu', 'PRelu', 'Clip', 'Sigmoid', 'Exp', 'Add', 'Sub', 'Mul'],
  ...['MaxPool', 'AveragePool', 'GlobalAveragePool', 'LpNormalization'],
]);

function misfitBias(bias: Float32Array | undefined, out: number): string | undefined {
  return bias && bias.length !== out ? `its bias has ${bias.length} numbers for ${out} channels` : undefined;
}
