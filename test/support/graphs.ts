import { InferenceSession, Tensor } from 'onnxruntime-node';
import type { GraphBuilder } from '../../src/models/onnx/graph.js';
import type { Tensor as Weights } from '../../src/models/weights/tensor.js';
import { decodeModel, encodeModel, type GraphMessage } from '../../src/models/onnx/schema.js';

/** What a graph of one input answers in its first output. */
export async function runGraph(
  graph: GraphMessage | Uint8Array,
  data: Float32Array,
  shape: readonly number[],
): Promise<{ data: Float32Array; dims: readonly number[] }> {
  const bytes = graph instanceof Uint8Array ? graph : encodeModel(graph);
  const session = await InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const answers = await session.run({ [session.inputNames[0]]: new Tensor('float32', data, shape) });
  await session.release();
  const first = answers[session.outputNames[0]];
  return { data: first.data as Float32Array, dims: first.dims };
}

/** A graph as the rewritings take it. */
export function messageOf(builder: GraphBuilder): GraphMessage {
  const graph = decodeModel(builder.encode());
  if (!graph) throw new Error('the builder wrote no graph of ours');
  return graph;
}

/** Weights around zero that keep the size of what goes through them. @param random in [0, 1) */
export function madeWeights(random: () => number, ...shape: number[]): Weights {
  const inputs = shape.slice(1).reduce((product, size) => product * size, 1);
  const data = Float32Array.from(
    { length: shape[0] * inputs },
    () => (random() - 0.5) * Math.sqrt(12 / inputs),
  );
  return { shape, data };
}

/** Numbers of -1 to 1. */
export function madeNumbers(random: () => number, length: number): Float32Array {
  return Float32Array.from({ length }, () => random() * 2 - 1);
}
