import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

/** Why something is not a file that can be read as what it should be; the caller decides what becomes of it. */
export class UnfitFile extends Error {}

/**
 * Reads a file that has to be small. What stands there under its name may be anything: a folder, a pipe that nobody
 * writes into (reading one would wait for ever), a device that never ends, a file of gigabytes.
 * @param most bytes
 * @throws UnfitFile that says what is wrong; system errors as they are
 */
export async function readSmall(file: string, most: number): Promise<Buffer> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new UnfitFile(found.isDirectory() ? 'it is a folder' : 'it is no file');
    if (found.size > most) throw new UnfitFile(`it is larger than ${most} bytes`);
    return await handle.readFile();
  } finally {
    await handle.close();
  }
}
