import { randomUUID } from 'node:crypto';
import { close, open, write } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { makeFolder, namesIn, unlessMissing } from '../../platform/files/durable.js';

const openFile = promisify(open);
const closeFile = promisify(close);
const writeFrom = promisify(write);

const NAME = /^import-[0-9a-f-]{36}\.zip$/;
/** An older archive is not being received any more, since slow uploads are ended; milliseconds. */
const LEFT = 600_000;

/**
 * Opens a new file and unlinks it, so that it vanishes with the process, however that ends: an archive holds everybody's
 * vectors.
 * @returns its descriptor, for writing and reading; the caller closes it
 */
export async function openNameless(folder: string): Promise<number> {
  await makeFolder(folder);
  const file = path.join(folder, `import-${randomUUID()}.zip`);
  const descriptor = await openFile(file, 'wx+', 0o600);
  try {
    await rm(file);
    return descriptor;
  } catch (error) {
    await closeFile(descriptor);
    throw error;
  }
}

/** A pipeline's last step, which writes to a descriptor; Node's own streams would close it when the pipeline fails. */
export function writingTo(descriptor: number): (source: AsyncIterable<Buffer>) => Promise<void> {
  return async (source) => {
    for await (const chunk of source) {
      for (let at = 0; at < chunk.length;) {
        at += (await writeFrom(descriptor, chunk, at, chunk.length - at)).bytesWritten;
      }
    }
  };
}

export async function closeDescriptor(descriptor: number): Promise<void> {
  await closeFile(descriptor);
}

/** Removes archives that a killed process left, but none that is being received. Never throws. */
export async function sweepArchives(folder: string): Promise<void> {
  for (const name of await namesIn(folder).catch(() => [])) {
    const file = path.join(folder, name);
    const found = NAME.test(name) ? await unlessMissing(stat(file)).catch(() => undefined) : undefined;
    if (found?.isFile() && Date.now() - found.mtimeMs > LEFT)
      await rm(file, { force: true }).catch(() => undefined);
  }
}
