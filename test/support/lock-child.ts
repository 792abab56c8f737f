/** `lock-child LOCK for-ever`: takes a lock and keeps it. `lock-child LOCK COUNT BOARD`: counts on a board under it. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { underLock } from '../../src/platform/files/lock.js';

const [lock, count, board] = process.argv.slice(2);

/** @throws EEXIST when somebody else is at it */
async function countOne(): Promise<void> {
  await writeFile(`${board}.busy`, '', { flag: 'wx' });
  const counted = Number(await readFile(board, 'utf8'));
  await nextTurn();
  await writeFile(board, String(counted + 1));
  await rm(`${board}.busy`);
}

if (count === 'for-ever') {
  await underLock(lock, async () => {
    console.log('held');
    await new Promise(() => setInterval(() => undefined, 1e6));
  });
} else {
  for (let i = 0; i < Number(count); i += 1) {
    await underLock(lock, countOne, { onWait: () => console.log('waits') });
  }
}
