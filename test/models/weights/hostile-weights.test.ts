import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { KaomonError } from '../../../src/platform/errors.js';
import { BUILDER_VERSION, type Component } from '../../../src/models/component.js';
import { ensureComponent } from '../../../src/models/packs/component-store.js';
import { MTCNN } from '../../../src/models/packs/components.js';
import { sha256Of } from '../../../src/models/files.js';
import { buildONet } from '../../../src/models/onnx/graphs/onet.js';
import { buildPNet } from '../../../src/models/onnx/graphs/pnet.js';
import { buildRNet } from '../../../src/models/onnx/graphs/rnet.js';
import type { NamedTensors } from '../../../src/models/weights/torch-state.js';
import { runKaomon } from '../../support/command.js';
import { seededTensor, SeededTensors } from '../../support/seeded-weights.js';
import { temporaryFolder } from '../../support/temporary.js';
import { PickleWriter, type TensorToWrite, writeLegacy, writeStoredZip } from '../../support/torch-files.js';

/** The form of MTCNN's weights that PyTorch wrote. */
const TORCH = MTCNN.forms[1];

const BUILDERS: Record<string, (state: NamedTensors) => Uint8Array> = {
  'pnet.pt': buildPNet,
  'rnet.pt': buildRNet,
  'onet.pt': buildONet,
};

/** All tensors that a network asks for, with made numbers. */
function tensorsOf(file: string): TensorToWrite[] {
  const asked = new SeededTensors();
  BUILDERS[file](asked);
  return asked.specs.map(seededTensor);
}

/** What is wrong with a file of weights, how it is made so, and the words that say so when it is read. */
const HOSTILE: [what: string, make: (file: string, mark: string) => Buffer, words: RegExp][] = [
  [
    'that calls a function',
    (_file, mark) => {
      const call = new PickleWriter().global('os', 'system').raw(0x28).text(`touch ${mark}`).raw(0x74, 0x52);
      return writeStoredZip([['archive/data.pkl', call.end()]]);
    },
    /asks for "os system"/,
  ],
  [
    'that is cut off',
    (file) => {
      const whole = writeLegacy(tensorsOf(file));
      return whole.subarray(0, whole.length - 100);
    },
    /is cut off/,
  ],
  [
    'with a tensor of another shape',
    (file) =>
      writeLegacy(
        tensorsOf(file).map((tensor) =>
          tensor.name === 'conv2.weight' ? { ...tensor, shape: [...tensor.shape].reverse() } : tensor,
        ),
      ),
    /"conv2\.weight" has the shape \[/,
  ],
  [
    'without one of its tensors',
    (file) => writeLegacy(tensorsOf(file).filter(({ name }) => name !== 'conv3.bias')),
    /holds no tensor "conv3\.bias"/,
  ],
];

/** A models folder, a place with whole (but made) files of MTCNN, and a file that only a hostile one would make. */
async function prepare(t: TestContext) {
  const folder = await temporaryFolder(t);
  const [modelsDir, place] = [path.join(folder, 'models'), path.join(folder, 'carried')];
  await mkdir(modelsDir);
  await mkdir(place);
  const mark = path.join(folder, 'was-run');
  const put = (file: string, bytes: Uint8Array) => writeFile(path.join(place, file), bytes);
  for (const file of Object.keys(BUILDERS)) await put(file, writeLegacy(tensorsOf(file)));

  /** Every file below the models folder with the checksum of its content; folders that are empty count, too. */
  async function content(): Promise<Record<string, string>> {
    const entries = await readdir(modelsDir, { recursive: true, withFileTypes: true });
    const found = entries.map(async (entry) => {
      const name = path.join(entry.parentPath, entry.name);
      const sum = entry.isFile() ? sha256Of(await readFile(name)) : 'folder';
      return [path.relative(modelsDir, name), sum] as const;
    });
    return Object.fromEntries((await Promise.all(found)).sort());
  }

  /** MTCNN as if the files in the place were the published ones. */
  async function published(): Promise<Component> {
    const sources = TORCH.sources.map(async (source) => {
      const bytes = await readFile(path.join(place, source.file));
      return { ...source, bytes: bytes.length, sha256: sha256Of(bytes) };
    });
    return { ...MTCNN, forms: [{ ...TORCH, sources: await Promise.all(sources) }] };
  }

  const install = async () => ensureComponent(await published(), { modelsDir, sourceDirs: [place] });
  return { modelsDir, place, put, mark, content, install };
}

/** `npm run models -- --from PLACE`. */
const runFrom = (place: string, modelsDir: string) =>
  runKaomon(['models', '--from', place], { MODELS_DIR: modelsDir });

/** MTCNN as the command finds it when the published files were installed: it looks at sizes and the manifest. */
async function pretendInstalled(modelsDir: string): Promise<void> {
  const network = Buffer.from('a network');
  await mkdir(path.join(modelsDir, MTCNN.id));
  for (const { file } of TORCH.networks) await writeFile(path.join(modelsDir, MTCNN.id, file), network);
  const manifest = {
    ...{
      format: 'kaomon-component',
      component: MTCNN.id,
      builder: BUILDER_VERSION,
      built: '2024-01-01T00:00:00.000Z',
    },
    licence: MTCNN.licence,
    sources: TORCH.sources.map((source) => ({
      ...{ file: source.file, from: 'where it was', modified: 0 },
      ...('sha256' in source && { bytes: source.bytes, sha256: source.sha256 }),
    })),
    networks: TORCH.networks.map(({ file }) => ({ file, bytes: network.length, sha256: sha256Of(network) })),
  };
  await writeFile(path.join(modelsDir, MTCNN.id, 'manifest.json'), JSON.stringify(manifest));
}

describe('npm run models -- --from, hostile weights', () => {
  for (const [what, make] of HOSTILE) {
    it(`refuses a file ${what} by name and leaves models/ as it was, whatever was installed`, async (t) => {
      const { modelsDir, place, put, mark, content } = await prepare(t);
      const [{ file, bytes: size }] = TORCH.sources.filter((source) => 'bytes' in source);
      const hostile = make(file, mark);
      // As long as the published one, so that it is not its length that gives it away.
      const padded = Buffer.alloc(size);
      hostile.copy(padded);
      for (const installed of [false, true]) {
        if (installed) await pretendInstalled(modelsDir);
        const before = await content();
        for (const bytes of [hostile, padded]) {
          await put(file, bytes);
          const { code, text } = await runFrom(place, modelsDir);
          assert.equal(code, 1, text);
          assert.match(text, /^kaomon: \S*pnet\.pt is not the published file/m);
          assert.deepEqual(await content(), before);
        }
      }
      assert.ok(!existsSync(mark));
    });
  }

  it('refuses a hostile file also where the others of its network are missing', async (t) => {
    const { modelsDir, place, put, mark, content } = await prepare(t);
    const lonely = path.join(place, 'pnet.pt');
    await put('pnet.pt', HOSTILE[0][1]('pnet.pt', mark));
    const { code, text } = await runFrom(lonely, modelsDir);
    assert.equal(code, 1);
    assert.match(text, /pnet\.pt is not the published file/);
    assert.deepEqual(await content(), {});
  });
});

describe('weights whose checksum is as published, hostile all the same', () => {
  for (const [what, make, words] of HOSTILE) {
    it(`are refused by name when a file is one ${what}; what was installed stays, whole files are taken next`, async (t) => {
      const { put, mark, content, install } = await prepare(t);
      // The last of the three: the networks of the others are built by then.
      const whole = writeLegacy(tensorsOf('onet.pt'));
      const hostile = make('onet.pt', mark);
      const refuse = async () => {
        await put('onet.pt', hostile);
        await assert.rejects(install, (error) => {
          assert.ok(error instanceof KaomonError && error.code === 'SETUP', String(error));
          assert.match(error.message, /onet\.pt/);
          assert.match(error.message, words);
          return true;
        });
      };
      await refuse();
      assert.deepEqual(await content(), {});

      await put('onet.pt', whole);
      await install();
      const before = await content();
      assert.deepEqual(Object.keys(before).sort(), [
        'mtcnn',
        ...['manifest.json', 'onet.onnx', 'pnet.onnx', 'rnet.onnx'].map((name) => `mtcnn/${name}`),
      ]);
      await refuse();
      assert.deepEqual(await content(), before);
      assert.ok(!existsSync(mark));
    });
  }
});
