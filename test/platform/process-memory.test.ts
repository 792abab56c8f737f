import assert from 'node:assert/strict';
import { once } from 'node:events';
import { open, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { filesCanBeMapped, mappedFile } from '../../src/platform/process-memory.js';
import { temporaryFolder } from '../support/temporary.js';

const MEGABYTE = 1 << 20;
const SIZE = 96 * MEGABYTE;
/** Maps a file, reads every page of it, says so, and keeps it. */
const READER = `
  import { parentPort, workerData } from 'node:worker_threads';
  const { mappedFile } = await import(workerData.module);
  const bytes = await mappedFile(workerData.file);
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 4096) sum += bytes[i];
  parentPort.on('message', () => process.exit(bytes.length > 0 ? 0 : 1));
  parentPort.postMessage(sum);
`;

describe('a mapped file', () => {
  it('is the file’s bytes, and those of the next one that takes its name', async (t) => {
    const file = path.join(await temporaryFolder(t), 'file');
    await writeFile(file, 'first');
    assert.equal(Buffer.from(await mappedFile(file)).toString(), 'first');
    const first = await mappedFile(file);
    await writeFile(`${file}.new`, 'the next');
    await rename(`${file}.new`, file);
    assert.equal(Buffer.from(await mappedFile(file)).toString(), 'the next');
    assert.equal(Buffer.from(first).toString(), 'first');
    await assert.rejects(mappedFile(`${file}-missing`), /file-missing/);
  });

  it(
    'is in memory once, however many threads read it',
    { skip: filesCanBeMapped() ? false : 'needs our addon, which was not compiled here' },
    async (t) => {
      const file = path.join(await temporaryFolder(t), 'file');
      const handle = await open(file, 'w');
      await handle.truncate(SIZE);
      await handle.close();
      const workers: Worker[] = [];
      const grown: number[] = [];
      for (let i = 0; i < 3; i++) {
        const before = process.memoryUsage.rss();
        const module = new URL('../../src/platform/process-memory.js', import.meta.url).href;
        const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(READER)}`), {
          workerData: { file, module },
        });
        workers.push(worker);
        await once(worker, 'message');
        grown.push((process.memoryUsage.rss() - before) / MEGABYTE);
      }
      for (const worker of workers) worker.postMessage('end');
      await Promise.all(workers.map((worker) => once(worker, 'exit')));
      t.diagnostic(`grown by ${grown.map((size) => size.toFixed(0)).join(', ')} MB`);
      assert.ok(grown[0] > 80, 'The first reads it from the disk’s cache.');
      assert.ok(Math.max(grown[1], grown[2]) < 60, 'The others find it there.');
    },
  );
});
