import type { Archive } from './archive.js';
import { MEMBERS, refuseArchive } from './format.js';
import { MANIFEST_V1, openV1 } from './read-v1.js';
import { openV2 } from './read-v2.js';
import { openZip } from './read-zip.js';

/**
 * Opens an archive of either version.
 * @param file its path, or a descriptor, which the caller closes
 * @param pack whose vectors can be used
 * @throws KaomonError ARCHIVE_INVALID
 */
export async function openArchive(file: string | number, pack: Archive['pack']): Promise<Archive> {
  const zip = await openZip(file);
  try {
    if (zip.names.has(MEMBERS.vectors)) return openV2(zip, pack);
    if (zip.names.has(MANIFEST_V1)) return openV1(zip, pack);
    refuseArchive(`${MEMBERS.manifest} is missing`);
  } catch (error) {
    await zip.close();
    throw error;
  }
}
