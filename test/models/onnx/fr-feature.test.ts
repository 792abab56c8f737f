import assert from 'node:assert/strict';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { KaomonError } from '../../../src/platform/errors.js';
import { buildFrFeature } from '../../../src/models/onnx/graphs/fr-feature.js';
import { GraphBuilder, type Value } from '../../../src/models/onnx/graph.js';
import { encodeModel, type GraphMessage } from '../../../src/models/onnx/schema.js';
import type { ReadyEmbedder } from '../../../src/models/types.js';
import { embedderIn } from '../../../src/models/packs/variants.js';
import { createEmbedder } from '../../../src/vision/embedder.js';
import { Runtime } from '../../../src/vision/ort.js';
import { FR_FEATURE, FR_FEATURE_MISSING } from '../../support/fr-feature.js';
import { madeNumbers, madeWeights, messageOf, runGraph } from '../../support/graphs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { seededRandom } from '../../support/vectors.js';

const SIZE = 112;
const LENGTH = 512;
const FACE = 3 * SIZE * SIZE;

/** A small network in the form of the published one: batch of one, bottlenecks, PReLU, a depthwise end, Reshape. */
function published(change: (graph: GraphMessage) => void = () => undefined): Uint8Array {
  const random = seededRandom(17);
  const g = new GraphBuilder('torch-jit-export');
  const conv = (x: Value, [out, input, side]: number[], stride = 1, padding: number | 'valid' = 'valid') => {
    const groups = input === 1 ? out : 1;
    return g.conv(x, madeWeights(random, out, input, side, side), {
      bias: madeNumbers(random, out),
      stride,
      padding,
      groups,
    });
  };
  const prelu = (x: Value, channels: number) => g.prelu(x, madeNumbers(random, channels));
  let x = g.input('input', [1, 3, SIZE, SIZE]);
  x = prelu(conv(x, [20, 3, 3], 8, 1), 20);
  x = prelu(conv(x, [20, 1, 3], 2, 1), 20);
  x = conv(x, [24, 20, 1]);
  const inner = prelu(conv(prelu(conv(x, [40, 24, 1]), 40), [40, 1, 3], 1, 1), 40);
  x = g.add(x, conv(inner, [24, 40, 1]));
  x = prelu(conv(x, [LENGTH, 24, 1]), LENGTH);
  x = g.reshape(conv(conv(x, [LENGTH, 1, 7]), [LENGTH, LENGTH, 1]), [1, -1]);
  g.output(x, 'output', [1, LENGTH]);
  const graph = messageOf(g);
  change(graph);
  return encodeModel(graph);
}

const faces = (count: number) => madeNumbers(seededRandom(count), count * FACE);

function cosine(a: Float32Array, b: Float32Array): number {
  const dot = (x: Float32Array, y: Float32Array) => x.reduce((sum, value, i) => sum + value * y[i], 0);
  return dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
}

/** Each face by itself through the network as it was, all together through the rewritten one. */
async function assertSameEmbeddings(onnx: Uint8Array, count: number): Promise<void> {
  const [built, given] = [buildFrFeature(onnx), faces(count)];
  const together = await runGraph(built, given, [count, 3, SIZE, SIZE]);
  assert.deepEqual(together.dims, [count, LENGTH]);
  for (let i = 0; i < count; i++) {
    const face = given.slice(i * FACE, (i + 1) * FACE);
    const found = together.data.subarray(i * LENGTH, (i + 1) * LENGTH);
    const before = await runGraph(onnx, face, [1, 3, SIZE, SIZE]);
    assert.ok(Math.abs(Math.hypot(...found) - 1) < 1e-6);
    assert.ok(cosine(before.data, found) > 0.999999, `cosine ${cosine(before.data, found)}`);
    const alone = await runGraph(built, face, [1, 3, SIZE, SIZE]);
    assert.ok(cosine(alone.data, found) > 0.9999999);
  }
}

async function embedder(t: TestContext, onnx: Uint8Array): Promise<ReadyEmbedder & { folder: string }> {
  const folder = await temporaryFolder(t);
  const network = path.join(folder, 'embedder.onnx');
  await writeFile(network, buildFrFeature(onnx));
  return {
    ...{
      folder,
      name: 'fr_feature',
      network,
      length: LENGTH,
      size: SIZE,
      colour: 'rgb',
      mean: 127,
      scale: 1 / 128,
    },
    alignment: 'five-points',
  };
}

async function embed(spec: ReadyEmbedder, crops: Uint8Array[], cacheDir?: string): Promise<Float32Array[]> {
  const opened = await createEmbedder(
    new Runtime({ providers: ['cpu'], threads: 1, ...(cacheDir && { cacheDir }) }),
    spec,
  );
  const vectors = await opened.embed(crops);
  await opened.release();
  return vectors;
}

const noise = (count: number) => {
  const random = seededRandom(2);
  return Array.from({ length: count }, () => Uint8Array.from({ length: FACE }, () => random() * 256));
};

function suite(onnx: () => Promise<Uint8Array>): void {
  for (const count of [1, 3, 8]) {
    it(`gives the embeddings of the published network, ${count} a run`, async () => {
      await assertSameEmbeddings(await onnx(), count);
    });
  }

  it('is built to the same bytes, and leaves the given ones as they are', async () => {
    const given = await onnx();
    const before = Buffer.from(given);
    const once = Buffer.from(buildFrFeature(given));
    assert.ok(once.equals(Buffer.from(buildFrFeature(given))));
    assert.ok(before.equals(Buffer.from(given)));
  });

  it('gives them as it is optimised for this machine', async (t) => {
    const spec = await embedder(t, await onnx());
    const cacheDir = path.join(spec.folder, 'cache');
    const expected = await embed(spec, noise(2));
    // Made the first time, read the second.
    for (let i = 0; i < 2; i++) {
      const found = await embed(spec, noise(2), cacheDir);
      found.forEach((vector, k) => assert.ok(cosine(vector, expected[k]) > 0.9999999));
    }
    assert.equal((await readdir(path.join(cacheDir, 'networks'))).length, 1);
  });

  it('has a form in float16, nearly alike, and none in int8, which is said', async (t) => {
    const spec = await embedder(t, await onnx());
    const half = await embedderIn('float16', spec, spec.folder);
    const [expected, found] = [await embed(spec, noise(3)), await embed(half, noise(3))];
    found.forEach((vector, i) => assert.ok(cosine(vector, expected[i]) > 0.9999));
    const refusal = { code: 'SETUP', message: /fr_feature has no int8 form: .* EMBEDDER_PRECISION=float32/ };
    await assert.rejects(embedderIn('int8', spec, spec.folder), refusal);
  });
}

describe('fr_feature, a made network of its form', () => {
  suite(async () => await Promise.resolve(published()));

  const refused: [title: string, onnx: () => Uint8Array, says: RegExp][] = [
    ['no network', () => new TextEncoder().encode('<html>not found</html>'), /it is not an ONNX model/],
    ['nothing', () => new Uint8Array(), /it is not an ONNX model/],
    ['a file cut short', () => published().subarray(0, 500_000), /it is not an ONNX model/],
    [
      'another input',
      () =>
        published(
          ({ input }) => (input[0].type.tensorType.shape = { dim: [{ dimValue: 1 }, { dimValue: 3 }] }),
        ),
      /input is different/,
    ],
    ['two outputs', () => published(({ output }) => output.push(output[0])), /its output is different/],
    [
      'weights that are not there',
      () => published(({ initializer }) => (initializer[4].rawData = new Uint8Array())),
      /weights constant_\d+ are incomplete/,
    ],
    [
      'an operator that mixes faces',
      () => published(({ node }) => (node[node.length - 1].opType = 'Softmax')),
      /Softmax output is not known to take any number of rows/,
    ],
  ];
  for (const [title, onnx, says] of refused) {
    it(`is refused for ${title}`, () => {
      assert.throws(
        () => buildFrFeature(onnx()),
        (error) => error instanceof KaomonError && error.code === 'SETUP' && says.test(error.message),
      );
    });
  }
});

it('a damaged file of fr_feature is refused as one, or is a network', () => {
  const given = published();
  const random = seededRandom(4);
  let refused = 0;
  // The structure comes first, then the weights.
  for (let i = 0; i < 120; i++) {
    const damaged = Uint8Array.from(given);
    damaged[Math.floor(random() * 3000)] = random() * 256;
    try {
      buildFrFeature(damaged);
    } catch (error) {
      assert.ok(error instanceof KaomonError && error.code === 'SETUP', String(error));
      refused += 1;
    }
  }
  assert.ok(refused > 10, `${refused} refused`);
});

describe('fr_feature, the published network', { skip: FR_FEATURE_MISSING }, () => {
  suite(async () => await readFile(FR_FEATURE ?? ''));

  it('loses its dead channels and is three quarters of its size', async () => {
    const onnx = await readFile(FR_FEATURE ?? '');
    assert.ok(buildFrFeature(onnx).length < 0.75 * onnx.length);
  });
});
