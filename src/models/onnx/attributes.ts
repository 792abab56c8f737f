/** How a graph's nodes and values are described in ONNX's own messages. */
import { ATTRIBUTE_TYPE, type AttributeMessage, ELEMENT_TYPE, type ValueMessage } from './schema.js';

/** A whole number becomes an INT attribute; wrap what must be a FLOAT. */
export type Attribute = number | readonly number[] | string | { readonly float: number };

/** A dimension: its size, or a name where any size will do. */
export type Dimension = number | string;

/** `valid`: none; `same`: as TensorFlow pads (more at the end); or pixels on each side. */
export type Padding = 'valid' | 'same' | number;

export interface PoolOptions {
  size: number;
  stride: number;
  padding?: Padding;
  /** Count a last window that reaches over the edge (PyTorch's ceil_mode). */
  ceil?: boolean;
}

export function paddingAttributes(padding: Padding): Record<string, Attribute> {
  if (padding === 'valid') return {};
  if (padding === 'same') return { auto_pad: 'SAME_UPPER' };
  return { pads: [padding, padding, padding, padding] };
}

export function poolAttributes(options: PoolOptions): Record<string, Attribute> {
  const { size, stride, padding = 'valid', ceil = false } = options;
  return {
    kernel_shape: [size, size],
    strides: [stride, stride],
    ...(ceil ? { ceil_mode: 1 } : {}),
    ...paddingAttributes(padding),
  };
}

export function encodeAttribute(name: string, value: Attribute): AttributeMessage {
  if (typeof value === 'number') {
    if (!Number.isSafeInteger(value)) throw new TypeError(`${name}: wrap ${value} as { float: ${value} }`);
    return { name, type: ATTRIBUTE_TYPE.int, i: value };
  }
  if (typeof value === 'string')
    return { name, type: ATTRIBUTE_TYPE.string, s: new TextEncoder().encode(value) };
  if ('float' in value) return { name, type: ATTRIBUTE_TYPE.float, f: value.float };
  return { name, type: ATTRIBUTE_TYPE.ints, ints: [...value] };
}

export function describe(name: string, shape: readonly Dimension[]): ValueMessage {
  const dim = shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType: ELEMENT_TYPE.float32, shape: { dim } } } };
}
