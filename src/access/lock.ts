import { open, rm, stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { KaomonError } from '../platform/errors.js';

/** Between two tries, milliseconds. */
const PAUSE = 20;
/** Nobody holds a lock that long: its holder died. Milliseconds of watching it: files are dated by a clock that jumps. */
const ABANDONED = 10_000;
/** Milliseconds until whoever waits is told to try again; longer than an abandoned lock stands. */
const PATIENCE = 15_000;

/**
 * Runs `work` while no other process runs under the same lock: a file that only one can create.
 * @param file the lock's name; its folder must be there
 * @throws KaomonError STORE_UNAVAILABLE when the lock is never free
 */
export async function underLock<T>(file: string, work: () => Promise<T>): Promise<T> {
  const giveUp = performance.now() + PATIENCE;
  let seen = { holder: '', since: 0 };
  while (!(await take(file))) {
    const holder = await stat(file, { bigint: true }).then(
      ({ ino, mtimeNs }) => `${ino} ${mtimeNs}`,
      () => '',
    );
    const now = performance.now();
    if (holder !== seen.holder) seen = { holder, since: now };
    if (holder !== '' && now - seen.since > ABANDONED) await rm(file, { force: true });
    else if (now > giveUp) {
      throw new KaomonError('STORE_UNAVAILABLE', `The lock ${file} is never free: try again in a moment.`);
    } else await wait(PAUSE);
  }
  try {
    return await work();
  } finally {
    await rm(file, { force: true });
  }
}

async function take(file: string): Promise<boolean> {
  try {
    await (await open(file, 'wx', 0o600)).close();
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}
