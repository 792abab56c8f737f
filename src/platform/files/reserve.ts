/**
 * Room kept aside on a disk for what must work when it is full: deleting people, revoking keys and auditing both. A
 * file holds it; when there is no other room, a piece of it is given back to the disk.
 */
import { randomBytes } from 'node:crypto';
import { open, rm, statfs, truncate } from 'node:fs/promises';
import path from 'node:path';
import { unlessMissing } from './durable.js';
import { obstacleOf } from './obstacles.js';
import { giveTo, ownerOf } from './owner.js';

/** The file's name, in a folder on the disk concerned. */
const RESERVE = '.reserve';
/**
 * Bytes: enough for the log and audit lines of some 300 deletions, even if none of them frees a block. A disk of a few
 * megabytes keeps a sixteenth.
 */
const BYTES = 1 << 18;
const PART = 16;
/** It is given back in so many pieces: whatever fills the disk gets only one. */
const PIECES = 16;

export type Reserve = ReturnType<typeof createReserve>;

/** @param folder need not exist; several processes may share one */
export function createReserve(folder: string) {
  const file = path.join(folder, RESERVE);

  /** Bytes that are free for everybody, and bytes to keep aside; undefined where the disk does not say. */
  async function measure(): Promise<{ free: number; wanted: number } | undefined> {
    const found = await statfs(folder).catch(() => undefined);
    if (!found || found.blocks === 0) return undefined;
    const { bsize, blocks, bavail, files, ffree } = found;
    const isOutOfFiles = files > 0 && ffree === 0;
    const wanted = Math.min(BYTES, Math.floor((blocks * bsize) / PART));
    return { free: isOutOfFiles ? 0 : bavail * bsize, wanted };
  }

  /** @returns false when there is nothing left to give */
  async function giveBack(): Promise<boolean> {
    const handle = await unlessMissing(open(file, 'r+'));
    if (!handle) return false;
    try {
      const { size } = await handle.stat();
      if (size > 0) {
        await handle.truncate(Math.max(0, size - Math.max(4096, Math.floor(BYTES / PIECES))));
        return true;
      }
    } finally {
      await handle.close();
    }
    // Its name goes last: a disk may have run out of files.
    await rm(file, { force: true });
    return true;
  }

  return {
    /**
     * Does what must work on a full disk.
     * @param work repeated from the beginning while the disk is full and some room is kept aside
     */
    async spend<T>(work: () => Promise<T>): Promise<T> {
      for (;;) {
        try {
          return await work();
        } catch (error) {
          if (obstacleOf(error) !== 'disk full' || !(await giveBack().catch(() => false))) throw error;
        }
      }
    },

    /** Whether there is room for work that can wait: as much must stay free as is kept aside. */
    async hasRoom(): Promise<boolean> {
      const found = await measure();
      return !found || found.free >= found.wanted;
    },

    /** Keeps room aside, if there is any. Never throws, as the disk may be read-only. */
    async keep(): Promise<void> {
      const found = await measure();
      if (!found) return;
      const { free, wanted } = found;
      try {
        const owner = await ownerOf(file);
        const handle = await open(file, 'a', 0o600);
        try {
          await giveTo(handle, owner);
          const missing = wanted - (await handle.stat()).size;
          // Random, so that no file system can compress it.
          if (missing > 0 && free >= missing + wanted) await handle.write(randomBytes(missing));
        } finally {
          await handle.close();
        }
        // Two processes may have filled it at once.
        await trimTo(wanted);
      } catch {
        // If it matters, `hasRoom` notices.
      }
    },
  };

  async function trimTo(bytes: number): Promise<void> {
    const handle = await open(file, 'r');
    const { size } = await handle.stat();
    await handle.close();
    if (size > bytes) await truncate(file, bytes);
  }
}
