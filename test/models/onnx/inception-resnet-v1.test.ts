import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { before, describe, it } from 'node:test';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import sharp from 'sharp';
import { buildInceptionResnetV1 } from '../../../src/models/onnx/graphs/inception-resnet-v1.js';
import { parseTorchState } from '../../../src/models/weights/torch-state.js';
import { toPlanes } from '../../../src/vision/resample.js';
import { largestDifference, seededGolden } from '../../support/golden.js';
import { SHARED_MISSING, shared } from '../../support/shared.js';
import { SeededTensors, seededPicture, seededTensor } from '../../support/seeded-weights.js';
import { writeLegacy } from '../../support/torch-files.js';

const FACE = 3 * 160 * 160;

/** Writes the state dict as the published file is written, reads it again and opens the network. */
async function open(specs: { name: string; shape: readonly number[] }[]): Promise<InferenceSession> {
  const state = await parseTorchState(writeLegacy(specs.map(seededTensor)), 'seeded.pt');
  return await InferenceSession.create(buildInceptionResnetV1(state), { logSeverityLevel: 3 });
}

async function embed(session: InferenceSession, pictures: Uint8Array[]): Promise<Float32Array[]> {
  const faces = new Float32Array(pictures.length * FACE);
  pictures.forEach((pixels, i) => toPlanes(pixels, 160, 160, faces, { side: 160, start: i * FACE }));
  const { embeddings } = await session.run({
    faces: new Tensor('float32', faces, [pictures.length, 3, 160, 160]),
  });
  const numbers = embeddings.data as Float32Array;
  return pictures.map((_, i) => numbers.slice(i * 512, (i + 1) * 512));
}

describe('InceptionResnetV1', () => {
  const weights = new SeededTensors();
  let session: InferenceSession;

  before(async () => {
    buildInceptionResnetV1(weights);
    session = await open(weights.specs);
  });

  it('embeds as PyTorch does, any number of faces at once', async () => {
    const golden = Object.entries(seededGolden().embeddings);
    const pictures = golden.map(([name]) => seededPicture(name, 160, 160, 10).data);
    const embeddings = await embed(session, pictures);
    embeddings.forEach((embedding, i) => {
      assert.ok(largestDifference(embedding.subarray(0, 64), golden[i][1]) < 1e-5, golden[i][0]);
      assert.ok(Math.abs(Math.hypot(...embedding) - 1) < 1e-5, 'unit length');
    });
    const [alone] = await embed(session, pictures.slice(1));
    assert.ok(
      largestDifference(alone, embeddings[1]) < 1e-5,
      'a face alone has the embedding that it has in a batch',
    );
    await session.release();
  });

  it('refuses by name a missing tensor and a wrong shape', async () => {
    const [, second, ...others] = weights.specs;
    const tensors = (specs: typeof weights.specs) =>
      parseTorchState(writeLegacy(specs.map(seededTensor)), 'net.pt');
    const lacking = await tensors([second]);
    assert.throws(() => buildInceptionResnetV1(lacking), /no tensor "conv2d_1a.conv.weight"/);
    const wrong = { name: 'conv2d_1a.conv.weight', shape: [32, 3, 3, 4] };
    const wrongly = await tensors([wrong, second, ...others.slice(0, 3)]);
    assert.throws(
      () => buildInceptionResnetV1(wrongly),
      /"conv2d_1a.conv.weight" has the shape \[32, 3, 3, 4\], not \[32, 3, 3, 3\]/,
    );
  });

  it('embeds the reference crops as the reference does', { skip: SHARED_MISSING }, async () => {
    const spec = JSON.parse(
      await readFile(shared('weights/inception-resnet-v1/state-dict.json'), 'utf8'),
    ) as {
      tensors: { name: string; shape: number[] }[];
    };
    const full = await open(spec.tensors);
    const { embeddings } = JSON.parse(await readFile(shared('golden/embeddings-seeded.json'), 'utf8')) as {
      embeddings: Record<string, number[]>;
    };
    for (const [name, expected] of Object.entries(embeddings)) {
      const pixels = await sharp(shared(name), { ignoreIcc: true }).removeAlpha().raw().toBuffer();
      const [actual] = await embed(full, [pixels]);
      assert.ok(largestDifference(actual, expected) < 1e-4, name);
    }
    await full.release();
  });
});
