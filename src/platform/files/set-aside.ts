import { rename } from 'node:fs/promises';
import path from 'node:path';
import { hasCode, makeFolder, unlessMissing } from './durable.js';
import type { Damage } from './damage.js';

/** A folder for files that could not be read: biometric data is never deleted unasked. */
export const SET_ASIDE = 'set-aside';

/** Of a file or folder that this process may not read, or that a failing disk no longer gives. */
const UNREADABLE = ['EACCES', 'EPERM', 'EIO', 'EISDIR', 'ELOOP', 'ENAMETOOLONG', 'EUCLEAN', 'ENXIO'];

/**
 * Moves a damaged file (or whatever has its name) to `set-aside/` and reports it. If it cannot be moved (a read-only or
 * full disk), it is reported and passed over.
 * @param folder the gallery's @param what below it
 */
export async function setAside(folder: string, what: string, reason: string, damage: Damage): Promise<void> {
  const target = path.join(folder, SET_ASIDE, what);
  try {
    await makeFolder(path.dirname(target));
    await unlessMissing(rename(path.join(folder, what), target));
    damage.report(what, `${reason}; it was set aside to ${target}`);
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    damage.report(what, `${reason}; it is passed over, because it cannot be set aside (${code})`);
  }
}

export function isUnreadable(error: unknown): boolean {
  return hasCode(error, ...UNREADABLE);
}

/**
 * Reports something that cannot be read and goes on without it.
 * @throws the given error when it is about more than this one thing
 */
export function passOver(error: unknown, what: string, damage: Damage): void {
  if (!isUnreadable(error)) throw error;
  const { code = '' } = error as NodeJS.ErrnoException;
  damage.report(what, `it cannot be read (${code}) and is passed over`);
}
