import { randomBytes } from 'node:crypto';
import { link, mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { giveTo, giveToFolder, ownerOf } from './owner.js';

/** How unfinished files are named: swept at a later start. */
export const UNFINISHED = '.unfinished-';
/** A temporary file exists for milliseconds; one older than this was left by a crash, milliseconds. */
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
 * Makes a folder and any missing folders above it, durably, with the owner of the folder around them. One by one,
 * because Node's own `recursive` hangs, deaf to signals, where nothing can be made (`/proc/x`).
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

/** @returns false when it exists */
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

/** A file that is completely written and has yet to get its name. */
export interface Staged {
  /** Gives it its name. @returns false when there is such a file that must stay */
  place(): Promise<boolean>;
  /** Removes it, unless it was placed. */
  discard(): Promise<void>;
}

export interface WriteOptions {
  /** Permissions of a file that is new, before the umask. */
  mode?: number;
}

export interface StageOptions extends WriteOptions {
  /** Keep a file that exists. */
  unlessThere?: boolean;
  /** Whether its content survives a power cut. */
  survives?: boolean;
}

/**
 * Writes a file under a temporary name. Several that belong together are all staged before any is placed, so that a
 * full disk changes nothing. A file keeps its owner, no matter who writes it.
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
 * Writes a file completely or not at all, even in a power cut: temporary name, fsync, rename, fsync of the folder. It
 * keeps its owner, no matter who writes it.
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
 * Like {@link writeDurably}, for what can be made again: readers find it complete, but after a power cut it may be
 * missing or damaged. Does not wait for the disk.
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

/** Like {@link writeDurably}, for a file that must not exist yet. @returns false when it is */
export async function createDurably(file: string, data: Uint8Array | string): Promise<boolean> {
  const isNew = await (await stage(file, data, { unlessThere: true })).place();
  if (isNew) await syncFolder(path.dirname(file));
  return isNew;
}

/** Whether a system call failed in this way. */
export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** What the work resolves to, or undefined when a file or folder does not exist. */
export async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Deletes a leftover temporary file or folder, but not one that another process is writing right now. */
export async function sweepUnfinished(file: string): Promise<void> {
  const found = await unlessMissing(stat(file));
  if (found && Date.now() - found.mtimeMs > UNFINISHED_AGE) await rm(file, { recursive: true, force: true });
}

/** Like {@link sweepUnfinished}, for everything in a folder. What cannot be deleted stays. */
export async function sweepFolder(folder: string): Promise<void> {
  for (const name of await namesIn(folder))
    if (name.startsWith(UNFINISHED)) await sweepUnfinished(path.join(folder, name)).catch(() => undefined);
}

/** The names in a folder; none when it does not exist. */
export async function namesIn(folder: string): Promise<string[]> {
  return (await unlessMissing(readdir(folder))) ?? [];
}
