import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { startKaomon } from '../support/command.js';
import { startServer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';

it('a server leaves nothing of ONNX Runtime’s telemetry behind, in the home folder or the temporary one', async (t) => {
  const folder = await temporaryFolder(t);
  const HOME = path.join(folder, 'home');
  await mkdir(HOME);
  const environment = process.env.ORT_DISABLE_TELEMETRY;
  // As where somebody starts dist/src/server.js by itself.
  delete process.env.ORT_DISABLE_TELEMETRY;
  t.after(() => {
    if (environment !== undefined) process.env.ORT_DISABLE_TELEMETRY = environment;
  });
  const server = await startServer({
    ...{ HOME, XDG_CACHE_HOME: path.join(HOME, '.cache'), MODEL_PACK: 'faceapi', EVENT_LOG: 'none' },
    ...{ CACHE_DIR: path.join(folder, 'cache'), EMBEDDINGS_DIR: path.join(folder, 'embeddings') },
  });
  await server.logged('Ready');
  const { pid } = server.child;
  await server.end();
  assert.deepEqual(await readdir(HOME), []);
  assert.equal(existsSync(`/tmp/mat-debug-${pid}.log`), false);
});

it('a command that a test starts leaves nothing of it in the temporary folder', async () => {
  // Its module loads ONNX Runtime before it says what it misses.
  const { child, ended } = startKaomon(['accuracy'], {});
  assert.equal((await ended).code, 1);
  assert.equal(existsSync(`/tmp/mat-debug-${child.pid}.log`), false);
});
