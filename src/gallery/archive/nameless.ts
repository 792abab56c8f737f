import { randomUUID } from 'node:crypto';
import { close, open, read, write } from 'node:fs';
import { rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { makeFolder, namesIn, unlessMissing } from '../../platform/files/durable.js';

const openFile = promisify(open);
const closeFile = promisify(close);
const readFrom = promisify(read);
const writeFrom = promisify(write);
/** Bytes read at a time. */
const PIECE = 1 << 18;

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
    for await (const chunk of source) await writeAll(descriptor, chunk);
  };
}

/** Writes at the descriptor's place. */
export async function writeAll(descriptor: number, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;)
    at += (await writeFrom(descriptor, bytes, at, bytes.length - at)).bytesWritten;
}

/**
 * Reads some bytes of a file, wherever the descriptor stands.
 * @param length fewer are returned where the file ends
 */
export async function readAt(descriptor: number, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await readFrom(descriptor, bytes, at, length - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  return bytes.subarray(0, at);
}

/** Reads from one place of a file to another, a piece at a time; stops early where the file ends. */
export async function* readRange(descriptor: number, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end;) {
    const bytes = await readAt(descriptor, at, Math.min(PIECE, end - at));
    if (bytes.length === 0) return;
    at += bytes.length;
    yield bytes;
  }
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
