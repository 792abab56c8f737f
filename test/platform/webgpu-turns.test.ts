import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createTurns, endTurnOf, inTurn, type WebgpuTurns } from '../../src/platform/webgpu-turns.js';
import type { TurnData } from '../support/turn-worker.js';

const COUNT = 200;

function startWorker(turns: WebgpuTurns, board: Int32Array, dies = false): Worker {
  const workerData: TurnData = { turns, board, count: COUNT, dies };
  return new Worker(new URL('../support/turn-worker.js', import.meta.url), { workerData });
}

const createBoard = () => new Int32Array(new SharedArrayBuffer(12));

describe('turns on WebGPU', () => {
  it('are taken by one thread at a time, and everybody gets theirs', async () => {
    const [turns, board] = [createTurns(), createBoard()];
    const workers = [1, 2, 3].map(() => startWorker(turns, board));
    await Promise.all(workers.map((worker) => once(worker, 'exit')));
    assert.deepEqual([...board], [0, 0, 3 * COUNT]);
  });

  it('follow one another within a thread, also after one that fails', async () => {
    const turns = createTurns();
    const done: string[] = [];
    const first = inTurn(turns, async () => {
      await Promise.resolve();
      done.push('first');
      throw new Error('it failed');
    });
    const second = inTurn(turns, () => Promise.resolve(done.push('second')));
    await assert.rejects(first, /it failed/);
    assert.equal(await second, 2);
    assert.deepEqual(done, ['first', 'second']);
  });

  it('go on when a thread has died in its own', async () => {
    const [turns, board] = [createTurns(), createBoard()];
    const dying = startWorker(turns, board, true);
    const { threadId } = dying;
    const dead = once(dying, 'exit');
    await once(dying, 'message');
    const waiting = startWorker(turns, board);
    await dead;
    endTurnOf(turns, threadId);
    await once(waiting, 'exit');
    assert.deepEqual([...board], [0, 0, COUNT]);
    endTurnOf(turns, threadId);
    await inTurn(turns, () => Promise.resolve());
  });
});
