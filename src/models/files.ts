import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { makeFolder } from '../platform/files/durable.js';
import { giveTo, ownerOf } from '../platform/files/owner.js';

/** SHA-256 of a file's content, hex. Reads it in pieces. */
export async function sha256OfFile(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const piece of createReadStream(file, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer);
  return hash.digest('hex');
}

/** SHA-256 of bytes, hex. */
export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Size and time of change, or undefined when there is no such file. */
export async function statFile(file: string): Promise<{ bytes: number; modified: number } | undefined> {
  try {
    const { size, mtimeMs } = await stat(file);
    return { bytes: size, modified: mtimeMs };
  } catch (error) {
    // ENOTDIR: a file where a folder would have to be.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Writes a file so that it survives a power cut once this resolves. The name must not be in use by a reader. */
export async function writeSynced(file: string, content: Uint8Array | string): Promise<void> {
  const owner = await ownerOf(file);
  const handle = await open(file, 'w');
  try {
    await giveTo(handle, owner);
    await handle.writeFile(content);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Renames and makes the new name survive a power cut. */
export async function renameSynced(from: string, to: string): Promise<void> {
  await rename(from, to);
  const folder = await open(path.dirname(to), 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

const LOCK_BEAT_MS = 2_000;
/** A holder that has not touched its lock for so long is gone: killed, or on a machine that was switched off. */
const LOCK_STALE_MS = 60_000;
const LOCK_POLL_MS = 100;

/**
 * Runs `work` while no other process does so for the same lock, on any machine that shares the folder. The lock saves
 * double work only: what it guards must stay correct when a stale one is taken over.
 * @param onWait called once when another holds the lock
 */
export async function withLock<T>(lock: string, work: () => Promise<T>, onWait?: () => void): Promise<T> {
  await makeFolder(path.dirname(lock));
  const seen = { modified: NaN, since: 0 };
  for (let waited = false; !(await take(lock, seen)); waited = true) {
    if (!waited) onWait?.();
    await wait(LOCK_POLL_MS);
  }
  const beat = setInterval(() => {
    const now = new Date();
    // A lock that was taken over while this process slept is the other's to keep.
    void utimes(lock, now, now).catch(() => undefined);
  }, LOCK_BEAT_MS);
  beat.unref();
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await rm(lock, { force: true });
  }
}

/** @param seen what was seen of the lock so far: its clock may be set back while nobody holds it any more */
async function take(lock: string, seen: { modified: number; since: number }): Promise<boolean> {
  try {
    await writeFile(lock, `${process.pid} ${hostname()}\n`, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  const held = await statFile(lock);
  const now = performance.now();
  if (held && held.modified !== seen.modified) Object.assign(seen, { modified: held.modified, since: now });
  const isStale = () => Date.now() - seen.modified > LOCK_STALE_MS || now - seen.since > LOCK_STALE_MS;
  if (held && (isStale() || (await holderIsGone(lock)))) {
    await rm(lock, { force: true });
  }
  return false;
}

/** Whether the holder was a process of this machine that has ended: no need to wait for its lock to grow stale. */
async function holderIsGone(lock: string): Promise<boolean> {
  const [pid, host] = (await readFile(lock, 'utf8').catch(() => '')).trim().split(' ');
  if (host !== hostname() || !/^\d+$/.test(pid)) return false;
  try {
    process.kill(Number(pid), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ESRCH';
  }
}
