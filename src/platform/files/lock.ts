import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { KaomonError } from '../errors.js';
import { hasCode, unlessMissing } from './durable.js';
import { giveIfNew } from './owner.js';

/** Between two tries, milliseconds. */
const PAUSE = 20;
/** Within this time a lock file that root has just made is given to the folder's owner, milliseconds. */
const GIVEN_WITHIN = 1000;

export interface LockOptions {
  /** Milliseconds until giving up; left out: waits as long as it takes. */
  patience?: number;
  /** Called once when somebody else holds the lock. */
  onWait?: () => void;
  /** Between two tries, milliseconds. */
  pause?: number;
  /** Gives up waiting. */
  signal?: AbortSignal;
}

/**
 * Runs `work` while nobody else holds the same lock: no other process, thread or caller in this one. The kernel ties
 * the lock to an open file and releases it however the process ends, so no lock is ever stale, and neither clocks nor
 * process IDs decide who has it.
 * @param file the lock file, which exists only while the lock is held; its folder must exist
 * @throws KaomonError STORE_UNAVAILABLE when the lock is not free in time; system errors where no file can be locked; an
 *   AbortError when `signal` is aborted first
 */
export async function underLock<T>(
  file: string,
  work: () => Promise<T>,
  { patience = Infinity, onWait, pause = PAUSE, signal }: LockOptions = {},
): Promise<T> {
  const begun = performance.now();
  let held = await take(file, begun);
  if (!held) onWait?.();
  while (!held) {
    if (performance.now() - begun > patience) {
      throw new KaomonError(
        'STORE_UNAVAILABLE',
        `The lock ${file} is held by another process: try again in a moment.`,
      );
    }
    await wait(pause, undefined, { signal });
    held = await take(file, begun);
  }
  try {
    return await work();
  } finally {
    // The name first: if somebody has opened this file and locks it after us, they see that it is not the lock any more.
    await rm(file, { force: true }).finally(held.close.bind(held));
  }
}

/** @returns undefined when somebody else holds the lock */
async function take(file: string, begun: number): Promise<FileHandle | undefined> {
  // Loaded here, because most starts lock nothing and this takes part of a tenth of a second.
  const { tryLock } = await import('fs-native-extensions');
  let handle: FileHandle;
  try {
    handle = await open(file, 'a', 0o600);
  } catch (error) {
    const isRoots = hasCode(error, 'EACCES') && (await unlessMissing(stat(file)));
    if (isRoots && performance.now() - begun < GIVEN_WITHIN) return undefined;
    throw error;
  }
  try {
    await giveIfNew(handle, file);
    if (tryLock(handle.fd) && (await isNamed(file, handle))) return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
  await handle.close();
  return undefined;
}

/** Whether the open file still has this name: its last holder may have removed it, and somebody may have made a new one. */
export async function isNamed(file: string, handle: FileHandle): Promise<boolean> {
  const [named, opened] = await Promise.all([
    unlessMissing(stat(file, { bigint: true })),
    handle.stat({ bigint: true }),
  ]);
  return named?.ino === opened.ino && named.dev === opened.dev;
}
