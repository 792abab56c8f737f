import { readdir } from 'node:fs/promises';

/** Names of all files and folders below a folder. */
export async function filesBelow(folder: string): Promise<string[]> {
  return await readdir(folder, { recursive: true });
}
