import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { createKeys } from '../../src/access/keys.js';
import { PROJECT_ROOT } from '../../src/root.js';
import { form } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

const PM2 = path.join(PROJECT_ROOT, 'node_modules', 'pm2', 'bin', 'pm2');
const run = promisify(execFile);

/** Two workers of the built server, kept by pm2 by our own ecosystem file. */
async function standUp(t: TestContext) {
  // Asked for before the folder is: it must still be there when pm2 looks for its daemon in it.
  let end = (): Promise<unknown> => Promise.resolve();
  t.after(() => end());
  const folder = await temporaryFolder(t);
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  const KEYS_FILE = path.join(folder, 'keys.json');
  const { key } = await createKeys({ file: KEYS_FILE }).add({ name: 'load', role: 'admin' });
  const env = {
    ...{ PATH: process.env.PATH, HOME: folder, PM2_HOME: path.join(folder, 'pm2') },
    ...{ WORKERS: '2', VISION_THREADS: '1', PORT: String(port), MODEL_PACK: 'faceapi', KEYS_FILE },
    // How busy the machine is says nothing about the reload.
    MAX_EVENT_LOOP_DELAY: '0',
    ...{ EMBEDDINGS_DIR: path.join(folder, 'embeddings'), CACHE_DIR: path.join(folder, 'cache') },
  };
  const pm2 = async (...words: string[]) => (await run(process.execPath, [PM2, ...words], { env })).stdout;
  // Ends the daemon of this PM2_HOME and its workers, nobody else's.
  end = () => pm2('kill');
  await pm2('start', path.join(PROJECT_ROOT, 'ecosystem.config.js'));
  const workers = async () =>
    (JSON.parse(await pm2('jlist')) as { pid: number; pm2_env: { status: string } }[]).map(
      ({ pid, pm2_env }) => ({ pid, status: pm2_env.status }),
    );

  async function ask(url: string, headers: Record<string, string> = {}, body?: Buffer) {
    const outgoing = request({
      ...{ host: '127.0.0.1', port, path: url, agent: false as const, method: body ? 'POST' : 'GET' },
      headers: { 'x-api-key': key, ...headers, ...(body && { 'content-length': String(body.length) }) },
    });
    outgoing.end(body);
    const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    return { status: response.statusCode, text: Buffer.concat(chunks).toString() };
  }
  return { pm2, workers, ask };
}

describe('two workers under pm2', { skip: existsSync(PM2) ? false : 'needs pm2' }, () => {
  it('are reloaded under a steady load without one request failing', async (t) => {
    const { pm2, workers, ask } = await standUp(t);
    const before = await workers();
    assert.deepEqual(
      before.map(({ status }) => status),
      ['online', 'online'],
    );
    const { headers, payload } = await form(['image', await greyJpeg(320, 240)]);
    const load = { going: true, answered: 0, failures: [] as string[] };
    const caller = async () => {
      while (load.going) {
        await ask('/api/face_recognizer', headers, payload).then(
          ({ status, text }) => {
            load.answered += 1;
            if (status !== 200) load.failures.push(`${status} ${text}`);
          },
          (error: unknown) => load.failures.push(String(error)),
        );
      }
    };
    const callers = [caller(), caller()];
    await pm2('reload', 'kaomon');
    load.going = false;
    await Promise.all(callers);
    t.diagnostic(`${load.answered} requests during the reload`);
    assert.deepEqual(load.failures, []);
    assert.ok(load.answered > 0);
    const after = await workers();
    assert.equal(after.filter(({ status }) => status === 'online').length, 2);
    const pids = before.map(({ pid }) => pid);
    for (const { pid } of after) assert.ok(!pids.includes(pid), 'each worker is a new one');
    // Whichever worker is asked: those that were replaced have left their counts.
    const counted = 'kaomon_requests_total{method="POST",route="/api/face_recognizer",status="200"}';
    await until(async () => {
      const lines = (await ask('/metrics')).text.split('\n');
      return [`${counted} ${load.answered}`, 'kaomon_vision_threads 2'].every((line) => lines.includes(line));
    });
    const { text } = await ask('/api/v1/status');
    assert.equal((JSON.parse(text) as { workers: number }).workers, 2);
  });
});
