import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { testApp } from '../support/app.js';
import { temporaryFolder } from '../support/temporary.js';
import { until } from '../support/until.js';

const SCRIPT = fileURLToPath(new URL('../support/metrics-worker.js', import.meta.url));
const URL_COUNTED = '/api/v1/live';

interface Reply {
  id: number;
  status: number;
  body: string;
}

/** A worker process over a common cache folder. */
async function startWorker(t: TestContext, cache: string) {
  const child = fork(SCRIPT, [cache], { execArgv: [] });
  const exited = once(child, 'exit');
  const waiting = new Map<number, (reply: Reply) => void>();
  child.on('message', (reply: Reply) => waiting.get(reply.id)?.(reply));
  let count = 0;
  const send = (message: object) =>
    new Promise<Reply>((resolve) => {
      const id = count++;
      waiting.set(id, resolve);
      child.send({ id, ...message });
    });
  await new Promise<Reply>((resolve) => waiting.set(-1, resolve));
  const worker = {
    pid: child.pid,
    async answer(times: number): Promise<void> {
      for (let i = 0; i < times; i++) assert.equal((await send({ url: URL_COUNTED })).status, 200);
    },
    /** `/metrics` as this worker answers it, by name and labels. */
    async scrape(): Promise<Map<string, number>> {
      const { status, body } = await send({ url: '/metrics' });
      assert.equal(status, 200, body);
      const lines = body.split('\n').filter((line) => line && !line.startsWith('#'));
      return new Map(lines.map((line) => [line.replace(/ \S+$/, ''), Number(line.split(' ').at(-1))]));
    },
    async kill(): Promise<void> {
      child.kill('SIGKILL');
      await exited;
    },
    async end(): Promise<void> {
      if (child.exitCode !== null || child.signalCode !== null) return;
      await send({ end: true });
      await exited;
    },
  };
  t.after(() => worker.end());
  return worker;
}

const ANSWERS = `kaomon_requests_total{method="GET",route="${URL_COUNTED}",status="200"}`;
const LATENCIES = `kaomon_request_duration_seconds_count{route="${URL_COUNTED}"}`;
const BELOW_10_S = `kaomon_request_duration_seconds_bucket{le="10",route="${URL_COUNTED}"}`;

describe('the figures of several workers', () => {
  it('are the sum of all, whichever is asked; what all know alike is not added up', async (t) => {
    const cache = await temporaryFolder(t);
    const [first, second] = [await startWorker(t, cache), await startWorker(t, cache)];
    await first.answer(2);
    await second.answer(3);
    for (const worker of [first, second]) {
      // The other's figures are some seconds old.
      await until(async () => (await worker.scrape()).get(ANSWERS) === 5);
      const figures = await worker.scrape();
      assert.deepEqual(
        [ANSWERS, LATENCIES, BELOW_10_S, 'kaomon_vision_threads', 'kaomon_gallery_people'].map((name) =>
          figures.get(name),
        ),
        [5, 5, 5, 2, 1],
      );
    }
  });

  it('keep the counts of a worker that was killed or ended, and forget the rest of it', async (t) => {
    const cache = await temporaryFolder(t);
    const first = await startWorker(t, cache);
    const killed = await startWorker(t, cache);
    await first.answer(1);
    await killed.answer(2);
    // What it says itself is on the disk by then.
    await until(async () => (await killed.scrape()).get(ANSWERS) === 3);
    await killed.kill();
    const state = async (worker: typeof first) => {
      const figures = await worker.scrape();
      return [figures.get(ANSWERS), figures.get(LATENCIES), figures.get('kaomon_vision_threads')];
    };
    assert.deepEqual(await state(first), [3, 3, 1]);

    const ended = await startWorker(t, cache);
    assert.deepEqual(await state(ended), [3, 3, 2]);
    assert.deepEqual(await state(first), [3, 3, 2]);
    assert.equal((await readdir(path.join(cache, 'metrics'))).length, 2, 'the killed one’s file is gone');
    await ended.answer(4);
    await ended.end();
    assert.deepEqual(await state(first), [7, 7, 1]);

    // Over and over: what was taken over once is handed on, and nothing is counted twice.
    const [third, fourth] = await Promise.all([startWorker(t, cache), startWorker(t, cache)]);
    // A scrape waits until its worker has come in.
    await Promise.all([third.scrape(), fourth.scrape()]);
    for (const worker of [first, third, fourth]) assert.deepEqual(await state(worker), [7, 7, 3]);
    await first.kill();
    await third.kill();
    assert.deepEqual(await state(fourth), [7, 7, 1]);
  });

  it('begin anew when no worker is left', async (t) => {
    const cache = await temporaryFolder(t);
    const first = await startWorker(t, cache);
    await first.answer(2);
    await first.end();
    const second = await startWorker(t, cache);
    await second.answer(1);
    assert.equal((await second.scrape()).get(ANSWERS), 1);
    assert.equal((await readdir(path.join(cache, 'metrics'))).length, 1);
  });

  it('pass over a file that cannot be read, or is of a process whose number another one has', async (t) => {
    const cache = await temporaryFolder(t);
    const first = await startWorker(t, cache);
    await first.answer(2);
    await first.scrape();
    const folder = path.join(cache, 'metrics');
    const [name] = await readdir(folder);
    const figures = JSON.parse(await readFile(path.join(folder, name), 'utf8')) as { pid: number };
    await writeFile(path.join(folder, 'torn.json'), '{"id": ');
    // Of this process' number, but begun at another time: only its counts are left.
    const gone = { ...figures, id: 'gone', pid: process.pid };
    await writeFile(path.join(folder, 'gone.json'), JSON.stringify(gone));
    const read = await first.scrape();
    assert.deepEqual([read.get(ANSWERS), read.get('kaomon_vision_threads')], [4, 1]);
  });

  it(
    'are had whatever else lies in their folder: a link to nothing, a folder',
    { timeout: 60_000 },
    async (t) => {
      const CACHE_DIR = await temporaryFolder(t);
      const folder = path.join(CACHE_DIR, 'metrics');
      await mkdir(path.join(folder, 'folder.json', 'below'), { recursive: true });
      await symlink('/nowhere', path.join(folder, 'link.json'));
      const { app } = await testApp(t, { WORKERS: 2, CACHE_DIR });
      await app.inject(URL_COUNTED);
      assert.ok((await app.inject('/metrics')).body.includes(`${ANSWERS} 1`));
    },
  );

  it('are those of the one that serves alone, which writes no file', async (t) => {
    const CACHE_DIR = await temporaryFolder(t);
    const { app } = await testApp(t, { WORKERS: 1, CACHE_DIR });
    await app.inject(URL_COUNTED);
    const { body } = await app.inject('/metrics');
    assert.ok(body.includes(`${ANSWERS} 1`));
    assert.ok(body.includes('process_start_time_seconds'), 'nothing is left out');
    assert.deepEqual(await readdir(CACHE_DIR), []);
  });

  it('are one worker’s where the folder cannot be written, and that is logged', async (t) => {
    const CACHE_DIR = path.join(await temporaryFolder(t), 'file');
    await writeFile(CACHE_DIR, 'not a folder');
    const { app, log } = await testApp(t, { WORKERS: 2, CACHE_DIR });
    await app.inject(URL_COUNTED);
    assert.ok((await app.inject('/metrics')).body.includes(`${ANSWERS} 1`));
    const told = log.filter(({ msg }) => String(msg).includes('do not know this one'));
    assert.equal(told.length, 1);
  });
});
