import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { giveTo, giveToFolder, ownerOf } from './owner.js';

/** How unfinished files are named: swept at a later start. */
export const UNFINISHED = '.unfinished-';
/** A temporary file lives for milliseconds; one older than this was left by a crash, milliseconds. */
const UNFINISHED_AGE = 60_000;

/** Makes a folder's entries (a rename, a new file) survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * Makes a folder and everything above it that is missing, durably; what is made belongs to whom the folder around it
 * does. Step by step: Node's own `recursive` never comes back, and heeds no signal, where nothing can be made (`/proc/x`).
 * @param mode of what is made
 * @returns the topmost folder that was made; undefined when all were there
 * @throws ENOENT where nothing can be made, EEXIST when a file is in the way
 */
export async function makeFolder(folder: string, mode = 0o777): Promise<string | undefined> {
  const whole = path.resolve(folder);
  const above = path.dirname(whole);
  try {
    return (await makeOne(whole, mode)) ? whole : undefined;
  } catch (error) {
    if (!hasCode(error, 'ENOENT') || above === whole) throw error;
  }
  const first = await makeFolder(above, mode);
  return (await makeOne(whole, mode)) ? (first ?? whole) : first;
}

/** @returns false when it is there */
async function makeOne(folder: string, mode: number): Promise<boolean> {
  try {
    await mkdir(folder, { mode });
  } catch (error) {
    if (hasCode(error, 'EEXIST') && (await stat(folder)).isDirectory()) return false;
    throw error;
  }
  await giveToFolder(folder);
  await syncFolder(path.dirname(folder));
  return true;
}

/** A file that is written, whole and on the disk, and has yet to get its name. */
export interface Staged {
  /** Gives it its name. @returns false when there is such a file, and it must not be replaced */
  place(): Promise<boolean>;
  /** Forgets it, unless it was placed. */
  discard(): Promise<void>;
}

export interface WriteOptions {
  /** Permissions of a file that is new, before the umask. */
  mode?: number;
}

export interface StageOptions extends WriteOptions {
  /** A file that is there stays. */
  unlessThere?: boolean;
  /** Whether its content survives a power cut. */
  survives?: boolean;
}

/**
 * Writes a file under a temporary name. Several that belong together are staged first and placed then: what a full disk
 * refuses leaves nothing behind. A file keeps its owner, whoever writes it.
 * @throws ENOENT when the folder is not there
 */
export async function stage(
  file: string,
  data: Uint8Array | string,
  { unlessThere = false, survives = true, mode = 0o600 }: StageOptions = {},
): Promise<Staged> {
  const unfinished = path.join(path.dirname(file), `${UNFINISHED}${randomBytes(6).toString('hex')}`);
  const discard = () => rm(unfinished, { force: true });
  const owner = await ownerOf(file);
  try {
    const handle = await open(unfinished, 'wx', mode);
    try {
      await giveTo(handle, owner);
      await handle.writeFile(data);
      if (survives) await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    await discard();
    throw error;
  }
  return {
    discard,
    async place() {
      try {
        if (!unlessThere) await rename(unfinished, file);
        // A link fails where a rename would replace.
        else await link(unfinished, file);
        return true;
      } catch (error) {
        if (unlessThere && hasCode(error, 'EEXIST')) return false;
        throw error;
      } finally {
        await discard();
      }
    },
  };
}

/**
 * Writes a file so that it is there whole or not at all, also after a power cut: temporary name, fsync, rename, fsync
 * of the folder. It keeps its owner, whoever writes it.
 * @throws ENOENT when the folder is not there, or goes away in between
 */
export async function writeDurably(
  file: string,
  data: Uint8Array | string,
  options: WriteOptions = {},
): Promise<void> {
  await (await stage(file, data, options)).place();
  await syncFolder(path.dirname(file));
}

/**
 * As {@link writeDurably}, for what can be made again: whoever reads finds it whole, but after a power cut it may be
 * missing or damaged. The disk is not waited for.
 */
export async function replaceFile(
  file: string,
  data: Uint8Array | string,
  options: WriteOptions = {},
): Promise<void> {
  await (await stage(file, data, { ...options, survives: false })).place();
}

/** Renames, and makes the new name survive a power cut. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(path.dirname(to));
}

/** As {@link writeDurably}, for a file that must not be there yet. @returns false when it is */
export async function createDurably(file: string, data: Uint8Array | string): Promise<boolean> {
  const isNew = await (await stage(file, data, { unlessThere: true })).place();
  if (isNew) await syncFolder(path.dirname(file));
  return isNew;
}

/** Whether a system call failed in this way. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** What the work answers, or undefined when a file or folder was not there. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Deletes a leftover temporary file, but not one that another process is writing at this moment. */
export async function sweepUnfinished(file: string): Promise<void> {
  const found = await unlessMissing(stat(file));
  if (found && Date.now() - found.mtimeMs > UNFINISHED_AGE) await rm(file, { force: true });
}

/** As {@link sweepUnfinished}, for everything in a folder. What cannot be deleted stays. */
export async function sweepFolder(folder: string): Promise<void> {
  for (const name of await namesIn(folder))
    if (name.startsWith(UNFINISHED)) await sweepUnfinished(path.join(folder, name)).catch(() => undefined);
}

/** The names in a folder; none when it is not there. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await unlessMissing(readdir(folder))) ?? [];
}
