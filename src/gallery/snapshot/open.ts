/** What a start does about snapshots: it opens the newest, and makes the first of a large gallery before it serves. */
import { onAbort } from '../../platform/abort.js';
import { makeFolder } from '../../platform/files/durable.js';
import { underLock } from '../../platform/files/lock.js';
import { KaomonError } from '../../platform/errors.js';
import { quietMessage } from '../../platform/quiet-error.js';
import type { Config } from '../../settings/config.js';
import type { Base } from '../base/base.js';
import { segmentsRefusal } from '../base/segments-addon.js';
import type { EmbeddingStore } from '../store/store.js';
import { firstLock, removeSnapshots, type SnapshotPlace, snapshotsFolder } from './catalogue.js';
import { openBase } from './open-base.js';
import { startWriter } from './writer-process.js';

/** Reading so many people takes seconds, and a gigabyte from a few hundred thousand on. */
const LARGE = 10_000;
/** How often a worker that waits for another's snapshot looks whether it is to end, milliseconds. */
const LOOK = 1000;

export interface OpenSnapshotsOptions {
  config: Config;
  /** As for `openGallery`. */
  pack: { id: string; embedder: { length: number }; templates?: boolean };
  store: Pick<EmbeddingStore, 'list' | 'damage'>;
  warn: (message: string) => void;
  note: (message: string) => void;
  /** Whether the log, which says what has changed since a snapshot, can be read. */
  isLogRead: boolean;
  /** From so many people on the first snapshot is made before serving. */
  firstFrom?: number | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Where a worker's snapshots are, and the newest as a base; undefined where there can be none, and without a base when the
 * log cannot be read. Those that nobody would keep young are removed: they hold people who may have been deleted since.
 *
 * Of a large gallery without a snapshot one is made first, by a child process: so nobody holds everybody in memory, several
 * workers read them once, and the next start is quick even if this one is cut short a moment later. It has no lists, whose
 * training takes as long again: searches read all vectors until the next one, which the keeper has made at once.
 * @throws the signal's reason
 */
export async function openSnapshots(
  options: OpenSnapshotsOptions,
): Promise<{ place: SnapshotPlace; base: Base | undefined } | undefined> {
  const { config, pack, store, warn, isLogRead, firstFrom = LARGE, signal } = options;
  const { EVENT_LOG: log, EMBEDDINGS_DIR: folder, SNAPSHOTS, INDEX } = config;
  // Who asks for another engine, such as ONNX Runtime on a GPU, wants everybody in that one.
  const isOther = INDEX === 'onnx' || INDEX === 'exact';
  if (!SNAPSHOTS || isOther || log === 'none' || segmentsRefusal() !== undefined) {
    await removeSnapshots(folder);
    return undefined;
  }
  const { id, embedder, templates = false } = pack;
  const place = { folder, pack: id, length: embedder.length, templates, log, lists: INDEX !== 'flat' };
  if (!isLogRead) return { place, base: undefined };
  const open = () => openBase(place, warn);
  const base = await open();
  if (base || (await store.list()).length < firstFrom) return { place, base };
  signal?.throwIfAborted();
  return { place, base: await oneAtATime(place, async () => (await open()) ?? (await first()), signal) };

  async function first(): Promise<Base | undefined> {
    await makeFirst(options, place).catch((error: unknown) => {
      signal?.throwIfAborted();
      warn(`No snapshot of the gallery can be made, so everybody is read: ${quietMessage(error)}`);
    });
    return await open();
  }
}

/** Workers that start together make one between them. */
async function oneAtATime<T>(
  place: SnapshotPlace,
  work: () => Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T | undefined> {
  // On a disk that nobody may write there is no snapshot either.
  const isThere = await makeFolder(snapshotsFolder(place)).then(
    () => true,
    () => false,
  );
  while (isThere) {
    signal?.throwIfAborted();
    try {
      return await underLock(firstLock(place), work, { patience: LOOK });
    } catch (error) {
      // Another worker is still at it.
      if (!(error instanceof KaomonError && error.code === 'STORE_UNAVAILABLE')) throw error;
    }
  }
  return undefined;
}

async function makeFirst(options: OpenSnapshotsOptions, place: SnapshotPlace): Promise<void> {
  const { config, store, warn, note, signal } = options;
  const tell = progressLines(note, 'The first snapshot of the gallery is being made');
  const writer = startWriter({ config, place: { ...place, lists: false } }, (said) => {
    if (said.type === 'progress') tell(said.done, said.all);
    else if (said.type === 'damaged') store.damage.report(said.what, said.reason);
    else warn(said.message);
  });
  const stopListening = onAbort(signal, () => void writer.stop());
  try {
    const { people, seconds } = await writer.done;
    note(`The first snapshot of the gallery: ${people} people in ${seconds.toFixed(1)} s.`);
  } finally {
    stopListening();
    await writer.stop();
  }
}

/** Tells how far something is with a large gallery, at every tenth of it. @param doing begins the line */
export function progressLines(
  note: (message: string) => void,
  doing: string,
): (done: number, all: number) => void {
  let told = 0;
  return (done, all) => {
    const tenths = Math.floor((done / all) * 10);
    if (all < LARGE || tenths <= told) return;
    told = tenths;
    note(`${doing}: ${tenths * 10} % of ${all} people.`);
  };
}
