#!/usr/bin/env node
/**
 * How long and how much memory the conversion of the large published file takes: made weights of the same names and
 * shapes (../shared/weights/inception-resnet-v1/state-dict.json) are written in the published file's format by one
 * process and converted by another, past the checksum, which only the published file has.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';

const DIST = new URL('../../dist/', import.meta.url);
const SPECS = new URL('../../../shared/weights/inception-resnet-v1/state-dict.json', import.meta.url);

/** @param {string} file */
async function write(file) {
  const { seededTensor } = await import(new URL('test/support/seeded-weights.js', DIST).href);
  const { writeLegacy } = await import(new URL('test/support/torch-files.js', DIST).href);
  /** @type {{tensors: {name: string, shape: number[]}[]}} */
  const { tensors } = JSON.parse(readFileSync(SPECS, 'utf8'));
  writeFileSync(file, writeLegacy(tensors.map(({ name, shape }) => seededTensor({ name, shape }))));
}

/** @param {string} file */
async function convert(file) {
  const { FACENET_EMBEDDER } = await import(new URL('src/models/packs/components.js', DIST).href);
  const started = performance.now();
  const network = await FACENET_EMBEDDER.networks[0].build(() => file);
  writeFileSync(`${file}.onnx`, network);
  const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
  const seconds = (/** @type {number} */ milliseconds) => (milliseconds / 1000).toFixed(1);
  console.log(
    `${network.byteLength} bytes in ${seconds(performance.now() - started)} s, ${seconds((userCPUTime + systemCPUTime) / 1000)} s of processor time, peak ${Math.round(maxRSS / 1024)} MB`,
  );
}

const [step = '', file = ''] = process.argv.slice(2);
if (step === 'write') await write(file);
else if (step === 'convert') await convert(file);
else if (!existsSync(SPECS)) {
  console.error(
    `The names and shapes of the weights are not here (${fileURLToPath(SPECS)}): they come with the reference data, which lies beside the checkout where this was measured.`,
  );
  process.exitCode = 1;
} else {
  const folder = mkdtempSync(path.join(tmpdir(), 'kaomon-test-'));
  try {
    for (const next of ['write', 'convert']) {
      const args = [fileURLToPath(import.meta.url), next, path.join(folder, 'seeded.pt')];
      const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
      if (status !== 0) process.exit(1);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
