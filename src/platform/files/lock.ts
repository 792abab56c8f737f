import { type FileHandle, open, rm, stat } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { KaomonError } from '../errors.js';
import { hasCode, unlessMissing } from './durable.js';
import { giveIfNew } from './owner.js';

/** Between two tries, milliseconds. */
const PAUSE = 20;
/** A lock file that root has just made belongs to the folder's owner within this time, milliseconds. */
const GIVEN_WITHIN = 1000;

export interface LockOptions {
  /** Milliseconds until the caller is told to try again; left out: as long as it takes. */
  patience?: number;
  /** Called once when somebody else holds the lock. */
  onWait?: () => void;
}

/**
 * Runs `work` while nobody else runs under the same lock: no other process, no other thread and no other caller in this
 * one. The kernel holds the lock for an open file and releases it when the process ends, however it ends; so no lock is
 * ever stale, and neither clocks nor process numbers decide who has it.
 * @param file the lock's name, there only while it is held; its folder must be there
 * @throws KaomonError STORE_UNAVAILABLE when the lock is not free in time; system errors where no file can be locked
 */
export async function underLock<T>(
  file: string,
  work: () => Promise<T>,
  { patience = Infinity, onWait }: LockOptions = {},
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
    await wait(PAUSE);
    held = await take(file, begun);
  }
  try {
    return await work();
  } finally {
    // The name first: whoever opened this file and locks it after us finds that it is no longer the lock.
    await rm(file, { force: true }).finally(held.close.bind(held));
  }
}

/** @returns undefined when somebody else holds the lock */
async function take(file: string, begun: number): Promise<FileHandle | undefined> {
  // Most starts lock nothing; loading this takes some of a tenth of a second.
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

/** Whether the open file still has this name: the one who held it before has removed it, and another may have been made. */
async function isNamed(file: string, handle: FileHandle): Promise<boolean> {
  const [named, opened] = await Promise.all([
    unlessMissing(stat(file, { bigint: true })),
    handle.stat({ bigint: true }),
  ]);
  return named?.ino === opened.ino && named.dev === opened.dev;
}
