import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, it } from 'node:test';
import { promisify } from 'node:util';
import { PROJECT_ROOT } from '../src/platform/root.js';
import { form } from './support/form.js';
import { portrait } from './support/photographs.js';
import { startServer } from './support/server.js';
import { temporaryFolder } from './support/temporary.js';

const SOURCE = path.join(PROJECT_ROOT, 'test', 'support', 'recorder.c');
/** Where a process may write without leaving anything: the system's own devices and views of itself. */
const NO_FILES = /^\/(?:dev\/(?:null|tty|shm\/|pts\/)|proc\/|sys\/)/;
const LOOPBACK = /^(?:127\.|::1$|::ffff:127\.)/;

/** Compiles what is preloaded. @returns its file; undefined after it has skipped the test */
async function recorder(t: TestContext, folder: string): Promise<string | undefined> {
  if (process.platform !== 'linux') {
    t.skip('what a process asks the system for is recorded on Linux only');
    return undefined;
  }
  const built = path.join(folder, 'recorder.so');
  try {
    await promisify(execFile)('g++', ['-x', 'c', '-shared', '-fPIC', '-O1', '-o', built, SOURCE, '-ldl']);
  } catch (error) {
    t.skip(`there is no compiler for the recorder: ${(error as Error).message.split('\n')[0]}`);
    return undefined;
  }
  return built;
}

it('a server looks up nothing, calls nobody, and writes nowhere but in its folders', async (t) => {
  const folder = await temporaryFolder(t);
  const built = await recorder(t, folder);
  if (built === undefined) return;
  const HOME = path.join(folder, 'home');
  const temporary = path.join(folder, 'tmp');
  const kept = path.join(folder, 'kept');
  for (const one of [HOME, temporary, kept]) await mkdir(one);
  const records = path.join(folder, 'records.txt');
  const server = await startServer({
    ...{ LD_PRELOAD: built, RECORDER_FILE: records, HOME, TMPDIR: temporary, MODEL_PACK: 'faceapi' },
    ...{ CACHE_DIR: path.join(kept, 'cache'), EMBEDDINGS_DIR: path.join(kept, 'embeddings') },
  });
  t.after(() => server.end('SIGKILL'));
  const picture = await portrait('ann');
  const enrolled = await server.post(
    '/api/v1/people/default-ann/faces?create=true',
    await form(['image', picture], ['username', 'Ann']),
  );
  assert.equal(enrolled.status, 201, JSON.stringify(enrolled.body));
  const found = await server.post('/api/v1/recognise', await form(['image', picture]));
  assert.match(JSON.stringify(found.body), /"ann"/);
  assert.equal((await server.get('/')).status, 200);
  assert.equal((await server.get('/api/v1/status')).status, 200);
  assert.equal((await server.get('/metrics')).status, 200);
  const exported = await server.get('/api/v1/export');
  assert.equal(exported.status, 200);
  assert.equal((await server.delete('/api/v1/people/default-ann')).status, 200);
  assert.equal(await server.end(), 0);

  const lines = (await readFile(records, 'utf8')).trimEnd().split('\n');
  const whatOf = (kind: string) =>
    [...new Set(lines.filter((line) => line.startsWith(kind)).map((line) => line.slice(kind.length)))].sort();
  const files = whatOf('file ');
  // The recorder does see what it is for: the answers above took a socket, and the face was written.
  assert.ok(
    files.some((file) => file.startsWith(path.join(kept, 'embeddings'))),
    files.join('\n'),
  );
  const ours = [`${kept}/`, path.join(PROJECT_ROOT, 'models')];
  assert.deepEqual(
    {
      lookups: whatOf('lookup ').filter((name) => name !== 'localhost' && !LOOPBACK.test(name)),
      connections: whatOf('connect ').filter((address) => !LOOPBACK.test(address)),
      files: files.filter((file) => !ours.some((one) => file.startsWith(one)) && !NO_FILES.test(file)),
    },
    { lookups: [], connections: [], files: [] },
  );
});
