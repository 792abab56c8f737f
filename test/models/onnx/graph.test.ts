import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { KaomonError } from '../../../src/platform/errors.js';
import { foldBatchNorm } from '../../../src/models/onnx/batch-norm.js';
import { GraphBuilder, type Value } from '../../../src/models/onnx/graph.js';

const floats = (...numbers: number[]) => Float32Array.from(numbers);
const range = (count: number, start = 0) => Float32Array.from({ length: count }, (_, i) => i + start);
const product = (shape: readonly number[]) => shape.reduce((all, size) => all * size, 1);
const zeros = (...shape: number[]) => ({ shape, data: new Float32Array(product(shape)) });

type Write = (graph: GraphBuilder, x: Value) => Value;

/** Runs a graph of one input and one output; axis 1 is told to the builder, every other size stays open. */
async function run(shape: number[], numbers: Float32Array, outputRank: number, write: Write) {
  const graph = new GraphBuilder('test');
  const x = graph.input(
    'x',
    shape.map((size, axis) => (axis === 1 ? size : `axis${axis}`)),
  );
  const open = Array.from({ length: outputRank }, (_, axis) => `out${axis}`);
  graph.output(write(graph, x), 'y', open);
  const session = await InferenceSession.create(graph.encode(), { logSeverityLevel: 3 });
  const { y } = await session.run({ x: new Tensor('float32', numbers, shape) });
  const answer = { shape: [...y.dims], data: Array.from(y.data as Float32Array) };
  await session.release();
  return answer;
}

const refusal = (words: RegExp) => (error: unknown) =>
  error instanceof KaomonError && error.code === 'SETUP' && words.test(error.message);

describe('graph builder', () => {
  it('convolves with bias, stride and padding', async () => {
    const weight = { shape: [1, 1, 3, 3], data: new Float32Array(9).fill(1) };
    const conv = async (padding: 'same' | 'valid' | number) =>
      await run([1, 1, 4, 4], range(16), 4, (graph, x) =>
        graph.conv(x, weight, { bias: floats(0.5), stride: 2, padding }),
      );
    // As TensorFlow pads: windows start at 0 and 2, the row and column of zeros stand at the end.
    assert.deepEqual(await conv('same'), { shape: [1, 1, 2, 2], data: [45.5, 39.5, 66.5, 50.5] });
    assert.deepEqual((await conv(1)).data, [10.5, 24.5, 51.5, 90.5]);
    assert.deepEqual(await conv('valid'), { shape: [1, 1, 1, 1], data: [45.5] });
  });

  it('convolves channel by channel', async () => {
    const weight = { shape: [2, 1, 2, 1], data: floats(1, 10, 100, 1000) };
    const { shape, data } = await run([1, 2, 3, 1], floats(1, 2, 3, 4, 5, 6), 4, (graph, x) =>
      graph.conv(x, weight, { groups: 2 }),
    );
    assert.deepEqual({ shape, data }, { shape: [1, 2, 2, 1], data: [21, 32, 5400, 6500] });
  });

  it('pools, counting a last window that reaches over the edge where it is told to', async () => {
    const numbers = floats(1, 5, 2, 4, 3, 0, 0, 0, 9);
    const pool = async (ceil: boolean) =>
      (await run([1, 1, 3, 3], numbers, 4, (graph, x) => graph.maxPool(x, { size: 2, stride: 2, ceil })))
        .data;
    assert.deepEqual(await pool(true), [5, 2, 0, 9]);
    assert.deepEqual(await pool(false), [5]);
    const mean = await run([1, 1, 3, 3], numbers, 4, (graph, x) =>
      graph.averagePool(x, { size: 2, stride: 2, padding: 'same' }),
    );
    assert.deepEqual(mean.data, [3.25, 1, 0, 9], 'the zeros of the padding are not counted');
    const all = await run([1, 2, 1, 2], floats(1, 3, 5, 9), 2, (graph, x) => graph.globalAverage(x));
    assert.deepEqual(all, { shape: [1, 2], data: [2, 7] });
  });

  it('has the activations', async () => {
    const act = async (write: Write) => (await run([1, 6, 1, 1], floats(-4, -1, 0, 1, 4, 9), 4, write)).data;
    assert.deepEqual(await act((graph, x) => graph.relu(x)), [0, 0, 0, 1, 4, 9]);
    assert.deepEqual(await act((graph, x) => graph.clip(x, 0, 6)), [0, 0, 0, 1, 4, 6]);
    const slopes = floats(0.5, 2, 1, 1, 1, 1);
    assert.deepEqual(await act((graph, x) => graph.prelu(x, slopes)), [-2, -2, 0, 1, 4, 9]);
    const sigmoid = (await act((graph, x) => graph.sigmoid(x))).map((value) => value.toFixed(4));
    assert.deepEqual(sigmoid, ['0.0180', '0.2689', '0.5000', '0.7311', '0.9820', '0.9999']);
    assert.deepEqual(
      (await run([1, 2], floats(3, 3), 2, (graph, x) => graph.softmax(x, 1))).data,
      [0.5, 0.5],
    );
    assert.deepEqual((await run([2], floats(0, 1), 1, (graph, x) => graph.exp(x))).data, [
      1,
      Math.fround(Math.E),
    ]);
  });

  it('calculates', async () => {
    const weight = { shape: [2, 3], data: range(6, 1) };
    const dense = await run([1, 2], floats(1, 2), 2, (graph, x) => graph.dense(x, weight, floats(1, 1, 1)));
    assert.deepEqual(dense, { shape: [1, 3], data: [10, 13, 16] });
    const { data } = await run([2], floats(3, 5), 1, (graph, x) => {
      const two = graph.scalar(2);
      return graph.sub(graph.mul(graph.add(x, two), two), graph.scalar(4));
    });
    assert.deepEqual(data, [6, 10]);
    const unit = await run([2, 2], floats(3, 4, 0, 0), 2, (graph, x) => graph.unitLength(x));
    assert.deepEqual(unit.data, [Math.fround(0.6), Math.fround(0.8), 0, 0], 'no NaN for a vector of zeros');
  });

  it('rearranges', async () => {
    const arrange = async (shape: number[], rank: number, write: Write) =>
      await run(shape, range(product(shape)), rank, write);
    assert.deepEqual((await arrange([1, 2, 2, 1], 2, (g, x) => g.reshape(x, [0, -1]))).shape, [1, 4]);
    assert.deepEqual(
      (await arrange([1, 2, 2, 1], 4, (g, x) => g.transpose(x, [0, 2, 3, 1]))).data,
      [0, 2, 1, 3],
    );
    assert.deepEqual((await arrange([2, 2, 2, 1], 2, (g, x) => g.flatten(x))).shape, [2, 4]);
    assert.deepEqual((await arrange([1, 4], 2, (g, x) => g.slice(x, 1, 1, 3))).data, [1, 2]);
    const padded = await arrange([1, 2], 2, (g, x) => g.pad(x, [0, 1, 0, 2]));
    assert.deepEqual(padded, { shape: [1, 5], data: [0, 0, 1, 0, 0] });
    assert.deepEqual((await arrange([1, 2], 2, (g, x) => g.concat([x, g.mul(x, x)], 1))).data, [0, 1, 0, 1]);
  });

  it('takes any operator by its name, with float attributes', async () => {
    const { data } = await run([2], floats(-1, 1), 1, (g, x) =>
      g.node('LeakyRelu', [x], { alpha: { float: 0.25 } }),
    );
    assert.deepEqual(data, [-0.25, 1]);
  });

  it('puts one value out under several names', async () => {
    const graph = new GraphBuilder('twice');
    const x = graph.input('x', ['n']);
    const double = graph.add(x, x);
    graph.output(double, 'a', ['n']);
    graph.output(double, 'b', ['n']);
    const session = await InferenceSession.create(graph.encode());
    assert.deepEqual(session.outputNames, ['a', 'b']);
    const { a, b } = await session.run({ x: new Tensor('float32', floats(1, 2), [2]) });
    assert.deepEqual([...(a.data as Float32Array), ...(b.data as Float32Array)], [2, 4, 2, 4]);
    await session.release();
  });

  it('refuses by name what does not fit', () => {
    const graph = new GraphBuilder('net');
    const x = graph.input('x', ['n', 3, 8, 8]);
    assert.throws(
      () => graph.constant([2, 3], new Float32Array(5)),
      refusal(/net.*\[2, 3\] takes 6 values, not 5/),
    );
    assert.throws(() => graph.conv(x, zeros(4, 2, 3, 3)), refusal(/net, Conv_.* 2 channels.* has 3/));
    assert.throws(() => graph.conv(graph.relu(x), zeros(4, 2, 3, 3)), refusal(/2 channels.* has 3/));
    assert.throws(() => graph.conv(x, zeros(4, 3)), refusal(/Conv_.* 2 dimensions, not 4/));
    assert.throws(
      () => graph.conv(x, zeros(4, 3, 1, 1), { bias: new Float32Array(3) }),
      refusal(/bias has 3 numbers for 4/),
    );
    assert.throws(() => graph.conv(x, zeros(4, 1, 1, 1), { groups: 3 }), refusal(/4 channels .* 3 groups/));
    assert.throws(() => graph.prelu(x, new Float32Array(2)), refusal(/PRelu_.* 2 channels.* has 3/));
    const flat = graph.dense(graph.flatten(x), zeros(192, 10));
    assert.throws(() => graph.dense(flat, zeros(9, 2)), refusal(/Gemm_.* 9 channels.* has 10/));
    assert.throws(
      () => graph.dense(flat, zeros(10, 2), new Float32Array(3)),
      refusal(/bias has 3 numbers for 2/),
    );
    assert.throws(() => graph.node('LeakyRelu', [x], { alpha: 0.1 }), /alpha: wrap 0.1 as/);
  });
});

describe('batch norm folding', () => {
  const weight = { shape: [2, 1, 1, 2], data: floats(1, 2, 3, 4) };
  const norm = {
    gamma: floats(2, 1),
    beta: floats(0.5, 0),
    mean: floats(1, -1),
    variance: floats(3, 15),
    epsilon: 1,
  };

  it('gives what the norm gives after the convolution', () => {
    const folded = foldBatchNorm(weight, norm, floats(4, 3));
    assert.deepEqual(folded.weight, { shape: [2, 1, 1, 2], data: floats(1, 2, 0.75, 1) });
    assert.deepEqual(folded.bias, floats(3.5, 1));
    assert.deepEqual(weight.data, floats(1, 2, 3, 4), 'the weights it was given stay as they were');
    assert.deepEqual(foldBatchNorm(weight, norm).bias, floats(-0.5, 0.25));
  });

  it('refuses a part that has not one number a channel', () => {
    assert.throws(
      () => foldBatchNorm(weight, { ...norm, beta: floats(1) }),
      refusal(/beta has 1 numbers for 2/),
    );
  });
});
