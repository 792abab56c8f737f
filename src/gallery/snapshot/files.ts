/** The files of a snapshot as wholes: compared with their checksums, linked, and completed by lists. */
import { copyFile, link, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder } from '../../platform/files/durable.js';
import { LISTS_FROM, trainLists } from '../base/train-lists.js';
import type { Snapshot, SnapshotPlace } from './catalogue.js';
import { type Encoded, noteOf, openNew } from './encode.js';
import { DamagedSnapshot, LISTS, type Manifest, VECTORS } from './format.js';

export interface ListOptions {
  place: SnapshotPlace;
  /** Ends it soon; nothing is left behind. */
  signal?: AbortSignal;
  warn: (message: string) => void;
  /** From so many rows on there are lists; for tests. */
  listsFrom?: number | undefined;
  /** Sorts the vectors into lists; for tests. */
  train?: typeof trainLists;
}

/** What is known of the files of a snapshot before it is described. */
export type Content = Pick<Manifest, 'people' | 'faces' | 'rows' | 'groups' | 'sections' | 'files' | 'lists'>;

/** @throws DamagedSnapshot when the vectors or their lists are not as they were written */
export async function checkFiles({ folder, manifest: { files } }: Snapshot): Promise<void> {
  for (const name of [VECTORS, LISTS] as const) {
    const note = files[name];
    if (note && (await noteOf(path.join(folder, name))).crc32 !== note.crc32)
      throw new DamagedSnapshot(`the checksum of ${name} differs`);
  }
}

/** The files of a snapshot under a second name: only what is said of them changes. */
export async function linkAll({ folder: from, manifest }: Snapshot, folder: string): Promise<Content> {
  await makeFolder(folder, 0o700);
  for (const name of Object.keys(manifest.files)) {
    const [file, copy] = [path.join(from, name), path.join(folder, name)];
    // Where files cannot have two names, there are two files.
    await link(file, copy).catch(() => copyFile(file, copy));
  }
  return manifest;
}

/** Whether a snapshot of so many rows should have lists and has none. */
export function lacksLists(
  { place, listsFrom = LISTS_FROM }: Pick<ListOptions, 'place' | 'listsFrom'>,
  { rows, lists }: Pick<Content, 'rows' | 'lists'>,
): boolean {
  return !lists && rows >= listsFrom && place.lists !== false;
}

/** Sorts the vectors into lists where there are enough of them. A snapshot without is as good, only slower. */
export async function addLists(
  { place, signal, warn, listsFrom, train = trainLists }: ListOptions,
  previous: Snapshot | undefined,
  folder: string,
  encoded: Encoded | Content,
): Promise<Content> {
  if (!lacksLists({ place, listsFrom }, encoded)) return encoded;
  const listsFile = path.join(folder, LISTS);
  const from = previous?.manifest.lists && path.join(previous.folder, LISTS);
  const vectorsFile = path.join(folder, VECTORS);
  try {
    const { lists, nprobe, recall } = await train({
      ...{ vectorsFile, length: place.length, rows: encoded.rows, listsFile },
      ...(from && { from }),
      ...(signal && { signal }),
    });
    const files = { ...encoded.files, [LISTS]: await noteOf(listsFile) };
    return { ...encoded, files, lists: { lists, nprobe, recall } };
  } catch (error) {
    signal?.throwIfAborted();
    await rm(listsFile, { force: true });
    warn(`The snapshot has no lists, so that searches read all vectors: ${String(error)}`);
    return encoded;
  }
}

/** Writes a new file, which is on the disk afterwards. */
export async function writeSynced(file: string, text: string): Promise<void> {
  const handle = await openNew(file);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
