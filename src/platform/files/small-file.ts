import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Why something cannot be read as the file that it should be; the caller decides what to do about it. */
export class UnfitFile extends Error {}

/**
 * Reads a file that has to be small. Anything may have its name: a folder, a pipe without a writer (reading it would
 * wait forever), an endless device, a file of gigabytes.
 * @param most bytes
 * @throws UnfitFile that says what is wrong; system errors as they are
 */
export async function readSmall(file: string, most: number): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new UnfitFile(found.isDirectory() ? 'it is a folder' : 'it is not a file');
    if (found.size > most) throw new UnfitFile(`it is larger than ${most} bytes`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
