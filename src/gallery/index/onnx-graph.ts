import { ATTRIBUTE_TYPE, ELEMENT_TYPE, encodeModel, type ValueMessage } from '../../models/onnx/schema.js';

/**
 * An ONNX model that finds the nearest of `count` vectors. |q - x|² = |q|² - 2 q·x + |x|²: it multiplies by `query` (-2 q,
 * [1, length]), adds `offsets` (|x|², or infinity for a removed vector, [1, count]) and answers the `k` [1] smallest sums:
 * `distances` and `places` [1, k]; the caller adds |q|². The vectors are constants, so they lie in the memory of the device.
 * @param vectors row-major; copied into the model
 */
export function encodeNearest(vectors: Float32Array, length: number): Uint8Array {
  const count = vectors.length / length;
  return encodeModel({
    name: 'nearest',
    node: [
      {
        opType: 'Gemm',
        name: 'product',
        input: ['query', 'vectors', 'offsets'],
        output: ['scores'],
        attribute: [{ name: 'transB', type: ATTRIBUTE_TYPE.int, i: 1 }],
      },
      {
        opType: 'TopK',
        name: 'nearest',
        input: ['scores', 'k'],
        output: ['distances', 'places'],
        attribute: [
          { name: 'axis', type: ATTRIBUTE_TYPE.int, i: 1 },
          { name: 'largest', type: ATTRIBUTE_TYPE.int, i: 0 },
        ],
      },
    ],
    initializer: [
      {
        name: 'vectors',
        dims: [count, length],
        dataType: ELEMENT_TYPE.float32,
        rawData: new Uint8Array(vectors.buffer, vectors.byteOffset, vectors.byteLength),
      },
    ],
    input: [
      describe('query', ELEMENT_TYPE.float32, [1, length]),
      describe('offsets', ELEMENT_TYPE.float32, [1, count]),
      describe('k', ELEMENT_TYPE.int64, [1]),
    ],
    output: [
      describe('distances', ELEMENT_TYPE.float32, [1, 'k']),
      describe('places', ELEMENT_TYPE.int64, [1, 'k']),
    ],
  });
}

function describe(name: string, elemType: number, shape: (number | string)[]): ValueMessage {
  const dim = shape.map((size) => (typeof size === 'number' ? { dimValue: size } : { dimParam: size }));
  return { name, type: { tensorType: { elemType, shape: { dim } } } };
}
