import { ATTRIBUTE_TYPE, ELEMENT_TYPE, encodeModel, type ValueMessage } from '../../models/onnx/schema.js';

/**
 * The nearest of `count` vectors as an ONNX model. |q - x|² = |q|² - 2 q·x + |x|²: the product with -2 q (`query`
 * [1, length]), plus |x|² or, for a removed one, infinity (`offsets` [1, count]), and the `k` [1] smallest of it:
 * `distances` and `places` [1, k], |q|² left to the caller. The vectors are constants, so that they lie in the memory
 * of the device that runs it.
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
