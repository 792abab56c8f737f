import { open, readdir, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { createDamage, type Damage } from '../platform/files/damage.js';
import {
  makeFolder,
  namesIn,
  sweepUnfinished,
  unlessMissing,
  writeDurably,
} from '../platform/files/durable.js';
import { obstacleOf } from '../platform/files/obstacles.js';
import { giveIfNew } from '../platform/files/owner.js';
import { createReserve } from '../platform/files/reserve.js';
import { setAside } from '../platform/files/set-aside.js';
import { readSmall, UnfitFile } from '../platform/files/small-file.js';
import type { GalleryEvent } from './event.js';
import { decodeEvent } from './event-text.js';
import { followFile } from './file-reader.js';
import { readAfter } from './file-read-after.js';
import { toLoggedLines } from './logged-lines.js';
import { createFileWriter } from './file-writer.js';
import { type EventLog, type LoggedEvent, startOf } from './log.js';
import {
  formatPlace,
  isSegment,
  listSegments,
  openSegment,
  parsePlace,
  type Place,
  readLines,
  segmentFile,
} from './segments.js';
import { parseWorkerPosition } from './worker-position.js';

const SEGMENT_BYTES = 1 << 20;

/** A worker's file, bytes. */
const MOST_BYTES = 10_000;

export interface FileLogOptions {
  /** `<EMBEDDINGS_DIR>/events`. */
  folder: string;
  /** A segment is sealed when it has grown over this. */
  segmentBytes?: number;
  /** Gets what cannot be read. */
  damage?: Damage;
}

/** The log of one machine: segments of lines in a folder (segments.ts), and in `workers/` how far each worker is. */
export function createFileLog({
  folder,
  segmentBytes = SEGMENT_BYTES,
  damage = createDamage(() => undefined),
}: FileLogOptions): EventLog {
  /** Sets files aside in the gallery's folder for that. */
  const aside = (file: string, reason: string) =>
    setAside(path.dirname(folder), path.relative(path.dirname(folder), file), reason, damage);
  // On the gallery's disk, so it shares the gallery's reserve.
  const reserve = createReserve(path.dirname(folder));
  const writer = createFileWriter(folder, segmentBytes, reserve);
  const workers = path.join(folder, 'workers');
  const workerFile = (worker: string) => path.join(workers, `${encodeURIComponent(worker)}.json`);
  /** Numbers of entries of sealed segments, which do not change any more. */
  const lengths = new Map<number, number>();

  /** The entries of one segment, and the position after the last. */
  async function entriesOf(segment: number): Promise<{ entries: LoggedEvent[]; end: string }> {
    const start: Place = { segment, offset: 0 };
    const handle = await openSegment(folder, segment);
    if (!handle) return { entries: [], end: formatPlace(start) };
    try {
      const { entries, next } = toLoggedLines(await readLines(handle, 0), start);
      return { entries, end: formatPlace(next) };
    } finally {
      await handle.close();
    }
  }

  async function endOfLog(): Promise<string> {
    await unlessUnwritable(makeFolder(folder));
    await setAsideForeign();
    const last = (await listSegments(folder)).at(-1);
    // Nothing was ever written: make the first segment, so that the position exists.
    if (last === undefined) await unlessUnwritable(makeSegment(segmentFile(folder, 1)));
    return (await entriesOf(last ?? 1)).end;
  }

  /** The segment of the running worker that is furthest behind. */
  async function furthestBehind(): Promise<number> {
    let furthest = Infinity;
    for (const name of await namesIn(workers)) {
      const file = path.join(workers, name);
      if (!name.endsWith('.json')) {
        // Being written right now, or left by a killed process or a full disk.
        await sweepUnfinished(file);
        continue;
      }
      const text = await readWorker(file);
      if (text === undefined) continue;
      const now = Date.now();
      const known = parseWorkerPosition(text, now);
      const place = known && parsePlace(known.position);
      if (!known || !place) {
        await aside(file, 'it does not say how far a worker has read');
        continue;
      }
      if (known.expires < now) await rm(file, { force: true });
      else furthest = Math.min(furthest, place.segment);
    }
    return furthest;
  }

  /** The text of a worker's file; '' when it cannot be one of ours; undefined when it is gone. */
  async function readWorker(file: string): Promise<string | undefined> {
    try {
      return (await unlessMissing(readSmall(file, MOST_BYTES)))?.toString('utf8');
    } catch (error) {
      if (error instanceof UnfitFile) return '';
      throw error;
    }
  }

  /** Anything with a segment's name that is not a file (a folder, a pipe) would stop every reader and writer. */
  async function setAsideForeign(): Promise<void> {
    const entries = (await unlessMissing(readdir(folder, { withFileTypes: true }))) ?? [];
    for (const entry of entries) {
      if (isSegment(entry.name) && !entry.isFile())
        await aside(
          path.join(folder, entry.name),
          'it is not a file, but has the name of a part of the event log',
        );
    }
  }

  async function lengthOf(segment: number): Promise<number> {
    const known = lengths.get(segment) ?? (await entriesOf(segment)).entries.length;
    lengths.set(segment, known);
    return known;
  }

  return {
    kind: 'file',

    append: (events, options) => writer.append([events].flat(), options),

    async start() {
      const end = await endOfLog();
      const segments = (await listSegments(folder)).slice(-2);
      const entries = await Promise.all(segments.map((segment) => entriesOf(segment)));
      return startOf(
        entries.flatMap((read) => read.entries),
        end,
        Date.now(),
      );
    },

    async since(position) {
      const from = parsePlace(position);
      const events: GalleryEvent[] = [];
      if (!from) return events;
      for (const segment of await listSegments(folder)) {
        if (segment < from.segment) continue;
        const handle = await openSegment(folder, segment);
        if (!handle) continue;
        try {
          for (const line of await readLines(handle, segment === from.segment ? from.offset : 0)) {
            if (line.seal !== undefined) break;
            const event = decodeEvent(line.text);
            if (event) events.push(event);
          }
        } finally {
          await handle.close();
        }
      }
      return events;
    },

    read: (position) => readAfter(folder, position),

    follow: (position, listener) => followFile({ folder, position, listener, end: endOfLog, damage }),

    async register(worker, position, ttl) {
      await makeFolder(workers);
      const text = JSON.stringify({ position, expires: Date.now() + ttl });
      await writeDurably(workerFile(worker), text);
    },

    async unregister(worker) {
      await rm(workerFile(worker), { force: true });
    },

    async trim({ maxAge, maxLength }) {
      // The last one is still being written.
      const segments = (await listSegments(folder)).slice(0, -1);
      const furthest = await furthestBehind();
      const counts = await Promise.all(segments.map(lengthOf));
      let after = counts.reduce((sum, count) => sum + count, 0);
      for (const [i, segment] of segments.entries()) {
        after -= counts[i];
        const found = await unlessMissing(stat(segmentFile(folder, segment)));
        const isOld = found !== undefined && Date.now() - found.mtimeMs > maxAge;
        if (segment >= furthest || (!isOld && after < maxLength)) return;
        await rm(segmentFile(folder, segment), { force: true });
        lengths.delete(segment);
      }
    },

    close: () => writer.close(),
  };
}

async function makeSegment(file: string): Promise<void> {
  const handle = await open(file, 'a', 0o600);
  await giveIfNew(handle, file);
  await handle.close();
}

/** A gallery that cannot be written can still be read and followed. */
async function unlessUnwritable(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (obstacleOf(error) === undefined) throw error;
  });
}
