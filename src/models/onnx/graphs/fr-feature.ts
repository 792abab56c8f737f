import { KaomonError } from '../../../platform/errors.js';
import {
  ATTRIBUTE_TYPE,
  ELEMENT_TYPE,
  encodeModel,
  type GraphMessage,
  type ModelMessage,
  type NodeMessage,
  readModel,
  type ValueMessage,
} from '../schema.js';
import { withoutDeadChannels } from '../rewrite/dead-channels.js';
import { withFreeBatch } from '../rewrite/free-batch.js';
import { withPreluAsConvolutions } from '../rewrite/prelu.js';
import { withoutTinyWeights } from '../rewrite/tiny-weights.js';

/** Input and output of the published network. */
const INPUT = { name: 'input', shape: [1, 3, 112, 112] };
const OUTPUT = { name: 'output', shape: [1, 512] };
/** Versions whose operators mean the same as in version 17, which is what we write. */
const OPSETS = { oldest: 7, newest: 17 };

/**
 * The embedder of faceplugin-face-recognition-js (a MobileFaceNet with 25 depthwise convolutions), rewritten to give
 * the same embeddings in a twentieth of the time: each step says why it changes nothing (src/models/onnx/rewrite/).
 *
 * `faces` [n, 3, 112, 112], RGB, (value - 127) / 128 -> `embeddings` [n, 512] of unit length. The pack normalises (mean
 * 127, scale 1/128), not the first convolution: it pads with zeros, which mean a grey of 127 after the normalisation
 * but black before it, so folding it in would be wrong along two edges of the picture.
 * @param onnx the published `fr_feature.onnx`; not changed
 * @returns a model that is the same for the same bytes
 * @throws KaomonError SETUP when it is another network
 */
export function buildFrFeature(onnx: Uint8Array): Uint8Array {
  try {
    const graph = withoutTinyWeights(withFreeBatch(readFrFeature(onnx)));
    return encodeModel(withEnds(withPreluAsConvolutions(withoutDeadChannels(graph))));
  } catch (error) {
    // In a damaged file any part of the graph may be missing.
    throw error instanceof KaomonError ? error : misfit((error as Error).message);
  }
}

/** @throws KaomonError SETUP */
function readFrFeature(onnx: Uint8Array): GraphMessage {
  const model = readModel(onnx);
  const graph = model?.graph;
  if (!graph) throw misfit('it is not an ONNX model');
  const known = ({ domain = '', version = 0 }: ModelMessage['opsetImport'][number]) =>
    domain === '' && version >= OPSETS.oldest && version <= OPSETS.newest;
  if (model.opsetImport.length !== 1 || !model.opsetImport.every(known)) {
    throw misfit(`its operators are not of ONNX's versions ${OPSETS.oldest} to ${OPSETS.newest}`);
  }
  if (graph.input.length !== 1 || !isValue(graph.input[0], INPUT)) throw misfit('its input is different');
  if (graph.output.length !== 1 || !isValue(graph.output[0], OUTPUT)) throw misfit('its output is different');
  for (const { name, dims, dataType, rawData } of graph.initializer) {
    const width = dataType === ELEMENT_TYPE.float32 ? 4 : dataType === ELEMENT_TYPE.int64 ? 8 : 0;
    const count = dims.reduce((product, size) => product * size, 1);
    // Numbers stored outside rawData are not read.
    if (width === 0 || rawData.length !== count * width) throw misfit(`its weights ${name} are incomplete`);
  }
  return graph;
}

function isValue({ name, type }: ValueMessage, wanted: typeof INPUT): boolean {
  const sizes = type.tensorType.shape?.dim.map((dim) => ('dimValue' in dim ? dim.dimValue : -1)) ?? [];
  const fits = sizes.length === wanted.shape.length && sizes.every((size, i) => size === wanted.shape[i]);
  return name === wanted.name && type.tensorType.elemType === ELEMENT_TYPE.float32 && fits;
}

/** The graph with the names that we give to an embedder's input and output, and an output of unit length. */
function withEnds(graph: GraphMessage): GraphMessage {
  const renamed = (name: string) => (name === INPUT.name ? 'faces' : name);
  const unitLength: NodeMessage = {
    opType: 'LpNormalization',
    name: 'unit_length',
    input: [OUTPUT.name],
    output: ['embeddings'],
    attribute: [
      { name: 'axis', type: ATTRIBUTE_TYPE.int, i: 1 },
      { name: 'p', type: ATTRIBUTE_TYPE.int, i: 2 },
    ],
  };
  return {
    ...graph,
    name: 'fr-feature',
    node: [...graph.node.map((node) => ({ ...node, input: node.input.map(renamed) })), unitLength],
    input: graph.input.map((value) => ({ ...value, name: 'faces' })),
    output: graph.output.map((value) => ({ ...value, name: 'embeddings' })),
  };
}

function misfit(reason: string): KaomonError {
  return new KaomonError(
    'SETUP',
    `fr_feature.onnx is not the network that is known here: ${reason}. Fetch it again.`,
  );
}
