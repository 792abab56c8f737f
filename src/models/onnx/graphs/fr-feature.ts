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

/** What the published network takes and answers. */
const INPUT = { name: 'input', shape: [1, 3, 112, 112] };
const OUTPUT = { name: 'output', shape: [1, 512] };
/** Since 7 the operators mean what they mean in the opset that is written, 17. */
const OPSETS = { oldest: 7, newest: 17 };

/**
 * The embedder of faceplugin-face-recognition-js (a MobileFaceNet with 25 convolutions by the channel), rewritten to give
 * the same embeddings in a twentieth of the time: each step says why it changes nothing (src/models/rewrite/).
 *
 * `faces` [n, 3, 112, 112], RGB, (value - 127) / 128 -> `embeddings` [n, 512] of unit length. The normalisation is the
 * pack's (mean 127, scale 1/128) and not the first convolution's: that pads with zeros, which after the normalisation
 * are a grey of 127 and before it would be black, so folding it in would be wrong along two edges of the picture.
 * @param onnx the published `fr_feature.onnx`; only read
 * @returns the same bytes for the same bytes
 * @throws KaomonError SETUP when it is another network
 */
export function buildFrFeature(onnx: Uint8Array): Uint8Array {
  try {
    const graph = withoutTinyWeights(withFreeBatch(readFrFeature(onnx)));
    return encodeModel(withEnds(withPreluAsConvolutions(withoutDeadChannels(graph))));
  } catch (error) {
    // A damaged file is a graph of which anything may be missing.
    throw error instanceof KaomonError ? error : misfit((error as Error).message);
  }
}

/** @throws KaomonError SETUP */
function readFrFeature(onnx: Uint8Array): GraphMessage {
  const model = readModel(onnx);
  const graph = model?.graph;
  if (!graph) throw misfit('it is no ONNX model');
  const known = ({ domain = '', version = 0 }: ModelMessage['opsetImport'][number]) =>
    domain === '' && version >= OPSETS.oldest && version <= OPSETS.newest;
  if (model.opsetImport.length !== 1 || !model.opsetImport.every(known)) {
    throw misfit(`it is written in operators that are not ONNX's ${OPSETS.oldest} to ${OPSETS.newest}`);
  }
  if (graph.input.length !== 1 || !isValue(graph.input[0], INPUT)) throw misfit('it takes something else');
  if (graph.output.length !== 1 || !isValue(graph.output[0], OUTPUT))
    throw misfit('it answers something else');
  for (const { name, dims, dataType, rawData } of graph.initializer) {
    const width = dataType === ELEMENT_TYPE.float32 ? 4 : dataType === ELEMENT_TYPE.int64 ? 8 : 0;
    const count = dims.reduce((product, size) => product * size, 1);
    // Numbers that are kept elsewhere than in rawData are not there for us.
    if (width === 0 || rawData.length !== count * width) throw misfit(`its weights ${name} are not whole`);
  }
  return graph;
}

function isValue({ name, type }: ValueMessage, wanted: typeof INPUT): boolean {
  const sizes = type.tensorType.shape?.dim.map((dim) => ('dimValue' in dim ? dim.dimValue : -1)) ?? [];
  const fits = sizes.length === wanted.shape.length && sizes.every((size, i) => size === wanted.shape[i]);
  return name === wanted.name && type.tensorType.elemType === ELEMENT_TYPE.float32 && fits;
}

/** The graph under the names that an embedder's ends have here, its answer scaled to unit length. */
function withEnds(graph: GraphMessage): GraphMessage {
  const renamed = (name: string) => (name === INPUT.name ? 'faces' : name);
  const unitLength: NodeMessage = {
    ...{ opType: 'LpNormalization', name: 'unit_length', input: [OUTPUT.name], output: ['embeddings'] },
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
