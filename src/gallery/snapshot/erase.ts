import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { KaomonError } from '../../platform/errors.js';
import { readSmall } from '../../platform/files/small-file.js';
import { unlessMissing } from '../../platform/files/durable.js';
import { underLock } from '../../platform/files/lock.js';
import { SNAPSHOTS } from '../store/file-layout.js';
import { discard, keeperLock, numberedFolder, type SnapshotPlace, snapshotNumbers } from './catalogue.js';
import { decodeManifest, MANIFEST } from './format.js';
import { openPeople } from './people.js';

/** Bytes of the largest `snapshot.json`. */
const MOST_MANIFEST = 100_000_000;

/**
 * A person is deleted from all packs, so from their snapshots, too. Those of a pack that a server runs with are its own
 * affair; those of any other are thrown away where they hold somebody of these.
 */
export async function eraseFromOtherPacks(place: SnapshotPlace, faceids: readonly string[]): Promise<void> {
  if (faceids.length === 0) return;
  const folder = path.join(place.folder, SNAPSHOTS);
  const entries = (await unlessMissing(readdir(folder, { withFileTypes: true }))) ?? [];
  for (const entry of entries) {
    const pack = entry.name;
    if (!entry.isDirectory() || pack === place.pack) continue;
    const other = { folder: place.folder, pack };
    const work = async () => {
      for (const number of await snapshotNumbers(other))
        if (await holdsOneOf(other, number, faceids)) await discard(other, number);
    };
    await underLock(keeperLock(other), work, { patience: 0 }).catch((error: unknown) => {
      if (!(error instanceof KaomonError && error.code === 'STORE_UNAVAILABLE')) throw error;
    });
  }
}

/** True also when nobody can tell. */
async function holdsOneOf(
  place: Pick<SnapshotPlace, 'folder' | 'pack'>,
  number: number,
  faceids: readonly string[],
): Promise<boolean> {
  const folder = numberedFolder(place, number);
  try {
    const text = await readSmall(path.join(folder, MANIFEST), MOST_MANIFEST);
    const manifest = decodeManifest(text.toString('utf8'));
    if (!manifest) return true;
    const people = openPeople(folder, manifest, number);
    return faceids.some((faceid) => people.indexOf(faceid) >= 0);
  } catch {
    return true;
  }
}
