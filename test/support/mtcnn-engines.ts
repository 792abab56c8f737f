import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildONet } from '../../src/models/onnx/graphs/onet.js';
import { buildPNet } from '../../src/models/onnx/graphs/pnet.js';
import { buildRNet } from '../../src/models/onnx/graphs/rnet.js';
import { loadMtcnnWeights } from '../../src/models/onnx/mtcnn-weights.js';
import { type NamedTensors, readTorchState } from '../../src/models/weights/torch-state.js';
import type { MtcnnFiles } from '../../src/vision/detectors/mtcnn-engine.js';
import { detectorAddon } from '../../src/vision/detectors/mtcnn-kernels.js';
import { shared } from './shared.js';
import { SeededMtcnn } from './seeded-weights.js';

export const NETS = ['pnet', 'rnet', 'onet'] as const;
export type Nets = Record<(typeof NETS)[number], NamedTensors>;

/** Loops of our own that this machine can run; none where they were not compiled. */
export const KERNELS = detectorAddon?.kernels() ?? [];

/** Networks that find something in the made pictures. */
export const seededNets = (): Nets => ({
  pnet: new SeededMtcnn('pnet'),
  rnet: new SeededMtcnn('rnet'),
  onet: new SeededMtcnn('onet'),
});

/** Of the reference data. */
export async function publishedNets(): Promise<Nets> {
  const read = (name: string) => readTorchState(shared('weights', 'mtcnn', `${name}.pt`));
  return { pnet: await read('pnet'), rnet: await read('rnet'), onet: await read('onet') };
}

/** Writes the three networks into a folder of their own: {@link removeNetworks}. */
export async function writeNetworks(nets: Nets): Promise<MtcnnFiles> {
  const folder = await mkdtemp(path.join(tmpdir(), 'kaomon-test-'));
  const networks = { pnet: buildPNet(nets.pnet), rnet: buildRNet(nets.rnet), onet: buildONet(nets.onet) };
  const files = { pnet: '', rnet: '', onet: '' };
  for (const name of NETS) {
    files[name] = path.join(folder, `${name}.onnx`);
    await writeFile(files[name], networks[name]);
  }
  return { ...files, weights: await loadMtcnnWeights(files) };
}

export const removeNetworks = ({ pnet }: MtcnnFiles) =>
  rm(path.dirname(pnet), { recursive: true, force: true });
