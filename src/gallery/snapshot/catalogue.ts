/** Which snapshots of a pack there are. Readers need no lock; whoever writes, or sweeps, holds the writer's. */
import { randomBytes } from 'node:crypto';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { hasCode, namesIn } from '../../platform/files/durable.js';
import { readSmall, UnfitFile } from '../../platform/files/small-file.js';
import { SNAPSHOTS } from '../store/file-layout.js';
import {
  DamagedSnapshot,
  decodeManifest,
  fitsThisMachine,
  LISTS,
  MANIFEST,
  type Manifest,
  VECTORS,
} from './format.js';
import { openPeople, type SnapshotPeople } from './people.js';

/** Whose snapshots, and what they must be of to be of use. */
export interface SnapshotPlace {
  /** The gallery's folder, `EMBEDDINGS_DIR`. */
  folder: string;
  pack: string;
  /** Numbers in a vector. */
  length: number;
  /** Whether people with several faces have a template. */
  templates: boolean;
  log: 'file' | 'redis';
  /** Whether a search may go by lists, which finds all but a few in a thousand. Default: yes. */
  lists?: boolean;
}

export interface Snapshot {
  number: number;
  folder: string;
  manifest: Manifest;
  people: SnapshotPeople;
}

/** Unfinished ones, and those that are on their way out. */
const UNFINISHED = '.tmp-';
const NUMBER = /^\d{13}$/;
/** Bytes of the largest `snapshot.json`: half a million groups. */
const MOST_MANIFEST = 100_000_000;
/** How often all are looked through when the newest vanishes meanwhile. */
const ATTEMPTS = 3;

export const snapshotsFolder = ({ folder, pack }: Pick<SnapshotPlace, 'folder' | 'pack'>): string =>
  path.join(folder, SNAPSHOTS, pack);

/** Held while a snapshot is written. */
export const writerLock = (place: SnapshotPlace): string => path.join(snapshotsFolder(place), '.writer.lock');
/** Held by the worker that decides when. */
export const keeperLock = (place: Pick<SnapshotPlace, 'folder' | 'pack'>): string =>
  path.join(snapshotsFolder(place), '.keeper.lock');

/** Held by a worker that starts, while it has the first one made. */
export const firstLock = (place: Pick<SnapshotPlace, 'folder' | 'pack'>): string =>
  path.join(snapshotsFolder(place), '.first.lock');

export const numberedFolder = (place: Pick<SnapshotPlace, 'folder' | 'pack'>, number: number): string =>
  path.join(snapshotsFolder(place), String(number).padStart(13, '0'));

export const unfinishedFolder = (place: Pick<SnapshotPlace, 'folder' | 'pack'>): string =>
  path.join(snapshotsFolder(place), `${UNFINISHED}${randomBytes(6).toString('hex')}`);

/** The numbers of all snapshots, the newest first, whether or not they are of use. */
export async function snapshotNumbers(place: Pick<SnapshotPlace, 'folder' | 'pack'>): Promise<number[]> {
  const names = await namesIn(snapshotsFolder(place)).catch(() => []);
  return names
    .filter((name) => NUMBER.test(name))
    .map(Number)
    .sort((a, b) => b - a);
}

/**
 * The newest snapshot that is whole and of this pack, or undefined. Damaged ones are thrown away: they can be made again.
 * The vectors' checksum is not compared, which would take as long as reading them.
 * @param warn told of each damaged one
 */
export async function openNewest(
  place: SnapshotPlace,
  warn: (message: string) => void,
): Promise<Snapshot | undefined> {
  if (!fitsThisMachine) return undefined;
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    let vanished = false;
    for (const number of await snapshotNumbers(place)) {
      const found = await openOrDiscard(place, number, warn);
      if (typeof found === 'object') return found;
      vanished ||= found === 'gone';
    }
    if (!vanished) return undefined;
  }
  return undefined;
}

async function openOrDiscard(place: SnapshotPlace, number: number, warn: (message: string) => void) {
  try {
    return (await openNumbered(place, number)) ?? 'unfit';
  } catch (error) {
    const folder = numberedFolder(place, number);
    const isThere = await stat(folder).then(
      () => true,
      () => false,
    );
    // A newer one was finished meanwhile, and this one removed.
    if (!isThere) return 'gone';
    // A file that is missing is as damaged as one that is cut; anything else may pass, like too many open files.
    const isDamaged =
      error instanceof DamagedSnapshot || error instanceof UnfitFile || hasCode(error, 'ENOENT', 'EISDIR');
    const reason = isDamaged ? (error as Error).message : 'it cannot be read';
    warn(
      isDamaged
        ? `The snapshot ${number} is damaged (${reason}) and was thrown away: another one will be made.`
        : `The snapshot ${number} cannot be read and is passed over (${String(error)}).`,
    );
    if (isDamaged) await discard(place, number);
    return 'unfit';
  }
}

/**
 * @returns undefined when it is of another pack, or of another version of this program
 * @throws DamagedSnapshot, system errors
 */
async function openNumbered(place: SnapshotPlace, number: number): Promise<Snapshot | undefined> {
  return openFolder(place, numberedFolder(place, number), number);
}

/** As {@link openNewest}, one under any name. */
export async function openFolder(
  place: SnapshotPlace,
  folder: string,
  number: number,
): Promise<Snapshot | undefined> {
  const text = await readSmall(path.join(folder, MANIFEST), MOST_MANIFEST);
  const manifest = decodeManifest(text.toString('utf8'));
  if (!manifest) return undefined;
  const { pack, length, templates, log, rows, files } = manifest;
  if (pack !== place.pack || length !== place.length) return undefined;
  if (templates !== place.templates || log !== place.log) return undefined;
  if (files[VECTORS].bytes !== rows * length * 4) throw new DamagedSnapshot(`${VECTORS} has another size`);
  for (const [name, note] of Object.entries(files)) {
    const { size } = await stat(path.join(folder, name));
    if (size !== note.bytes) throw new DamagedSnapshot(`${name} is cut`);
  }
  if ((manifest.lists === undefined) !== (files[LISTS] === undefined))
    throw new DamagedSnapshot(`${LISTS} is not described`);
  return { number, folder, manifest, people: openPeople(folder, manifest, number) };
}

/** Removes one at once: under its own name it is gone after a single rename. What cannot be removed stays. */
export async function discard(place: Pick<SnapshotPlace, 'folder' | 'pack'>, number: number): Promise<void> {
  const aside = unfinishedFolder(place);
  try {
    await rename(numberedFolder(place, number), aside);
    await rm(aside, { recursive: true, force: true });
  } catch (error) {
    // On a disk that nobody may write, or another process did it.
    if (!hasCode(error, 'ENOENT', 'EROFS', 'EACCES', 'EPERM')) throw error;
  }
}

/** Removes what a writer that died has left. The caller holds the writer's lock. */
export async function sweep(place: SnapshotPlace): Promise<void> {
  const folder = snapshotsFolder(place);
  for (const name of await readdir(folder)) {
    if (name.startsWith(UNFINISHED)) await rm(path.join(folder, name), { recursive: true, force: true });
  }
}

/** Removes the snapshots of all packs, as far as that is possible. */
export async function removeSnapshots(folder: string): Promise<void> {
  await rm(path.join(folder, SNAPSHOTS), { recursive: true, force: true }).catch(() => undefined);
}
