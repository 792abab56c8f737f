import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { createKeys } from '../../src/access/keys.js';
import { PROJECT_ROOT } from '../../src/platform/root.js';
import { form, type FormRequest } from '../support/form.js';
import { greyJpeg } from '../support/pictures.js';
import { freePort } from '../support/port.js';
import { type Answer, readAnswer } from '../support/server.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

const PM2 = path.join(PROJECT_ROOT, 'node_modules', 'pm2', 'bin', 'pm2');
const run = promisify(execFile);
/** What pm2 waits by itself before it kills a process that it has asked to end, milliseconds. */
const PM2_PATIENCE = 1600;

/**
 * Two workers of the built server, kept by pm2 by our own ecosystem file.
 * @param settings that take the place of those that it can start with
 */
async function standUp(t: TestContext, settings: Record<string, string> = {}) {
  // Asked for before the folder is: it must still be there when pm2 looks for its daemon in it.
  let end = (): Promise<unknown> => Promise.resolve();
  t.after(() => end());
  const folder = await temporaryFolder(t);
  const port = await freePort();
  const KEYS_FILE = path.join(folder, 'keys.json');
  const { key } = await createKeys({ file: KEYS_FILE }).add({ name: 'load', role: 'admin' });
  const env = {
    ...{ PATH: process.env.PATH, HOME: folder, PM2_HOME: path.join(folder, 'pm2'), LOG_LEVEL: 'info' },
    ...{ WORKERS: '2', VISION_THREADS: '1', PORT: String(port), MODEL_PACK: 'faceapi', KEYS_FILE },
    // How busy the machine is says nothing about the reload.
    MAX_EVENT_LOOP_DELAY: '0',
    ...{ EMBEDDINGS_DIR: path.join(folder, 'embeddings'), CACHE_DIR: path.join(folder, 'cache') },
    ...settings,
  };
  const pm2 = async (...words: string[]) => (await run(process.execPath, [PM2, ...words], { env })).stdout;
  // Ends the daemon of this PM2_HOME and its workers, nobody else's.
  end = () => pm2('kill');
  await pm2('start', path.join(PROJECT_ROOT, 'ecosystem.config.js'));
  const workers = async () =>
    (
      JSON.parse(await pm2('jlist')) as { pid: number; pm2_env: { status: string; exit_code?: number } }[]
    ).map(({ pid, pm2_env: { status, exit_code } }) => ({ pid, status, exit: exit_code }));
  /** How many lines of the workers' logs hold a text. */
  async function told(text: string): Promise<number> {
    const logs = path.join(env.PM2_HOME, 'logs');
    const files = await Promise.all(
      (await readdir(logs)).map((name) => readFile(path.join(logs, name), 'utf8')),
    );
    return files.join('').split(text).length - 1;
  }

  function open(url: string, { headers, payload }: Partial<FormRequest> = {}) {
    return request({
      ...{ host: '127.0.0.1', port, path: url, agent: false as const, method: payload ? 'POST' : 'GET' },
      headers: {
        'x-api-key': key,
        ...headers,
        ...(payload && { 'content-length': String(payload.length), expect: '100-continue' }),
      },
    });
  }

  async function ask(url: string, form?: FormRequest): Promise<Answer> {
    const outgoing = open(url, form);
    outgoing.end(form?.payload);
    return await readAnswer(outgoing);
  }

  /** Asks and keeps the body back once a worker waits for it. @returns sends it and reads the answer */
  async function begin(url: string, form: FormRequest): Promise<() => Promise<Answer>> {
    const outgoing = open(url, form);
    outgoing.flushHeaders();
    await once(outgoing, 'continue');
    const answer = readAnswer(outgoing);
    // Cut off before its body is sent, it is looked at all the same.
    answer.catch(() => undefined);
    return () => {
      outgoing.end(form.payload);
      return answer;
    };
  }
  return { pm2, workers, told, ask, begin };
}

describe('two workers under pm2', { skip: existsSync(PM2) ? false : 'needs pm2' }, () => {
  it('are reloaded under a steady load without one request failing', async (t) => {
    const { pm2, workers, ask } = await standUp(t);
    const before = await workers();
    assert.deepEqual(
      before.map(({ status }) => status),
      ['online', 'online'],
    );
    const picture = await form(['image', await greyJpeg(320, 240)]);
    const load = { going: true, answered: 0, failures: [] as string[] };
    const caller = async () => {
      while (load.going) {
        await ask('/api/face_recognizer', picture).then(
          ({ status, body }) => {
            load.answered += 1;
            if (status !== 200) load.failures.push(`${status} ${JSON.stringify(body)}`);
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
      const lines = String((await ask('/metrics')).body).split('\n');
      return [`${counted} ${load.answered}`, 'kaomon_vision_threads 2'].every((line) => lines.includes(line));
    });
    const { body } = await ask('/api/v1/status');
    assert.equal((body as { workers: number }).workers, 2);
  });

  it('answer what is in flight when a signal or `pm2 stop` ends them, however long pm2 would wait', async (t) => {
    const { pm2, workers, told, begin } = await standUp(t);
    const picture = await form(['image', await greyJpeg(320, 240)]);
    const ENDING = 'finishing what is in flight';

    async function endInFlight(end: () => Promise<unknown>): Promise<void> {
      const before = await told(ENDING);
      // They go to the workers in turn: each has some.
      const requests = await Promise.all([1, 2, 3, 4].map(() => begin('/api/face_recognizer', picture)));
      const ended = end();
      await until(async () => (await told(ENDING)) === before + 2);
      await wait(PM2_PATIENCE + 400);
      const answers = await Promise.allSettled(requests.map((finish) => finish()));
      assert.deepEqual(
        answers.map((answer) =>
          answer.status === 'fulfilled' ? answer.value.status : String(answer.reason),
        ),
        [200, 200, 200, 200],
      );
      await ended;
    }

    await endInFlight(() => pm2('sendSignal', 'SIGTERM', 'kaomon'));
    // Nobody told pm2 that they shall stay away: it starts two others.
    await until(async () => (await told('"Ready"')) === 4);
    // By name pm2 would stop one after the other, and the second would have answered all before its turn came.
    await endInFlight(() => Promise.all([pm2('stop', '0'), pm2('stop', '1')]));
    assert.deepEqual(
      (await workers()).map(({ status, exit }) => `${status} ${exit}`),
      ['stopped 0', 'stopped 0'],
      'none had to be killed',
    );
  });

  it('that refuse their settings are "errored" at once and for good, and have said why', async (t) => {
    const { workers, told } = await standUp(t, { MAX_YAW: 'sideways' });
    await until(async () => (await workers()).every(({ status }) => status === 'errored'));
    assert.deepEqual(
      (await workers()).map(({ exit }) => exit),
      [1, 1],
    );
    const said = await told('kaomon: The setting MAX_YAW=sideways is not usable');
    assert.equal(said, 2 * 6, 'each worker once at each of its starts (max_restarts)');
  });

  it('that cannot have their port are "errored", too', async (t) => {
    const other = createServer().listen(0, '127.0.0.1');
    t.after(() => other.close());
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { workers, told } = await standUp(t, { PORT: String(port), WORKERS: '1' });
    await until(async () => (await workers()).every(({ status }) => status === 'errored'));
    assert.equal(await told(`kaomon: Port ${port} is in use`), 6);
  });
});
