import { createWriteStream } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { KaomonError } from '../errors.js';
import { hasCode, renameDurably, unlessMissing } from './durable.js';

/**
 * Writes a file for somebody to keep, who may take whatever has its name for the whole of it: it gets the name once it is on
 * the disk. It is written beside that, readable by its owner alone; what a killed process leaves there is named by the next
 * one, because another may be writing it.
 * @param file must not exist yet
 * @throws KaomonError SETUP where it, or an unfinished one, is there; what the source, the disk and the signal throw
 */
export async function writeNewFile(file: string, source: Readable, signal: AbortSignal): Promise<void> {
  const unfinished = `${file}.unfinished`;
  try {
    await requireNew(file);
    const target = createWriteStream(unfinished, { flags: 'wx', mode: 0o600, flush: true });
    try {
      await pipeline(source, target, { signal });
      // Not by a link, which would refuse by itself: sticks and network drives know none.
      await requireNew(file);
      await renameDurably(unfinished, file);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) await rm(unfinished, { force: true });
      throw error;
    }
  } catch (cause) {
    source.destroy();
    if (!hasCode(cause, 'EEXIST')) throw cause;
    throw new KaomonError(
      'SETUP',
      `There is ${unfinished}: another command writes it now, or one was killed. Delete it if none does.`,
      { cause },
    );
  }
}

async function requireNew(file: string): Promise<void> {
  if (await unlessMissing(stat(file)))
    throw new KaomonError('SETUP', `There is ${file} already, and it is left as it is: name another file.`);
}
