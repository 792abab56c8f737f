import protobuf from 'protobufjs';

const field = (id: number, type: string, rule?: 'repeated') => ({ id, type, rule });

/**
 * The part of ONNX's published protobuf schema (onnx.proto, IR version 8) that our graphs need: field numbers and types
 * as published, everything else left out.
 */
const schema = protobuf.Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: field(1, 'int64'),
        producerName: field(2, 'string'),
        producerVersion: field(3, 'string'),
        graph: field(7, 'GraphProto'),
        opsetImport: field(8, 'OperatorSetIdProto', 'repeated'),
      },
    },
    OperatorSetIdProto: { fields: { domain: field(1, 'string'), version: field(2, 'int64') } },
    GraphProto: {
      fields: {
        node: field(1, 'NodeProto', 'repeated'),
        name: field(2, 'string'),
        initializer: field(5, 'TensorProto', 'repeated'),
        input: field(11, 'ValueInfoProto', 'repeated'),
        output: field(12, 'ValueInfoProto', 'repeated'),
      },
    },
    NodeProto: {
      fields: {
        input: field(1, 'string', 'repeated'),
        output: field(2, 'string', 'repeated'),
        name: field(3, 'string'),
        opType: field(4, 'string'),
        attribute: field(5, 'AttributeProto', 'repeated'),
      },
    },
    AttributeProto: {
      fields: {
        name: field(1, 'string'),
        f: field(2, 'float'),
        i: field(3, 'int64'),
        s: field(4, 'bytes'),
        floats: field(7, 'float', 'repeated'),
        ints: field(8, 'int64', 'repeated'),
        type: field(20, 'int32'),
      },
    },
    TensorProto: {
      fields: {
        dims: field(1, 'int64', 'repeated'),
        dataType: field(2, 'int32'),
        name: field(8, 'string'),
        rawData: field(9, 'bytes'),
      },
    },
    ValueInfoProto: { fields: { name: field(1, 'string'), type: field(2, 'TypeProto') } },
    TypeProto: { fields: { tensorType: field(1, 'TypeProtoTensor') } },
    TypeProtoTensor: { fields: { elemType: field(1, 'int32'), shape: field(2, 'TensorShapeProto') } },
    TensorShapeProto: { fields: { dim: field(1, 'Dimension', 'repeated') } },
    Dimension: { fields: { dimValue: field(1, 'int64'), dimParam: field(2, 'string') } },
  },
});

const ModelProto = schema.lookupType('ModelProto');
const GraphProto = schema.lookupType('GraphProto');
const TensorProto = schema.lookupType('TensorProto');

/** ONNX's numbers for the element types we write. */
export const ELEMENT_TYPE = { float32: 1, uint8: 2, int8: 3, int32: 6, int64: 7, float16: 10 } as const;
/** ONNX's numbers for the kinds of attribute we write. */
export const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, floats: 6, ints: 7 } as const;

export interface AttributeMessage {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  floats?: number[];
  ints?: number[];
}
export interface NodeMessage {
  opType: string;
  name: string;
  input: string[];
  output: string[];
  attribute: AttributeMessage[];
}
export interface TensorMessage {
  name: string;
  dims: number[];
  dataType: number;
  /** Little-endian bytes; a view of the caller's numbers, not a copy. */
  rawData: Uint8Array;
}
export interface ValueMessage {
  name: string;
  type: {
    /** Without a shape: any. */
    tensorType: { elemType: number; shape?: { dim: ({ dimValue: number } | { dimParam: string })[] } };
  };
}
export interface GraphMessage {
  name: string;
  node: NodeMessage[];
  initializer: TensorMessage[];
  input: ValueMessage[];
  output: ValueMessage[];
}

const PRODUCER = 'kaomon';

/** Field numbers of what {@link encodeModel} joins by hand. */
const FIELD = { modelGraph: 7, graphInitializer: 5, tensorRawData: 9 } as const;

/**
 * Encodes a graph as an ONNX model: IR version 8, opset 17, which every ONNX Runtime since 1.12 reads.
 *
 * protobufjs encodes everything but the numbers, because it copies a nested message once per level: 400 MB for a
 * network of 94 MB. A message's fields may come in any order, so the numbers are joined to it here.
 * @returns the bytes of an `.onnx` file; the weights are copied once, into them
 */
export function encodeModel(graph: GraphMessage): Uint8Array {
  const head = ModelProto.encode({
    irVersion: 8,
    producerName: PRODUCER,
    opsetImport: [{ domain: '', version: 17 }],
  }).finish();
  const structure = GraphProto.encode({ ...graph, initializer: [] }).finish();
  const tensors = graph.initializer.map(({ rawData, ...rest }) => {
    const described = TensorProto.encode(rest).finish();
    const rawHead = fieldHead(FIELD.tensorRawData, rawData.length);
    const size = described.length + rawHead.length + rawData.length;
    return [fieldHead(FIELD.graphInitializer, size), described, rawHead, rawData];
  });
  const body = [structure, ...tensors.flat()];
  const size = body.reduce((sum, part) => sum + part.length, 0);
  return Buffer.concat([head, fieldHead(FIELD.modelGraph, size), ...body]);
}

/** Defaults of the fields that a file leaves out. */
const NO_TENSOR: TensorMessage = { name: '', dims: [], dataType: 0, rawData: new Uint8Array() };

/** A model as its file holds it. */
export interface ModelMessage {
  producerName?: string;
  /** Versions of the operator sets; the one without a domain is ONNX's own. */
  opsetImport: { domain?: string; version?: number }[];
  graph?: GraphMessage;
}

/**
 * Reads any model. What this schema does not know is dropped silently (numbers that are not in `rawData`, nested
 * graphs, domains of operators): the caller must check that the graph is the one it expects.
 * @param bytes of an `.onnx` file; the weights of the answer are views into it
 * @returns undefined when they are not a model
 */
export function readModel(bytes: Uint8Array): ModelMessage | undefined {
  let model: ModelMessage;
  try {
    model = ModelProto.toObject(ModelProto.decode(bytes), { longs: Number, arrays: true }) as ModelMessage;
  } catch {
    return undefined;
  }
  const { graph } = model;
  if (graph) graph.initializer = graph.initializer.map((tensor) => ({ ...NO_TENSOR, ...tensor }));
  return model;
}

/**
 * Reads back what {@link encodeModel} wrote.
 * @param bytes of an `.onnx` file; the weights of the answer are views into it
 * @returns undefined for a network that we did not build: it may hold what this schema does not know
 */
export function decodeModel(bytes: Uint8Array): GraphMessage | undefined {
  const model = readModel(bytes);
  return model?.producerName === PRODUCER ? model.graph : undefined;
}

/** The numbers of a float32 tensor; copied, since they need not lie at a multiple of four in the file. */
export function floatsOf({ rawData }: TensorMessage): Float32Array {
  return new Float32Array(Uint8Array.from(rawData).buffer);
}

/** The head of a field of bytes: its number with wire type 2, and its length. */
function fieldHead(field: number, length: number): Uint8Array {
  return protobuf.Writer.create()
    .uint32((field << 3) | 2)
    .uint32(length)
    .finish();
}
