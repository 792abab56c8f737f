import type { Archive } from './archive.js';
import { MEMBERS, refuseArchive } from './format.js';
import { MANIFEST_V1, openV1, packOfV1 } from './read-v1.js';
import { openV2, packOfV2 } from './read-v2.js';
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

/** A pack's ID becomes a folder's name. */
const PACK_ID = /^[0-9A-Za-z][0-9A-Za-z_.-]{0,63}$/;

/** Whose vectors an archive holds, as its manifest says. @throws KaomonError ARCHIVE_INVALID */
export async function packOf(file: string): Promise<Archive['pack']> {
  const zip = await openZip(file);
  try {
    const pack = await (zip.names.has(MEMBERS.vectors) ? packOfV2(zip) : packOfV1(zip));
    if (!PACK_ID.test(pack.id)) refuseArchive(`"${pack.id}" is not the ID of a pack`);
    return pack;
  } finally {
    await zip.close();
  }
}
