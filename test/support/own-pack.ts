import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Dimension } from '../../src/models/onnx/attributes.js';
import { GraphBuilder } from '../../src/models/onnx/graph.js';

export interface TinyNetwork {
  /** Side of its input, pixels. */
  size: number;
  /** Numbers it answers a face: means of the input's cells, `3 * cells * cells`. */
  cells: number;
  batch?: Dimension;
  input?: string;
  output?: string;
}

/**
 * An embedder so small that its answer can be worked out by hand: the mean of each of `cells * cells` cells of each
 * channel. It has a first output that is not the embedding, as many a network has.
 */
export function tinyNetwork({
  size,
  cells,
  batch = 'n',
  input = 'data',
  output = 'fc1',
}: TinyNetwork): Uint8Array {
  const graph = new GraphBuilder('tiny');
  const x = graph.input(input, [batch, 3, size, size]);
  const side = size / cells;
  const pooled = graph.averagePool(x, { size: side, stride: side });
  graph.output(graph.globalAverage(x), 'brightness', [batch, 3]);
  graph.output(graph.flatten(pooled), output, [batch, 3 * cells * cells]);
  return graph.encode();
}

/** A pack's manifest as the tests change it. */
export interface Manifest {
  detector: string;
  embedder: { input: string; output: string };
  thresholds: { identical: number; sure: number };
}

/** Writes a pack's folder below `modelsDir`. */
export async function writeOwnPack(
  modelsDir: string,
  id: string,
  manifest: object,
  network: Uint8Array,
): Promise<void> {
  await mkdir(path.join(modelsDir, id), { recursive: true });
  await writeFile(path.join(modelsDir, id, 'tiny.onnx'), network);
  await writeFile(path.join(modelsDir, id, 'manifest.json'), JSON.stringify(manifest));
}
