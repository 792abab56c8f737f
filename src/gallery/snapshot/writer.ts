import { open, rename, rm, statfs, type FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { EventLog } from '../../events/log.js';
import { KaomonError } from '../../platform/errors.js';
import { makeFolder, syncFolder } from '../../platform/files/durable.js';
import { underLock } from '../../platform/files/lock.js';
import { refusalOf } from '../../platform/files/obstacles.js';
import { createReserve } from '../../platform/files/reserve.js';
import type { EmbeddingStore } from '../store/store.js';
import {
  discard,
  numberedFolder,
  openFolder,
  openNewest,
  type Snapshot,
  type SnapshotPlace,
  snapshotNumbers,
  snapshotsFolder,
  sweep,
  unfinishedFolder,
  writerLock,
} from './catalogue.js';
import { compareWithStore } from './compare.js';
import {
  addLists,
  checkFiles,
  type Content,
  lacksLists,
  linkAll,
  type ListOptions,
  writeSynced,
} from './files.js';
import { createEncoder, type Encoder, type Entry } from './encode.js';
import { eraseFromOtherPacks } from './erase.js';
import { DamagedSnapshot, encodeManifest, MANIFEST, type Manifest, VERSION, VECTORS } from './format.js';

/**
 * A snapshot is also made for the dates alone when this many people, or this part of them, had none: the next
 * comparison would read them all again.
 */
const REDATED = { people: 1000, part: 0.02 };

export interface MakeOptions extends ListOptions {
  store: EmbeddingStore;
  log: Pick<EventLog, 'start'>;
  /** @param done people of all */
  onProgress?: (done: number, all: number) => void;
  /** Another process is writing one: this one waits. */
  onWait?: () => void;
  /** How long a person must have been unchanged to be passed over the next time, milliseconds; for tests. */
  settled?: number;
}

export interface SnapshotReport {
  /** That of the newest snapshot now. */
  number: number;
  /** Whether it was made now: else nothing has changed. */
  isNew: boolean;
  people: number;
  faces: number;
  /** People who are new or different. */
  changed: number;
  /** People who are not there any more. */
  gone: number;
  seconds: number;
}

/**
 * Makes a snapshot of the store, unless the newest one is the same. Whatever the newest has is copied from it; only who
 * is new or different is read from the store.
 * @throws KaomonError STORAGE_FULL where there is no room, the signal's reason, system errors
 */
export async function makeSnapshot(options: MakeOptions): Promise<SnapshotReport> {
  const { place, log, warn, onWait } = options;
  await makeFolder(snapshotsFolder(place));
  const work = async () => {
    const began = performance.now();
    await sweep(place);
    // Before the store is read: what changes meanwhile is followed from here.
    const position = await log.start();
    // Not even that of a damaged one comes again: a worker may still have it open.
    const above = Math.max(0, ...(await snapshotNumbers(place)));
    const from = { position, above };
    const previous = await openNewest(place, warn);
    const report = await makeFrom(options, from, previous).catch(async (error: unknown) => {
      if (!previous || !(error instanceof DamagedSnapshot)) throw error;
      warn(`The snapshot ${previous.number} is damaged (${error.message}) and was thrown away.`);
      await discard(place, previous.number);
      return await makeFrom(options, from, await openNewest(place, warn));
    });
    return { ...report, seconds: (performance.now() - began) / 1000 };
  };
  return await underLock(writerLock(place), work, onWait && { onWait });
}

async function makeFrom(
  options: MakeOptions,
  { position, above }: { position: string; above: number },
  previous: Snapshot | undefined,
): Promise<Omit<SnapshotReport, 'seconds'>> {
  const { place, store } = options;
  // A start does not compare these, for speed.
  if (previous) await checkFiles(previous);
  const old = previous && (await openOld(previous, place.length));
  const folder = unfinishedFolder(place);
  try {
    const found = await writePeople(options, old, folder);
    const { changed, gone } = found;
    const storedGroups = await store.readGroups();
    const otherPacks = await store.countOtherPacks();
    const more = { position, storedGroups, otherPacks };
    let encoded: Content | undefined = found.encoded;
    if (!encoded && previous) {
      const { people, faces } = previous.manifest;
      if (isSame(previous.manifest, more) && !lacksLists(options, previous.manifest))
        return { number: previous.number, isNew: false, people, faces, changed, gone: 0 };
      encoded = await linkAll(previous, folder);
    }
    if (!encoded) throw new Error('Nobody was written, not even nobody.');
    if (!encoded.lists) encoded = await addLists(options, previous, folder, encoded);
    const { people, faces } = encoded;
    const number = await finish(place, folder, { ...encoded, ...more }, above);
    // What is erased must not stay in the one before.
    const kept = found.lost.length > 0 ? [number] : [number, previous?.number];
    for (const other of await snapshotNumbers(place)) if (!kept.includes(other)) await discard(place, other);
    await eraseFromOtherPacks(place, found.lost);
    return { number, isNew: true, people, faces, changed, gone };
  } finally {
    await old?.handle.close();
    await rm(folder, { recursive: true, force: true });
  }
}

async function openOld({ folder, people }: Snapshot, length: number) {
  const handle = await open(path.join(folder, VECTORS));
  return {
    people,
    handle,
    async vectorAt(row: number): Promise<Float32Array> {
      const vector = new Float32Array(length);
      const bytes = new Uint8Array(vector.buffer);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, row * bytes.length);
      if (bytesRead !== bytes.length) throw new DamagedSnapshot(`${VECTORS} is cut`);
      return vector;
    },
  };
}
type Old = Awaited<ReturnType<typeof openOld>> & { handle: FileHandle };

/**
 * Writes the people into a folder that is made for it, from the first difference on: without one nothing is written.
 * @returns without `encoded` when nobody differs; `lost`: who has lost a face, or is gone
 */
async function writePeople(options: MakeOptions, old: Old | undefined, folder: string) {
  const { place, store, signal = new AbortController().signal, onProgress, settled } = options;
  const reserve = createReserve(place.folder);
  const redated = new Map<number, Entry['stamp']>();
  const lost: string[] = [];
  /** Where the people that are the same and not yet written begin, and end. */
  const same = { first: 0, end: 0 };
  let [changed, gone, dated] = [0, 0, 0];
  let encoder: Encoder | undefined;

  async function begin(): Promise<Encoder> {
    if (encoder) return encoder;
    const estimate = old ? old.people.rows * place.length * 4 : 0;
    const { bavail, bsize } = await statfs(place.folder);
    if (bavail * bsize < estimate) throw refusalOf('disk full');
    await makeFolder(folder, 0o700);
    encoder = await createEncoder(folder, place.length);
    return encoder;
  }

  async function flush(to: Encoder): Promise<void> {
    if (!old || same.first === same.end) return;
    await to.copy(old, same.first, same.end, (at) => redated.get(at) ?? old.people.stampAt(at));
    redated.clear();
    same.first = same.end;
  }

  /** People of the snapshot before this one, whom no step has named, are gone. */
  async function skipTo(at: number): Promise<void> {
    if (!old || at === same.end) return;
    await flush(await begin());
    for (let i = same.end; i < at; i++) lost.push(old.people.faceidAt(i));
    gone += at - same.end;
    same.first = same.end = at;
  }

  try {
    if (!old) await begin();
    const { templates } = place;
    const compared = compareWithStore({ store, previous: old, templates, signal, onProgress, settled });
    for await (const steps of compared) {
      for (const step of steps) {
        if ('same' in step) {
          await skipTo(step.same);
          same.end += 1;
          if (old?.people.stampAt(step.same).changed === step.stamp.changed) continue;
          redated.set(step.same, step.stamp);
          dated += 1;
          continue;
        }
        const { faceid } = step.entry;
        const at = old?.people.firstFrom(faceid) ?? 0;
        await skipTo(at);
        const to = await begin();
        await flush(to);
        to.add(step.entry);
        changed += 1;
        if (step.lost) lost.push(faceid);
        // The old record of the same person.
        if (old?.people.indexOf(faceid) === at) same.first = same.end = at + 1;
      }
      if (!encoder) continue;
      await flush(encoder);
      await encoder.drain();
      if (!(await reserve.hasRoom())) throw refusalOf('disk full');
    }
    if (old) {
      await skipTo(old.people.people);
      if (dated > Math.max(REDATED.people, old.people.people * REDATED.part)) await begin();
    }
    if (encoder) await flush(encoder);
    return { encoded: await encoder?.finish(), changed, gone, lost };
  } finally {
    await encoder?.close();
  }
}

function isSame(
  before: Manifest,
  { position, storedGroups, otherPacks }: Pick<Manifest, 'position' | 'storedGroups' | 'otherPacks'>,
): boolean {
  const text = (groups: Manifest['storedGroups'], packs: Manifest['otherPacks']) =>
    JSON.stringify([
      groups.map(({ groupid, groupname }) => [groupid, groupname]),
      Object.entries(packs).sort(),
    ]);
  return (
    before.position === position &&
    text(before.storedGroups, before.otherPacks) === text(storedGroups, otherPacks)
  );
}

/** Describes what was written, looks at it once as a reader would, and gives it its number: above this one. */
async function finish(
  place: SnapshotPlace,
  folder: string,
  content: Content & Pick<Manifest, 'position' | 'storedGroups' | 'otherPacks'>,
  above: number,
): Promise<number> {
  const { people, faces, rows, groups, sections, files, lists, position, storedGroups, otherPacks } = content;
  const { pack, length, templates, log } = place;
  const manifest: Manifest = {
    ...{ version: VERSION, pack, length, templates, log, position, madeAt: new Date().toISOString() },
    ...{ people, faces, rows, groups, storedGroups, otherPacks, sections, files },
    ...(lists && { lists }),
  };
  await writeSynced(path.join(folder, MANIFEST), encodeManifest(manifest));
  await syncFolder(folder);
  // Milliseconds since 1970: a number never comes again, even when the one before was removed.
  const number = Math.max(above + 1, Date.now());
  if (!(await openFolder(place, folder, number)))
    throw new KaomonError('INTERNAL', 'A snapshot that was just written cannot be read.');
  await rename(folder, numberedFolder(place, number));
  await syncFolder(snapshotsFolder(place));
  return number;
}
