import assert from 'node:assert/strict';
import { copyFile, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { KaomonError } from '../../src/platform/errors.js';
import { PUBLISHED } from '../../src/models/packs/fingerprints-published.js';
import { GraphBuilder, type Value } from '../../src/models/onnx/graph.js';
import { buildONet } from '../../src/models/onnx/graphs/onet.js';
import { buildPNet } from '../../src/models/onnx/graphs/pnet.js';
import { buildRNet } from '../../src/models/onnx/graphs/rnet.js';
import { createMtcnnDetector } from '../../src/vision/detectors/mtcnn.js';
import { preparePack } from '../../src/models/packs/prepare.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { createAnalyzer } from '../../src/vision/analyzer.js';
import { createEmbedder } from '../../src/vision/embedder.js';
import { Runtime } from '../../src/vision/ort.js';
import { madeFaces, strangeness } from '../../src/vision/self-check.js';
import { onlyValid } from '../../src/vision/valid-output.js';
import { benchPack } from '../support/bench-pack.js';
import { brokenMachine, type Spoil, SPOILS } from '../support/broken-provider.js';
import { measureFingerprints, packsAtHand } from '../support/fingerprints.js';
import { seededGolden } from '../support/golden.js';
import { SeededMtcnn, seededPicture } from '../support/seeded-weights.js';
import { runToEnd } from '../support/server.js';
import { tinyNetwork, writeOwnPack } from '../support/own-pack.js';
import { shared, SHARED_MISSING } from '../support/shared.js';
import { temporaryFolder } from '../support/temporary.js';

const SIZE = 8;
const CELLS = 2;
/** Twelve numbers. */
const FIXED = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i + 1));
const PROVIDERS = ['cuda', 'webgpu', 'cpu'];

/** A network of one input "data" [n, 3, 8, 8] and one output "fc1" [n, 12]. */
function network(answer: (g: GraphBuilder, cells: Value) => Value): Uint8Array {
  const g = new GraphBuilder('tiny');
  const x = g.input('data', ['n', 3, SIZE, SIZE]);
  const cells = g.flatten(g.averagePool(x, { size: SIZE / CELLS, stride: SIZE / CELLS }));
  g.output(answer(g, cells), 'fc1', ['n', 3 * CELLS * CELLS]);
  return g.encode();
}

async function write(
  t: TestContext,
  bytes = network((_, cells) => cells),
  name = 'tiny.onnx',
): Promise<string> {
  const file = path.join(await temporaryFolder(t), name);
  await writeFile(file, bytes);
  return file;
}

const probe = () => ({ data: madeFaces(SIZE) });

/** Opens a network as a vision thread does. @returns the provider that serves, and why others do not */
async function open(file: string, broken: Record<string, Spoil> = {}, providers = PROVIDERS) {
  const always = Object.entries(broken).map(([provider, spoil]) => [provider, () => spoil] as const);
  const { createSession, asked } = brokenMachine(Object.fromEntries(always));
  const runtime = new Runtime({ providers, threads: 1, selfCheck: true, createSession });
  const opened = await runtime.open(file, probe());
  await opened.release();
  return { provider: runtime.provider, refused: runtime.refused, asked };
}

function saysNoModel(says: RegExp) {
  return (error: unknown) => {
    assert.ok(error instanceof KaomonError);
    assert.equal(error.code, 'NO_MODEL');
    assert.match(error.message, says);
    return true;
  };
}

describe('the first answer of a network', () => {
  const reasons: Record<string, RegExp> = {
    zeros: /^tiny\.onnx answers zeros$/,
    NaN: /^tiny\.onnx answers NaN$/,
    infinity: /^tiny\.onnx answers infinity/,
    'the same number': /^tiny\.onnx answers nothing but 0\.5$/,
    'another direction': /^tiny\.onnx answers something else than it should \(cosine 0\.\d+/,
    'the opposite': /^tiny\.onnx answers something else than it should \(cosine -1\.000/,
    'twice as much': /^tiny\.onnx answers something else .*2\.00 times as long/,
    'a part left out': /^tiny\.onnx answers something else/,
  };
  for (const [title, spoil] of Object.entries(SPOILS)) {
    it(`takes out a provider that answers ${title}, and the next one serves`, async (t) => {
      const file = await write(t);
      const webgpu = await open(file, { cuda: spoil });
      assert.equal(webgpu.provider, 'webgpu');
      const cpu = await open(file, { cuda: spoil, webgpu: spoil });
      assert.equal(cpu.provider, 'cpu');
      assert.deepEqual(
        cpu.refused.map(({ provider }) => provider),
        ['cuda', 'webgpu'],
      );
      for (const { reason } of cpu.refused) assert.match(reason, reasons[title]);
      assert.ok(cpu.asked.every(({ released }) => released));
    });
  }

  it('may differ as far as another way to compute makes it', async (t) => {
    const file = await write(t);
    const slightly = await open(file, {
      cuda: (numbers) => numbers.map((value, i) => value * (1 + 0.01 * (i % 2))),
    });
    assert.deepEqual([slightly.provider, slightly.refused], ['cuda', []]);
  });

  it('that is wrong on a later network takes the provider out for all', async (t) => {
    const folder = await temporaryFolder(t);
    const files = ['first', 'second'].map((name) => path.join(folder, `${name}.onnx`));
    for (const file of files)
      await writeFile(
        file,
        network((_, cells) => cells),
      );
    const { createSession, asked } = brokenMachine({ 'cuda second.onnx': () => SPOILS.zeros });
    const runtime = new Runtime({ providers: ['cuda', 'cpu'], threads: 1, selfCheck: true, createSession });
    const opened = await runtime.openAll(async () => [
      await runtime.open(files[0], probe()),
      await runtime.open(files[1], probe()),
    ]);
    assert.equal(runtime.provider, 'cpu');
    assert.deepEqual(runtime.refused, [{ provider: 'cuda', reason: 'second.onnx answers zeros' }]);
    const left = asked.filter(({ released }) => !released).map(({ file, provider }) => [file, provider]);
    assert.deepEqual(left, [
      [files[0], 'cpu'],
      [files[1], 'cpu'],
    ]);
    for (const one of opened) await one.release();
  });

  const useless: [title: string, answer: Parameters<typeof network>[0], says: RegExp][] = [
    ['zeros', (g, cells) => g.mul(cells, g.scalar(0)), /tiny\.onnx cannot be used: it answers zeros\./],
    ['NaN', (g, cells) => g.mul(cells, g.scalar(NaN)), /it answers NaN/],
    ['one number', (g, cells) => g.add(g.mul(cells, g.scalar(0)), g.scalar(2)), /it answers nothing but 2/],
    [
      'the same for every face',
      (g, cells) => g.add(g.mul(cells, g.scalar(0)), g.constant([1, 12], FIXED)),
      /it answers the same whatever it is shown/,
    ],
  ];
  for (const [title, answer, says] of useless) {
    it(`refuses the start with a network that answers ${title}, by name`, async (t) => {
      const file = await write(t, network(answer));
      await assert.rejects(open(file, {}, ['cpu']), saysNoModel(says));
      await assert.rejects(open(file), saysNoModel(says));
    });
  }

  it('of a file that rotted is found out; of a file that was replaced it is the new one’s', async (t) => {
    const file = await write(t);
    await open(file, {}, ['cpu']);
    const replaced = network((g, cells) => g.mul(cells, g.constant([1, 12], FIXED)));
    await writeFile(file, replaced);
    await utimes(file, 1000, 1000);
    await open(file, {}, ['cpu']);
    // Rot leaves size and time as they are.
    const rotten = Buffer.from(replaced);
    rotten.writeFloatLE(-20, rotten.indexOf(Buffer.from(FIXED.buffer)));
    await writeFile(file, rotten);
    await utimes(file, 1000, 1000);
    await assert.rejects(open(file, {}, ['cpu']), saysNoModel(/it answers something else than it should/));
  });

  it('is held to the fingerprint that came along with a copied folder', async (t) => {
    const file = await write(t);
    await open(file, {}, ['cpu']);
    const copy = path.join(path.dirname(file), 'copied');
    await mkdir(copy);
    for (const name of ['tiny.onnx', 'tiny.onnx.fingerprint.json'])
      await copyFile(path.join(path.dirname(file), name), path.join(copy, name));
    await utimes(path.join(copy, 'tiny.onnx'), 0, 0);
    const { asked } = await open(path.join(copy, 'tiny.onnx'), {}, ['cpu']);
    assert.equal(asked.length, 1, 'nothing was made anew');
  });

  it('is held to what the CPU says where nothing can be kept', async (t) => {
    const file = await write(t);
    await mkdir(path.join(`${file}.fingerprint.json`, 'in the way'), { recursive: true });
    assert.equal((await open(file)).provider, 'cuda');
    assert.equal((await open(file, { cuda: SPOILS['another direction'] })).provider, 'webgpu');
    assert.equal((await open(file, {}, ['cpu'])).provider, 'cpu');
  });

  it('finds out an optimised network in the cache that has rotted, and makes it anew', async (t) => {
    const channels = 512;
    const g = new GraphBuilder('big');
    const x = g.input('data', ['n', 3, SIZE, SIZE]);
    const weights = Float32Array.from(
      { length: channels * 3 * SIZE * SIZE * 4 },
      (_, i) => ((i * 7919) % 101) / 101 - 0.5,
    );
    const wide = g.dense(g.flatten(x), { shape: [3 * SIZE * SIZE, channels * 4], data: weights });
    g.output(wide, 'fc1', ['n', channels * 4]);
    const file = await write(t, g.encode());
    const cacheDir = path.join(path.dirname(file), 'cache');
    const answer = async () => {
      const runtime = new Runtime({ providers: ['cpu'], threads: 1, selfCheck: true, cacheDir });
      const opened = await runtime.open(file, probe());
      const { fc1 } = await opened.run(probe());
      const numbers = [...fc1];
      await opened.release();
      return numbers;
    };
    const expected = await answer();
    const [kept] = await readdir(path.join(cacheDir, 'networks'));
    const optimised = path.join(cacheDir, 'networks', kept, 'network.ort');
    const bytes = await readFile(optimised);
    bytes.fill(0x3d, bytes.length >> 2, bytes.length >> 1);
    await writeFile(optimised, bytes);
    assert.deepEqual(await answer(), expected);
    assert.deepEqual(await answer(), expected);
  });
});

describe('a server whose embedder answers zeros', () => {
  it('does not start, and says in one line which network it is', async (t) => {
    const models = path.join(PROJECT_ROOT, 'models');
    await preparePack('faceapi', { modelsDir: models });
    const folder = await temporaryFolder(t);
    const MODELS_DIR = path.join(folder, 'models');
    await mkdir(MODELS_DIR);
    for (const name of ['ssd', 'age-gender'])
      await symlink(path.join(models, name), path.join(MODELS_DIR, name));
    const manifest = {
      ...{ format: 'kaomon-pack', title: 'Zeros', licence: 'none', detector: 'ssd' },
      embedder: { file: 'tiny.onnx', size: SIZE + 8, length: 12, alignment: 'box' },
      thresholds: { identical: 0.5, sure: 0.4 },
    };
    const g = new GraphBuilder('zeros');
    const x = g.input('data', ['n', 3, SIZE + 8, SIZE + 8]);
    const cells = g.flatten(g.averagePool(x, { size: 8, stride: 8 }));
    g.output(g.mul(cells, g.scalar(0)), 'embeddings', ['n', 12]);
    await writeOwnPack(MODELS_DIR, 'zeros', manifest, g.encode());
    const { code, stderr } = await runToEnd({
      ...{ MODEL_PACK: 'zeros', MODELS_DIR, HOST: '127.0.0.1', PORT: '0', TLS: 'false', AUTH: 'none' },
      ...{ EMBEDDINGS_DIR: path.join(folder, 'embeddings'), CACHE_DIR: path.join(folder, 'cache') },
    });
    assert.match(stderr, /^kaomon: The network .*zeros\/tiny\.onnx cannot be used: it answers zeros\..*\n$/);
    assert.equal(code, 1);
  });
});

describe('the networks that are built here', () => {
  it('answer what is written down for them', async (t) => {
    const measured = await measureFingerprints(await packsAtHand(), await temporaryFolder(t));
    assert.ok(measured.length >= 4);
    for (const { name, sha256, input, outputs } of measured) {
      const published = PUBLISHED.find(({ of }) => of.includes(sha256));
      if (name.startsWith('facenet/')) continue;
      assert.ok(published, `${name} is not written down: node dist/test/support/fingerprints.js`);
      assert.equal(published.input, input, name);
      assert.deepEqual(Object.keys(published.outputs), Object.keys(outputs), name);
      for (const [output, { length, sketch }] of Object.entries(outputs)) {
        assert.equal(published.outputs[output].length, length, name);
        sketch.forEach((value, i) =>
          assert.ok(Math.abs(value - published.outputs[output].sketch[i]) < 1e-3, name),
        );
      }
    }
  });

  it('are told from one another by what they answer', () => {
    const zeros = new Float32Array(128);
    const [embedder] = PUBLISHED.filter(({ outputs }) => 'embeddings' in outputs);
    assert.match(strangeness({ embeddings: zeros }, embedder) ?? '', /something else/);
    assert.match(
      strangeness({ embeddings: new Float32Array(64) }, embedder) ?? '',
      /64 numbers .* instead of 128/,
    );
    assert.match(strangeness({}, embedder) ?? '', /no numbers/);
  });
});

describe('while it runs', () => {
  const face = Uint8Array.from({ length: 3 * SIZE * SIZE }, (_, i) => i);

  for (const title of ['zeros', 'NaN', 'infinity']) {
    it(`an embedding of ${title} is an error, and the next one is answered`, async (t) => {
      const file = await write(t, tinyNetwork({ size: SIZE, cells: CELLS }));
      // Right when it is opened (the first run), wrong once.
      const { createSession } = brokenMachine({ cuda: (runs) => (runs === 1 ? SPOILS[title] : undefined) });
      const runtime = new Runtime({ providers: ['cuda'], threads: 1, selfCheck: true, createSession });
      const embedder = await createEmbedder(runtime, {
        ...{ name: 'mine', network: file, length: 12, size: SIZE, colour: 'rgb', mean: 0, scale: 1 },
        ...{ alignment: 'box', input: 'data', output: 'fc1' },
      });
      t.after(() => embedder.release());
      await assert.rejects(embedder.embed([face]), {
        code: 'INTERNAL',
        message: /answers NaN, infinity or zeros/,
      });
      const [vector] = await embedder.embed([face]);
      assert.ok(Math.abs(Math.hypot(...vector) - 1) < 1e-6);
    });
  }

  describe('MTCNN', () => {
    const { width, height, minFaceSize, thresholds } = seededGolden().cascade;
    const scene = seededPicture('scene', width, height, 8);
    const builders = { pnet: buildPNet, rnet: buildRNet, onet: buildONet };

    for (const name of ['pnet', 'rnet', 'onet'] as const) {
      it(`does not find nobody where ${name} answers NaN, but says so`, async (t) => {
        const folder = await temporaryFolder(t);
        const files = { pnet: '', rnet: '', onet: '' };
        for (const net of ['pnet', 'rnet', 'onet'] as const) {
          files[net] = path.join(folder, `${net}.onnx`);
          await writeFile(files[net], builders[net](new SeededMtcnn(net)));
        }
        const toNaN: Spoil = (numbers) => numbers.map(() => NaN);
        const { createSession } = brokenMachine({
          [`cuda ${name}.onnx`]: (runs) => (runs > 0 ? toNaN : undefined),
        });
        const runtime = new Runtime({ providers: ['cuda'], threads: 1, selfCheck: true, createSession });
        const detector = await createMtcnnDetector(runtime, files, { thresholds });
        t.after(() => detector.release());
        assert.equal(runtime.provider, 'cuda');
        const message = new RegExp(`The network ${name} answers NaN, infinity or zeros`);
        await assert.rejects(detector.detect(scene, { minFaceSize }), { code: 'INTERNAL', message });
      });
    }
  });

  it('one picture’s embedding that is none is no other’s error', { skip: SHARED_MISSING }, async (t) => {
    // All faces together, then the first picture's alone.
    const isWrong = (runs: number) => runs === 1 || runs === 2;
    const { createSession } = brokenMachine({
      'cuda recognition.onnx': (runs) => (isWrong(runs) ? SPOILS.zeros : undefined),
    });
    const pack = await benchPack('mtcnn+faceapi');
    const analyzer = await createAnalyzer({
      ...{ pack, providers: ['cuda'], threads: 1, createSession, maxPixels: 1_000_000, minFaceSize: 40 },
    });
    t.after(() => analyzer.release());
    const bytes = await readFile(shared('images', 'frames', 'paul_rudd.jpg'));
    const [first, second] = await analyzer.analyze([
      { bytes, options: {} },
      { bytes, options: {} },
    ]);
    assert.equal(analyzer.provider, 'cuda');
    assert.equal(first.status === 'rejected' && (first.reason as KaomonError).code, 'INTERNAL');
    assert.equal(second.status === 'fulfilled' && second.value.faces[0].embedding?.length, 128);
  });

  it('a face outside the picture is none, and one that is no number is an error', () => {
    const picture = { width: 100, height: 50 };
    const at = (x1: number, y1: number, probability = 1, landmark = 5) => ({
      detection: {
        box: { x1, y1, x2: x1 + 20, y2: y1 + 20 },
        probability,
        landmarks: new Float32Array(10).fill(landmark),
      },
    });
    const kept = onlyValid([at(-10, -10), at(90, 40), at(100, 0), at(0, 50), at(-20, 0)], picture);
    assert.deepEqual(
      kept.map(({ detection }) => detection.box.x1),
      [-10, 90],
    );
    for (const broken of [at(NaN, 0), at(0, Infinity), at(0, 0, NaN), at(0, 0, 1, NaN)])
      assert.throws(() => onlyValid([at(0, 0), broken], picture), { code: 'INTERNAL' });
  });
});
