/**
 * Room kept aside on a disk for what must work when it is full: deleting somebody, ending a key, saying so in the audit.
 * A file holds it; a piece of it is given back to the disk when there is no other room.
 */
import { randomBytes } from 'node:crypto';
import { open, rm, statfs, truncate } from 'node:fs/promises';
import path from 'node:path';
import { unlessMissing } from './durable.js';
import { obstacleOf } from './obstacles.js';
import { giveTo, ownerOf } from './owner.js';

/** The file's name, in the folder whose disk it is about. */
export const RESERVE = '.reserve';
/**
 * Bytes: some 300 deletions' lines in log and audit, should not one of them give a block back. A disk of a few
 * megabytes keeps a sixteenth.
 */
const BYTES = 1 << 18;
const PART = 16;
/** Pieces that it is given back in: whoever fills the disk gets no more of it than one. */
const PIECES = 16;

export type Reserve = ReturnType<typeof createReserve>;

/** @param folder may be missing; several processes may share one */
export function createReserve(folder: string) {
  const file = path.join(folder, RESERVE);

  /** Bytes that are free for everybody, and that are kept aside; undefined where the disk does not say. */
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
    // Its name is the last that it has: a disk may be out of those.
    await rm(file, { force: true });
    return true;
  }

  return {
    /**
     * Does what must work on a full disk.
     * @param work is done again, from the beginning, while there is no room and some is kept aside
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

    /** Whether there is room for what can wait: as much as is kept aside stays free, or it would be taken at once. */
    async hasRoom(): Promise<boolean> {
      const found = await measure();
      return !found || found.free >= found.wanted;
    },

    /** Keeps room aside, where there is some. Never throws: it may be a disk that cannot be written. */
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
          // Numbers that no file system can make smaller.
          if (missing > 0 && free >= missing + wanted) await handle.write(randomBytes(missing));
        } finally {
          await handle.close();
        }
        // Two processes may have kept it at once.
        await trimTo(wanted);
      } catch {
        // Seen by `hasRoom`, or of no matter.
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
