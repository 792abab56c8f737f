import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GraphBuilder, type Value } from '../../../src/models/onnx/graph.js';
import { floatsOf, type GraphMessage } from '../../../src/models/onnx/schema.js';
import { withoutDeadChannels } from '../../../src/models/onnx/rewrite/dead-channels.js';
import { withFreeBatch } from '../../../src/models/onnx/rewrite/free-batch.js';
import { withPreluAsConvolutions } from '../../../src/models/onnx/rewrite/prelu.js';
import { withoutTinyWeights } from '../../../src/models/onnx/rewrite/tiny-weights.js';
import { largestDifference } from '../../support/golden.js';
import { madeNumbers, madeWeights, messageOf, runGraph } from '../../support/graphs.js';
import { seededRandom } from '../../support/vectors.js';

const SIDE = 9;
const SHAPE = [1, 3, SIDE, SIDE];

/** A network of its own numbers; the same ones for the same seed. */
function network(
  write: (g: GraphBuilder, x: Value, random: () => number) => Value,
  shape = SHAPE,
): GraphMessage {
  const g = new GraphBuilder('made');
  g.output(write(g, g.input('input', shape), seededRandom(3)), 'output', []);
  const graph = messageOf(g);
  // Its shape hangs on what the network does.
  graph.output[0].type.tensorType.shape = undefined;
  return graph;
}

async function assertSame(before: GraphMessage, after: GraphMessage, shape = SHAPE): Promise<void> {
  const numbers = madeNumbers(
    seededRandom(8),
    shape.reduce((product, size) => product * size, 1),
  );
  const [expected, found] = [await runGraph(before, numbers, shape), await runGraph(after, numbers, shape)];
  assert.deepEqual(found.dims, expected.dims);
  // Or everything is alike.
  assert.ok(expected.data.some((value) => Math.abs(value) > 0.1));
  const difference = largestDifference(found.data, [...expected.data]);
  assert.ok(difference <= 1e-6, `differs by ${difference}`);
}

/** How many channels each convolution answers. */
function widths(graph: GraphMessage): number[] {
  const constants = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  return graph.node
    .filter(({ opType }) => opType === 'Conv')
    .map(({ input }) => constants.get(input[1])?.dims[0] ?? 0);
}

describe('weights too small to count', () => {
  it('become zero, the others stay to the bit, and so do the answers', async () => {
    const before = network((g, x, random) => {
      const weight = madeWeights(random, 8, 3, 3, 3);
      weight.data.forEach((_, i) => {
        if (i % 4 === 0) weight.data[i] = 1e-40 * (i % 3 ? 1 : -1);
        if (i % 4 === 1) weight.data[i] = 9e-13;
      });
      return g.conv(x, weight, { bias: madeNumbers(random, 8) });
    });
    const after = withoutTinyWeights(before);
    const [old, rewritten] = [before, after].map(({ initializer }) => floatsOf(initializer[0]));
    assert.ok(rewritten.every((value, i) => value === (i % 4 < 2 ? 0 : old[i])));
    assert.notEqual(old[0], 0, 'the given graph stays as it was');
    await assertSame(before, after);
  });
});

describe('dead channels of a bottleneck', () => {
  const WIDE = 40;
  interface Made {
    dead?: number[];
    unread?: number[];
    slopes?: number;
    second?: boolean;
    padded?: boolean;
    readTwice?: boolean;
  }

  /** 3 -> 40 -> 40 by the channel -> 5, in one step as the published network has them. */
  function bottleneck({ dead = [], unread = [], slopes = WIDE, second = true, ...odd }: Made): GraphMessage {
    return network((g, x, random) => {
      const prelu = (value: Value) =>
        g.node('PRelu', [value, g.constant([slopes, 1, 1], madeNumbers(random, slopes))]);
      const expand = madeWeights(random, WIDE, 3, 1, 1);
      const depthwise = madeWeights(random, WIDE, 1, 3, 3);
      const project = madeWeights(random, 5, WIDE, 1, 1);
      for (const channel of dead) depthwise.data.fill(0, channel * 9, (channel + 1) * 9);
      for (const channel of unread) for (let out = 0; out < 5; out++) project.data[out * WIDE + channel] = 0;
      const wide = g.conv(x, expand, { bias: madeNumbers(random, WIDE) });
      let inner = g.conv(prelu(wide), depthwise, {
        bias: madeNumbers(random, WIDE),
        padding: 1,
        groups: WIDE,
      });
      if (second) inner = prelu(inner);
      const end = g.conv(inner, project, { bias: madeNumbers(random, 5), padding: odd.padded ? 1 : 'valid' });
      return odd.readTwice ? g.concat([end, g.conv(inner, madeWeights(random, 5, WIDE, 1, 1))], 1) : end;
    });
  }

  const first = (count: number) => Array.from({ length: count }, (_, i) => i);
  const cases: [title: string, made: Made, width: number][] = [
    ['go, up to a multiple of 16', { dead: first(10) }, 32],
    [
      'go wherever they are',
      { dead: [0, 3, 4, 7, 11, 12, 20, 21, 22, 30, 31, 38, 39, 15, 16, 17, 18, 25, 26, 27, 33, 34, 35, 36] },
      16,
    ],
    ['stay where the others fill no block less', { dead: [39] }, 40],
    ['are those that nobody reads, too', { dead: first(5), unread: [9, 20, 39] }, 32],
    ['go without a second PReLU', { dead: first(9), second: false }, 32],
    ['go with one slope for all', { dead: first(9), slopes: 1 }, 32],
    ['leave one block when all are dead', { dead: first(WIDE) }, 16],
    [
      'stay where the projection pads: at its edges a constant is none',
      { dead: first(10), padded: true },
      40,
    ],
    ['stay where something else reads them', { dead: first(10), readTwice: true }, 40],
  ];
  for (const [title, made, width] of cases) {
    it(title, async () => {
      const before = bottleneck(made);
      const after = withoutDeadChannels(before);
      assert.deepEqual(widths(after).slice(0, 3), [width, width, 5]);
      assert.deepEqual(widths(before).slice(0, 3), [WIDE, WIDE, 5], 'the given graph stays as it was');
      await assertSame(before, after);
    });
  }

  it('go from two bottlenecks in a row, where one’s projection is the other’s expansion', async () => {
    const before = network((g, x, random) => {
      const prelu = (value: Value) =>
        g.node('PRelu', [value, g.constant([WIDE, 1, 1], madeNumbers(random, WIDE))]);
      const byChannel = (value: Value, dead: number) => {
        const weight = madeWeights(random, WIDE, 1, 3, 3);
        weight.data.fill(0, 0, dead * 9);
        return prelu(
          g.conv(prelu(value), weight, { bias: madeNumbers(random, WIDE), padding: 1, groups: WIDE }),
        );
      };
      let y = g.conv(x, madeWeights(random, WIDE, 3, 3, 3), { bias: madeNumbers(random, WIDE) });
      y = g.conv(byChannel(y, 10), madeWeights(random, WIDE, WIDE, 1, 1), {
        bias: madeNumbers(random, WIDE),
      });
      return g.conv(byChannel(y, 26), madeWeights(random, 5, WIDE, 1, 1), { bias: madeNumbers(random, 5) });
    });
    const after = withoutDeadChannels(before);
    assert.deepEqual(widths(after), [32, 32, 16, 16, 5]);
    await assertSame(before, after);
  });

  it('stay where weights are shared', () => {
    const before = bottleneck({ dead: first(10) });
    const [expand] = before.node;
    const twin = { ...expand, name: 'twin', output: ['twin'] };
    assert.deepEqual(
      widths(withoutDeadChannels({ ...before, node: [...before.node, twin] })).slice(0, 3),
      [40, 40, 5],
    );
  });
});

describe('PReLU as convolutions', () => {
  for (const slopes of [8, 1]) {
    it(`answers the same with ${slopes} slope(s), of either sign and above one`, async () => {
      const before = network((g, x, random) => {
        const values = madeNumbers(random, slopes).map((value) => value * 2);
        const y = g.conv(x, madeWeights(random, 8, 3, 3, 3), { bias: madeNumbers(random, 8) });
        return g.node('PRelu', [y, g.constant([slopes, 1, 1], values)]);
      });
      const after = withPreluAsConvolutions(before);
      assert.deepEqual(
        after.node.map(({ opType }) => opType),
        ['Conv', 'Relu', 'Conv', 'Conv', 'Add', 'Identity'],
      );
      await assertSame(before, after);
    });
  }

  it('leaves one alone that is not behind a convolution', () => {
    const before = network((g, x) =>
      g.node('PRelu', [x, g.constant([3, 1, 1], Float32Array.of(0.5, -1, 2))]),
    );
    assert.deepEqual(withPreluAsConvolutions(before), before);
  });
});

describe('a first axis that was fixed to one', () => {
  const write = (g: GraphBuilder, x: Value, random: () => number) => {
    let y = g.conv(x, madeWeights(random, 3, 3, 3, 3), { bias: madeNumbers(random, 3), padding: 1 });
    y = g.relu(g.add(y, x));
    return g.reshape(y, [1, -1]);
  };

  it('takes any number of rows and answers each as alone', async () => {
    const before = network(write);
    const after = withFreeBatch(before);
    await assertSame(before, after);
    const row = 3 * SIDE * SIDE;
    for (const count of [1, 3, 8]) {
      const numbers = madeNumbers(seededRandom(count), count * row);
      const { data, dims } = await runGraph(after, numbers, [count, 3, SIDE, SIDE]);
      assert.deepEqual(dims, [count, row]);
      for (let i = 0; i < count; i++) {
        const alone = await runGraph(before, numbers.slice(i * row, (i + 1) * row), SHAPE);
        assert.ok(largestDifference(data.subarray(i * row, (i + 1) * row), [...alone.data]) <= 1e-6);
      }
    }
  });

  const refused: [title: string, write: (g: GraphBuilder, x: Value) => Value, says: RegExp][] = [
    ['a reshape to another shape', (g, x) => g.reshape(x, [3, -1]), /Reshape Reshape_\d is not known/],
    ['a sum over everything', (g, x) => g.node('ReduceSum', [x]), /ReduceSum/],
    ['an addition of a constant', (g, x) => g.add(x, g.scalar(1)), /Add/],
  ];
  for (const [title, odd, says] of refused) {
    it(`is refused for ${title}`, () => {
      assert.throws(() => withFreeBatch(network(odd)), says);
    });
  }
});
