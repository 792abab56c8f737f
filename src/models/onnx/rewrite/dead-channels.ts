import { floatsOf, type GraphMessage, type NodeMessage, type TensorMessage } from '../schema.js';
import { constantsOf, floatTensor, integerOf, integersOf, readersOf } from './parts.js';

/** Channels in a block of ONNX Runtime: 8, with AVX-512 16. A partly filled block costs as much as a full one. */
const BLOCK = 16;

/** expand -> PReLU -> depthwise -> PReLU (not always) -> project, each read only by the next. */
interface Bottleneck {
  expand: NodeMessage;
  first: NodeMessage;
  depthwise: NodeMessage;
  second: NodeMessage | undefined;
  project: NodeMessage;
}

/**
 * Removes the inner channels of a graph's bottlenecks that carry no information.
 *
 * Why it is exact: where all weights of a channel's depthwise filter are zero, its output is its bias b at every place,
 * edges included, whatever its input; after the PReLU of slope a that is c = b for b >= 0 and c = a b below. The
 * projection (1x1, no padding) adds w c to each of its outputs at every place, so it may be added to its bias instead.
 * Where the projection's weights of a channel are zero, the same holds with w = 0. Nothing else reads these channels.
 * As many of them stay as fill up the last block of {@link BLOCK}.
 */
export function withoutDeadChannels(graph: GraphMessage): GraphMessage {
  const constants = constantsOf(graph);
  const nodes = new Map(graph.node.map((node) => [node, node]));
  for (const bottleneck of bottlenecksOf(graph)) thin(bottleneck, constants, nodes);
  return {
    ...graph,
    node: graph.node.map((node) => nodes.get(node) ?? node),
    initializer: graph.initializer.map(({ name, ...rest }) => constants.get(name) ?? { name, ...rest }),
  };
}

/** Removes the dead channels of one bottleneck. @param constants @param nodes changed */
function thin(
  { expand, first, depthwise, second, project }: Bottleneck,
  constants: Map<string, TensorMessage>,
  nodes: Map<NodeMessage, NodeMessage>,
): void {
  const tensor = (name: string): TensorMessage => {
    const found = constants.get(name);
    if (!found) throw new Error(`${name} is not a constant`);
    return found;
  };
  const [depthwiseWeight, projectWeight] = [depthwise.input[1], project.input[1]].map(tensor);
  const channels = depthwiseWeight.dims[0];
  const filters = floatsOf(depthwiseWeight);
  const columns = floatsOf(projectWeight);
  const outputs = projectWeight.dims[0];
  const isZero = (values: Float32Array) => values.every((value) => value === 0);
  const read = new Set<number>();
  columns.forEach((value, i) => {
    if (value !== 0) read.add(i % channels);
  });
  const perFilter = filters.length / channels;
  const dead = Array.from({ length: channels }, (_, channel) => channel).filter(
    (channel) =>
      isZero(filters.subarray(channel * perFilter, (channel + 1) * perFilter)) || !read.has(channel),
  );
  const live = channels - dead.length;
  const width = Math.min(channels, Math.max(1, Math.ceil(live / BLOCK)) * BLOCK);
  const gone = new Set(dead.slice(width - live));
  if (gone.size === 0) return;

  const bias = floatsOf(tensor(depthwise.input[2]));
  const slopes = second ? floatsOf(tensor(second.input[1])) : Float32Array.of(1);
  const left = bias.map((value, channel) => (value >= 0 ? value : value * slopes[channel % slopes.length]));
  const projectBias = floatsOf(tensor(project.input[2])).map((value, output) => {
    let sum = value;
    for (const channel of gone) sum += columns[output * channels + channel] * left[channel];
    return sum;
  });

  /** Drops the rows of the removed channels from a tensor. A single slope for all channels stays. */
  const keepRows = (name: string) => {
    const { dims } = tensor(name);
    if (dims[0] !== channels) return;
    const numbers = floatsOf(tensor(name));
    const perRow = numbers.length / channels;
    const kept = numbers.filter((_, i) => !gone.has(Math.floor(i / perRow)));
    constants.set(name, floatTensor(name, [width, ...dims.slice(1)], kept));
  };
  const ofChannels = [...expand.input.slice(1), first.input[1], ...depthwise.input.slice(1)];
  for (const name of [...ofChannels, ...(second ? [second.input[1]] : [])]) keepRows(name);
  const keptColumns = columns.filter((_, i) => !gone.has(i % channels));
  constants.set(projectWeight.name, floatTensor(projectWeight.name, [outputs, width, 1, 1], keptColumns));
  constants.set(project.input[2], floatTensor(project.input[2], [outputs], projectBias));
  const attribute = depthwise.attribute.map((each) => (each.name === 'group' ? { ...each, i: width } : each));
  nodes.set(depthwise, { ...depthwise, attribute });
}

/** The bottlenecks whose weights are all constants that nothing else reads. */
function bottlenecksOf(graph: GraphMessage): Bottleneck[] {
  const constants = constantsOf(graph);
  const readers = readersOf(graph);
  const outputs = new Set(graph.output.map(({ name }) => name));

  /** The only reader of what a node makes. */
  const after = (node: NodeMessage | undefined): NodeMessage | undefined => {
    if (node?.output.length !== 1) return undefined;
    const [value] = node.output;
    if (outputs.has(value)) return undefined;
    const found = readers.get(value) ?? [];
    return found.length === 1 && found[0].input[0] === value ? found[0] : undefined;
  };
  const own = ({ input }: NodeMessage, count: number) =>
    input.length === count &&
    input.slice(1).every((name) => constants.has(name) && readers.get(name)?.length === 1);
  const isConv = (node: NodeMessage | undefined): node is NodeMessage =>
    node?.opType === 'Conv' && own(node, 3);
  const isPrelu = (node: NodeMessage | undefined): node is NodeMessage =>
    node?.opType === 'PRelu' && own(node, 2) && isSlopes(constants.get(node.input[1]));
  const shapeOf = ({ input }: NodeMessage) => constants.get(input[1])?.dims ?? [];

  return graph.node.flatMap((expand) => {
    if (!isConv(expand) || integerOf(expand, 'group', 1) !== 1) return [];
    const channels = shapeOf(expand)[0];
    const first = after(expand);
    const depthwise = after(first);
    if (!isPrelu(first) || !isConv(depthwise) || integerOf(depthwise, 'group', 1) !== channels) return [];
    if (channels === 1 || shapeOf(depthwise)[0] !== channels) return [];
    const next = after(depthwise);
    const second = isPrelu(next) ? next : undefined;
    const project = second ? after(second) : next;
    if (!isConv(project) || integerOf(project, 'group', 1) !== 1) return [];
    const [, inputs, height, width] = shapeOf(project);
    const pads = integersOf(project, 'pads').some((pad) => pad !== 0);
    if (inputs !== channels || height !== 1 || width !== 1 || pads) return [];
    return [{ expand, first, depthwise, second, project }];
  });
}

/** [channels, 1, 1]: one slope per channel, or one for all. */
function isSlopes(tensor: TensorMessage | undefined): boolean {
  return tensor?.dims.length === 3 && tensor.dims[1] === 1 && tensor.dims[2] === 1;
}
