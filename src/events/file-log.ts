import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { makeFolder, namesIn, unlessMissing } from '../durable.js';
import { followFile } from './file-reader.js';
import { createFileWriter } from './file-writer.js';
import { type EventLog, type LoggedEvent, startOf } from './log.js';
import {
  eventIn,
  formatPlace,
  listSegments,
  openSegment,
  parsePlace,
  readLines,
  segmentFile,
} from './segments.js';

const SEGMENT_BYTES = 1 << 20;

const WorkerSchema = Type.Object({ position: Type.String(), expires: Type.Number() });

export interface FileLogOptions {
  /** `<EMBEDDINGS_DIR>/events`. */
  folder: string;
  /** A segment is sealed when it has grown over this. */
  segmentBytes?: number;
}

/** The log of one machine: segments of lines in a folder (segments.ts), how far each worker is in `workers/`. */
export function createFileLog({ folder, segmentBytes = SEGMENT_BYTES }: FileLogOptions): EventLog {
  const writer = createFileWriter(folder, segmentBytes);
  const workers = path.join(folder, 'workers');
  const workerFile = (worker: string) => path.join(workers, `${encodeURIComponent(worker)}.json`);
  /** Entries of sealed segments, which do not change any more. */
  const lengths = new Map<number, number>();

  /** The entries of one segment, and the position after the last. */
  async function entriesOf(segment: number): Promise<{ entries: LoggedEvent[]; end: string }> {
    let end = formatPlace({ segment, offset: 0 });
    const entries: LoggedEvent[] = [];
    const handle = await openSegment(folder, segment);
    if (!handle) return { entries, end };
    try {
      for (const line of await readLines(handle, 0)) {
        if (line.seal !== undefined) return { entries, end: formatPlace({ segment: line.seal, offset: 0 }) };
        const before = end;
        end = formatPlace({ segment, offset: line.end });
        const event = eventIn(line);
        if (event) entries.push({ id: end, before, event });
      }
    } finally {
      await handle.close();
    }
    return { entries, end };
  }

  async function endOfLog(): Promise<string> {
    await makeFolder(folder);
    const last = (await listSegments(folder)).at(-1);
    // Nothing was ever written: make the first segment, so that the position is a real place.
    if (last === undefined) await writeFile(segmentFile(folder, 1), '', { flag: 'a', mode: 0o600 });
    return (await entriesOf(last ?? 1)).end;
  }

  /** The segment of the running worker that is furthest behind. */
  async function furthestBehind(): Promise<number> {
    let furthest = Infinity;
    for (const name of await namesIn(workers)) {
      const file = path.join(workers, name);
      const text = await unlessMissing(readFile(file, 'utf8'));
      const value: unknown = text === undefined ? undefined : JSON.parse(text);
      if (!Value.Check(WorkerSchema, value)) continue;
      if (value.expires < Date.now()) await rm(file, { force: true });
      else furthest = Math.min(furthest, parsePlace(value.position)?.segment ?? Infinity);
    }
    return furthest;
  }

  async function lengthOf(segment: number): Promise<number> {
    const known = lengths.get(segment) ?? (await entriesOf(segment)).entries.length;
    lengths.set(segment, known);
    return known;
  }

  return {
    kind: 'file',

    append: (event) => writer.append(event),

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

    follow: (position, listener) => followFile(folder, position, listener, endOfLog),

    async register(worker, position, ttl) {
      await makeFolder(workers);
      const unfinished = `${workerFile(worker)}.unfinished`;
      await writeFile(unfinished, JSON.stringify({ position, expires: Date.now() + ttl }));
      await rename(unfinished, workerFile(worker));
    },

    async unregister(worker) {
      await rm(workerFile(worker), { force: true });
    },

    async trim({ maxAge, maxLength }) {
      // The last one is being written.
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
