import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { KaomonError } from '../../../src/platform/errors.js';
import { buildONet } from '../../../src/models/onnx/graphs/onet.js';
import { buildPNet } from '../../../src/models/onnx/graphs/pnet.js';
import { buildRNet } from '../../../src/models/onnx/graphs/rnet.js';
import { readModel } from '../../../src/models/onnx/schema.js';
import { type NamedTensors, parseTorchState } from '../../../src/models/weights/torch-state.js';
import { AreaTable } from '../../../src/vision/area.js';
import { largestDifference, seededGolden } from '../../support/golden.js';
import { SeededMtcnn, seededPicture, seededTensor } from '../../support/seeded-weights.js';
import { temporaryFolder } from '../../support/temporary.js';
import { writeLegacy } from '../../support/torch-files.js';

async function run(network: Uint8Array, input: string, numbers: Float32Array, shape: number[]) {
  const session = await InferenceSession.create(network, { logSeverityLevel: 3 });
  const answers = await session.run({ [input]: new Tensor('float32', numbers, shape) });
  await session.release();
  return Object.fromEntries(
    Object.entries(answers).map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]),
  );
}

/** Two parts of one made picture, resampled to `side`. */
function pairOfFaces(side: number): Float32Array {
  const table = new AreaTable();
  table.load(seededPicture('nets', 96, 48, 4));
  const faces = new Float32Array(2 * 3 * side * side);
  for (const i of [0, 1]) {
    table.resample({ x: 48 * i, y: 0, width: 48, height: 48 }, side, side, faces, i * 3 * side * side);
  }
  return faces;
}

const NETWORKS = { pnet: buildPNet, rnet: buildRNet, onet: buildONet };
const golden = seededGolden();
const close = (actual: { data: Float32Array }, expected: number[], what: string) => {
  const difference = largestDifference(actual.data, expected);
  assert.ok(difference < 2e-5, `${what}: ${difference}`);
};

describe('MTCNN graphs', () => {
  it('P-Net answers what PyTorch answers, with slopes of both signs and odd sizes', async () => {
    const table = new AreaTable();
    table.load(seededPicture('nets', 96, 48, 4));
    const image = new Float32Array(3 * 37 * 44);
    table.resample({ x: 0, y: 0, width: 44, height: 37 }, 44, 37, image);
    const { probability, regression } = await run(
      buildPNet(new SeededMtcnn('pnet')),
      'image',
      image,
      [1, 3, 37, 44],
    );
    assert.deepEqual(probability.dims, [1, 1, 14, 17]);
    assert.deepEqual(regression.dims, [1, 4, 14, 17]);
    close(probability, golden.pnet[0], 'probability');
    close(regression, golden.pnet[1], 'regression');
  });

  it('R-Net does', async () => {
    const network = buildRNet(new SeededMtcnn('rnet'));
    const { probability, regression } = await run(network, 'faces', pairOfFaces(24), [2, 3, 24, 24]);
    assert.deepEqual([probability.dims, regression.dims], [[2], [2, 4]]);
    close(probability, golden.rnet[0], 'probability');
    close(regression, golden.rnet[1], 'regression');
  });

  it('O-Net does', async () => {
    const network = buildONet(new SeededMtcnn('onet'));
    const answers = await run(network, 'faces', pairOfFaces(48), [2, 3, 48, 48]);
    assert.deepEqual(answers.landmarks.dims, [2, 10]);
    close(answers.probability, golden.onet[0], 'probability');
    close(answers.regression, golden.onet[1], 'regression');
    close(answers.landmarks, golden.onet[2], 'landmarks');
  });

  it('takes slopes that are all positive, too', async () => {
    class Positive extends SeededMtcnn {
      override tensor(name: string, shape?: readonly number[]) {
        const tensor = super.tensor(name, shape);
        return name.startsWith('prelu') ? { ...tensor, data: tensor.data.map(Math.abs) } : tensor;
      }
    }
    /** Slopes that are not known to be positive take the long way; a channel of no weight leads it there. */
    class LongWay extends Positive {
      override tensor(name: string, shape?: readonly number[]) {
        const tensor = super.tensor(name, shape);
        if (name === 'prelu1.weight') tensor.data[0] = -1;
        if (name === 'conv2.weight') tensor.data.forEach((_, i) => i % 90 < 9 && (tensor.data[i] = 0));
        return tensor;
      }
    }
    class ShortWay extends LongWay {
      override tensor(name: string, shape?: readonly number[]) {
        const tensor = super.tensor(name, shape);
        if (name === 'prelu1.weight') tensor.data[0] = 1;
        return tensor;
      }
    }
    const image = pairOfFaces(48).subarray(0, 3 * 48 * 48);
    const ways = [new LongWay('pnet'), new ShortWay('pnet')].map((weights) =>
      run(buildPNet(weights), 'image', image, [1, 3, 48, 48]),
    );
    const [long, short] = await Promise.all(ways);
    assert.ok(largestDifference(long.regression.data, short.regression.data) < 2e-5);
    assert.ok(largestDifference(long.probability.data, short.probability.data) < 2e-5);
  });

  for (const [net, build] of Object.entries(NETWORKS)) {
    it(`${net}: leaves ONNX Runtime's blocked layout once, at the heads, whatever its blocks hold here`, async (t) => {
      const optimizedModelFilePath = path.join(await temporaryFolder(t), 'optimised.onnx');
      const options = { logSeverityLevel: 3, optimizedModelFilePath } as const;
      const session = await InferenceSession.create(build(new SeededMtcnn(net as 'pnet')), options);
      await session.release();
      const nodes = readModel(await readFile(optimizedModelFilePath))?.graph?.node ?? [];
      assert.ok(nodes.length > 10);
      // None at all where the processor's kind has no such layout.
      assert.ok(nodes.filter(({ opType }) => opType === 'ReorderOutput').length <= 1);
    });

    it(`${net}: refuses by name every tensor that is missing or has another shape`, async () => {
      const all = new SeededMtcnn(net as 'pnet');
      build(all);
      const names = [...new Map(all.specs.map(({ name, shape }) => [name, shape]))];
      assert.ok(names.length >= 13);
      for (const [broken] of names) {
        for (const remedy of ['missing', 'shape'] as const) {
          const tensors = names
            .filter(([name]) => remedy !== 'missing' || name !== broken)
            .map(([name, shape]) => seededTensor({ name, shape: name === broken ? [...shape, 1] : shape }));
          const file = await parseTorchState(writeLegacy(tensors), 'net.pt');
          const named: NamedTensors = {
            tensor: (name, shape) => file.tensor(`${net}.${name}`, shape),
            values: (name, length) => file.values(`${net}.${name}`, length),
          };
          assert.throws(
            () => build(named),
            (error) =>
              error instanceof KaomonError && error.code === 'SETUP' && error.message.includes(`"${broken}"`),
            `${broken} ${remedy}`,
          );
        }
      }
    });
  }
});
