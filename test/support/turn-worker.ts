/** Takes turns with other threads and counts how often another was at it at the same time; or dies in its turn. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { inTurn, type WebgpuTurns } from '../../src/platform/webgpu-turns.js';

export interface TurnData {
  turns: WebgpuTurns;
  /** How many are at it, how often it was more than one, how many turns were taken. */
  board: Int32Array;
  count: number;
  dies: boolean;
}

const { turns, board, count, dies } = workerData as TurnData;
for (let i = 0; i < count; i++) {
  await inTurn(turns, async () => {
    if (dies) {
      parentPort?.postMessage('in its turn');
      process.exit(1);
    }
    if (Atomics.add(board, 0, 1) > 0) Atomics.add(board, 1, 1);
    await nextTurn();
    Atomics.sub(board, 0, 1);
    Atomics.add(board, 2, 1);
  });
}
