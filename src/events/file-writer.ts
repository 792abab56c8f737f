import { type FileHandle, open } from 'node:fs/promises';
import { makeFolder, syncFolder } from '../platform/files/durable.js';
import { giveIfNew } from '../platform/files/owner.js';
import { createKeyedMutex } from '../platform/keyed-mutex.js';
import type { Reserve } from '../platform/files/reserve.js';
import type { GalleryEvent } from './event.js';
import type { AppendOptions } from './log.js';
import { listSegments, readLines, sealLine, segmentFile } from './segments.js';

/**
 * Appends to the last segment. Several processes may: what is appended together is one write at the file's end (O_APPEND),
 * which Linux never mixes with another. It also begins with a line break, so that a line that a crash cut short stays separate;
 * its writer was never told that it succeeded.
 * @param segmentBytes a segment is sealed when it has grown over this
 * @param reserve room for what must be logged even on a full disk
 */
export function createFileWriter(folder: string, segmentBytes: number, reserve: Pick<Reserve, 'spend'>) {
  let current: { handle: FileHandle; segment: number; checked: number } | undefined;
  const mutex = createKeyedMutex();

  async function openLast(atLeast: number): Promise<NonNullable<typeof current>> {
    await current?.handle.close();
    current = undefined;
    await makeFolder(folder);
    const segment = Math.max(atLeast, (await listSegments(folder)).at(-1) ?? 1);
    const handle = await open(segmentFile(folder, segment), 'a+', 0o600);
    await giveIfNew(handle, segmentFile(folder, segment));
    await syncFolder(folder);
    current = { handle, segment, checked: 0 };
    return current;
  }

  async function write(handle: FileHandle, text: string): Promise<void> {
    const bytes = Buffer.from(text);
    const { bytesWritten } = await handle.write(bytes);
    if (bytesWritten < bytes.length)
      throw Object.assign(new Error('The event log could not be written.'), { code: 'ENOSPC' });
  }

  async function append(events: readonly GalleryEvent[]): Promise<void> {
    // A line each: JSON escapes line breaks.
    const texts = events.map((event) => JSON.stringify(event));
    const last = texts.at(-1);
    if (last === undefined) return;
    const isWaitedFor = events.some(({ kind }) => kind !== 'begun');
    let { handle, segment, checked } = current ?? (await openLast(1));
    for (;;) {
      await write(handle, `\n${texts.join('\n')}\n`);
      const lines = await readLines(handle, checked);
      const mine = lines.findLast((line) => line.text === last);
      const seal = lines.find((line) => line.seal !== undefined);
      if (mine && (!seal || seal.start > mine.start)) {
        // Before the store is touched, the entry matters only to living processes and need not be on disk.
        if (isWaitedFor) await handle.datasync();
        if (current) current.checked = mine.end;
        if (!seal && mine.end > segmentBytes) await write(handle, sealLine(segment + 1));
        return;
      }
      ({ handle, segment, checked } = await openLast((seal?.seal ?? segment) + (seal ? 0 : 1)));
    }
  }

  return {
    /** One call after another. @throws when the entries are not in the log for good */
    append(events: readonly GalleryEvent[], { evenWhenFull = false }: AppendOptions = {}): Promise<void> {
      return mutex.run('log', () => (evenWhenFull ? reserve.spend(() => append(events)) : append(events)));
    },
    async close(): Promise<void> {
      await mutex.idle();
      await current?.handle.close();
      current = undefined;
    },
  };
}
