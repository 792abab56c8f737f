import assert from 'node:assert/strict';
import { cp, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { SEATS } from '../../../src/bench/photographs.js';
import { int8On } from '../../../src/cli/shared/int8.js';
import { loadConfig } from '../../../src/settings/config.js';
import { GraphBuilder } from '../../../src/models/onnx/graph.js';
import type { Tensor } from '../../../src/models/weights/tensor.js';
import { decodeModel, ELEMENT_TYPE } from '../../../src/models/onnx/schema.js';
import { preparePack } from '../../../src/models/packs/prepare.js';
import type { ReadyEmbedder } from '../../../src/models/types.js';
import { embedderIn, readNetwork, writeVariant } from '../../../src/models/packs/variants.js';
import { createEmbedder } from '../../../src/vision/embedder.js';
import { Runtime } from '../../../src/vision/ort.js';
import { runKaomon } from '../../support/command.js';
import { writePortraits } from '../../support/photographs.js';
import { temporaryFolder } from '../../support/temporary.js';
import { seededRandom } from '../../support/vectors.js';

const SIZE = 16;
const LENGTH = 24;
const random = seededRandom(5);

/** Convolutions, branches, a residual and a last layer, as our embedders have them. */
function smallNetwork(): Uint8Array {
  const g = new GraphBuilder('small');
  const weights = (...shape: number[]): Tensor => {
    const inputs = shape.slice(1).reduce((product, size) => product * size, 1);
    const data = Float32Array.from(
      { length: shape[0] * inputs },
      () => (random() - 0.5) * Math.sqrt(12 / inputs),
    );
    return { shape, data };
  };
  const bias = (length: number) => Float32Array.from({ length }, () => (random() - 0.5) / 4);
  const conv = (x: string, out: number, input: number, size: number) =>
    g.relu(g.conv(x, weights(out, input, size, size), { bias: bias(out), padding: 'same' }));
  let x = g.input('faces', ['n', 3, SIZE, SIZE]);
  x = conv(g.mul(g.sub(x, g.scalar(127.5)), g.scalar(1 / 64)), 16, 3, 3);
  x = g.maxPool(x, { size: 2, stride: 2 });
  const both = g.concat([conv(x, 8, 16, 3), conv(x, 8, 16, 1)], 1);
  x = g.relu(g.add(g.conv(both, weights(16, 16, 1, 1)), x));
  x = g.dense(g.flatten(x), weights(16 * (SIZE / 2) ** 2, LENGTH));
  g.output(g.unitLength(x), 'embeddings', ['n', LENGTH]);
  return g.encode();
}

async function stand(t: TestContext) {
  const modelsDir = await temporaryFolder(t);
  const network = path.join(modelsDir, 'small.onnx');
  await writeFile(network, smallNetwork());
  const embedder: ReadyEmbedder = {
    ...{ name: 'small', network, length: LENGTH, size: SIZE, colour: 'rgb', mean: 0, scale: 1 },
    alignment: 'box',
  };
  return { modelsDir, embedder };
}

/** Blots of colour: like faces in that neighbouring pixels are alike, and no two are. */
const blots = (count: number) =>
  Array.from({ length: count }, () => {
    const waves = [0, 1, 2].map(() => ({ x: random() * 1.5, y: random() * 1.5, at: random() * 6 }));
    return Uint8Array.from({ length: 3 * SIZE * SIZE }, (_, i) => {
      const { x, y, at } = waves[i % 3];
      const [column, row] = [Math.floor(i / 3) % SIZE, Math.floor(i / (3 * SIZE))];
      return Math.round(127.5 + 127 * Math.sin(column * x + row * y + at));
    });
  });

async function embed(embedder: ReadyEmbedder, crops: Uint8Array[]): Promise<Float32Array[]> {
  const opened = await createEmbedder(new Runtime({ providers: ['cpu'], threads: 1 }), embedder);
  const vectors = await opened.embed(crops);
  await opened.release();
  return vectors;
}

async function leastCosine(
  a: ReadyEmbedder,
  b: ReadyEmbedder,
  crops: Uint8Array[],
  others = crops,
): Promise<number> {
  const [first, second] = [await embed(a, crops), await embed(b, others)];
  return Math.min(
    ...first.map((vector, i) => vector.reduce((sum, value, k) => sum + value * second[i][k], 0)),
  );
}

describe('an embedder in int8', () => {
  it('has the embeddings of the float one, nearly, and its convolutions in bytes', async (t) => {
    const { modelsDir, embedder } = await stand(t);
    const { whole, likeness } = await int8On(blots(40), await readNetwork(embedder), embedder);
    assert.equal(likeness.faces, 20);
    assert.ok(likeness.least > 0.99 && likeness.least < 1, `cosine ${likeness.least}`);
    const variant = await writeVariant('int8', embedder, modelsDir, whole, likeness);
    const found = await embedderIn('int8', embedder, modelsDir);
    assert.deepEqual(found, variant);
    assert.equal(found.precision, 'int8');
    const [crops, others] = [blots(20), blots(20)];
    const cosine = await leastCosine(embedder, found, crops);
    assert.ok(cosine > 0.99 && cosine < 1, `cosine ${cosine}`);
    // Or it would say nothing: the embeddings of two crops are far apart.
    assert.ok((await leastCosine(embedder, embedder, crops, others)) < 0.5);
    const graph = await readNetwork(found);
    const weights = graph.initializer.filter(({ dims }) => dims.length === 4);
    assert.deepEqual(
      weights.map(({ dataType }) => dataType),
      [ELEMENT_TYPE.int8, ELEMENT_TYPE.int8, ELEMENT_TYPE.int8, ELEMENT_TYPE.int8],
    );
  });

  it('is asked for in vain before it is made, and once the network is another', async (t) => {
    const { modelsDir, embedder } = await stand(t);
    const refusal = { code: 'SETUP', message: /npm run models -- --int8 PICTURES/ };
    await assert.rejects(embedderIn('int8', embedder, modelsDir), refusal);
    const { whole } = await int8On(blots(10), await readNetwork(embedder), embedder);
    await writeVariant('int8', embedder, modelsDir, whole);
    await embedderIn('int8', embedder, modelsDir);
    // The same bytes in a copy of the folder are the same network.
    await writeFile(embedder.network, await readFile(embedder.network));
    await embedderIn('int8', embedder, modelsDir);
    await writeFile(embedder.network, smallNetwork());
    await assert.rejects(embedderIn('int8', embedder, modelsDir), refusal);
  });

  it('is not made of a network whose make is not known', async (t) => {
    const { embedder } = await stand(t);
    const bytes = Buffer.from(await readFile(embedder.network));
    bytes.write('nobody', bytes.indexOf('kaomon'));
    await writeFile(embedder.network, bytes);
    await assert.rejects(readNetwork(embedder), { code: 'SETUP', message: /not built here/ });
    await writeFile(embedder.network, 'no network');
    await assert.rejects(readNetwork(embedder), { code: 'SETUP', message: /not built here/ });
  });

  it('is made by the command on real faces', async (t) => {
    const pictures = await temporaryFolder(t);
    for (const [i, seat] of SEATS.entries()) await writePortraits(path.join(pictures, `${i}`), seat);
    const modelsDir = path.join(await temporaryFolder(t), 'models');
    const { MODELS_DIR } = loadConfig({});
    await preparePack('faceapi', { modelsDir: MODELS_DIR });
    await cp(MODELS_DIR, modelsDir, { recursive: true, preserveTimestamps: true });
    const env = { MODELS_DIR: modelsDir, MODEL_PACK: 'faceapi' };
    const few = await runKaomon(['models', '--int8', path.join(pictures, '0')], env);
    assert.equal(few.code, 1);
    assert.match(few.text, /have \d+ faces: at least 20 are needed/);
    const made = await runKaomon(['models', '--int8', pictures], env);
    assert.equal(made.code, 0, made.text);
    const [, least] = /at least (0\.\d+)\./.exec(made.text) ?? [];
    assert.ok(Number(least) > 0.99, made.text);
    const list = await runKaomon(['models'], env);
    assert.match(list.text, /form +int8 +cosine at least 0\.99\d\d, on \d+ faces/);
    const { embedder } = await preparePack('faceapi', { modelsDir, precision: 'int8' });
    const float = await preparePack('faceapi', { modelsDir });
    const sizes = await Promise.all([stat(embedder.network), stat(float.embedder.network)]);
    assert.ok(sizes[0].size * 3 < sizes[1].size);
  });
});

describe('an embedder in float16', () => {
  it('is made where it is asked for, and has the embeddings of the float one, nearly', async (t) => {
    const { modelsDir, embedder } = await stand(t);
    const half = await embedderIn('float16', embedder, modelsDir);
    const { mtimeMs } = await stat(half.network);
    const cosine = await leastCosine(embedder, half, blots(20));
    assert.ok(cosine > 0.9999, `cosine ${cosine}`);
    assert.ok((await stat(half.network)).size < (await stat(embedder.network)).size);
    await embedderIn('float16', embedder, modelsDir);
    assert.equal((await stat(half.network)).mtimeMs, mtimeMs);
  });
});

it('a network that we wrote reads back as it was', async (t) => {
  const { embedder } = await stand(t);
  const graph = decodeModel(await readFile(embedder.network));
  assert.equal(graph?.input[0].name, 'faces');
  assert.ok(graph.node.some(({ opType }) => opType === 'MaxPool'));
});
