import { ELEMENT_TYPE, type GraphMessage, type NodeMessage, type TensorMessage } from '../schema.js';

/**
 * What the rewrites of a graph share. Each rewrite takes a graph and returns one that computes the same; it leaves the
 * given one as it is and shares its unchanged parts. All numbers are float32, the layout is NCHW.
 */

/** The constants of a graph by name. */
export function constantsOf(graph: GraphMessage): Map<string, TensorMessage> {
  return new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
}

/** The nodes that read a value, by its name. */
export function readersOf(graph: GraphMessage): Map<string, NodeMessage[]> {
  const readers = new Map<string, NodeMessage[]>();
  for (const node of graph.node) {
    for (const name of node.input) readers.set(name, [...(readers.get(name) ?? []), node]);
  }
  return readers;
}

/** A whole number among a node's attributes. */
export function integerOf({ attribute }: NodeMessage, name: string, otherwise: number): number {
  return attribute.find((each) => each.name === name)?.i ?? otherwise;
}

/** Whole numbers among a node's attributes; none where it has no such attribute. */
export function integersOf({ attribute }: NodeMessage, name: string): readonly number[] {
  return attribute.find((each) => each.name === name)?.ints ?? [];
}

/** A constant of float32. @param numbers not copied */
export function floatTensor(name: string, dims: number[], numbers: Float32Array): TensorMessage {
  const rawData = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  return { name, dims, dataType: ELEMENT_TYPE.float32, rawData };
}
