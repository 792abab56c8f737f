import { quietMessage } from '../platform/quiet-error.js';
import { type FSWatcher, watch } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import { toLoggedLines } from './logged-lines.js';
import type { Damage } from '../platform/files/damage.js';
import { makeFolder } from '../platform/files/durable.js';
import { createNotifier } from './notifier.js';
import { isCorrupt } from './event-text.js';
import type { Following, LogListener } from './log.js';
import {
  formatPlace,
  type Line,
  listSegments,
  openSegment,
  parsePlace,
  type Place,
  readLines,
  segmentFile,
} from './segments.js';

/** Bytes read at a time. */
const READ = 1 << 18;
/** Stands for bytes that are not a line; no event begins like that. */
const NO_LINE = 'no line';
/** How often new lines are looked for, as a fallback or where the file system does not announce them, milliseconds. */
const POLL = 200;
const POLL_WITHOUT_WATCH = 100;

export interface FollowOptions {
  folder: string;
  position: string;
  listener: LogListener;
  /** The position after the last whole line. */
  end: () => Promise<string>;
  /** Gets what cannot be read. */
  damage: Damage;
}

/** Follows the segments of a folder; see `EventLog.follow`. */
export function followFile({ folder, position, listener, end, damage }: FollowOptions): Following {
  const notifier = createNotifier();
  let stopped = false;
  let watcher: FSWatcher | undefined;
  let open: { handle: FileHandle; segment: number } | undefined;

  function startWatching(): void {
    try {
      watcher = watch(folder, () => notifier.notify());
      watcher.on('error', () => {
        watcher?.close();
        watcher = undefined;
      });
    } catch {
      watcher = undefined;
    }
  }

  async function handleOf(segment: number): Promise<FileHandle | undefined> {
    if (open?.segment === segment) return open.handle;
    await open?.handle.close();
    open = undefined;
    const handle = await openSegment(folder, segment);
    if (handle) open = { handle, segment };
    return handle;
  }

  /** The next lines; 'lost' when the place does not exist any more. */
  async function read(place: Place): Promise<Line[] | 'lost'> {
    const handle = await handleOf(place.segment);
    if (!handle) {
      const segments = await listSegments(folder);
      // It was made meanwhile, or its predecessor was just sealed and nobody has written to it yet.
      const isThere = segments.includes(place.segment);
      // On a read-only disk there may be none at all. A place far beyond the last is of another log, of a removed folder.
      const isNext = place.offset === 0 && place.segment === (segments.at(-1) ?? 0) + 1;
      return isThere || isNext ? [] : 'lost';
    }
    const { size } = await handle.stat();
    if (place.offset > size) return 'lost';
    const lines = await readLines(handle, place.offset, READ);
    if (lines.length > 0 || size - place.offset < READ) return lines;
    // No event is that long: these are other bytes, in which there may never be the end of a line.
    return [{ start: place.offset, end: place.offset + READ, text: NO_LINE }];
  }

  async function step(place: Place | undefined): Promise<Place | undefined> {
    const lines = place ? await read(place) : 'lost';
    if (lines === 'lost' || !place) {
      const next = await end();
      await open?.handle.close();
      open = undefined;
      await listener.lost(next);
      return parsePlace(next);
    }
    const { entries, next, others } = toLoggedLines(lines, place);
    const isDamaged = others.some(isCorrupt);
    if (entries.length > 0) await listener.events(entries);
    if (isDamaged) {
      const what = path.join(path.basename(folder), path.basename(segmentFile(folder, place.segment)));
      damage.report(what, 'it contains lines that are not events; they are passed over');
      // Their changes can be found in the store.
      await listener.lost(formatPlace(next));
    }
    if (lines.length === 0) {
      listener.reached();
      await notifier.wait(watcher ? POLL : POLL_WITHOUT_WATCH);
    }
    return next;
  }

  const isStopped = () => stopped;

  async function run(): Promise<void> {
    await makeFolder(folder).catch(() => undefined);
    startWatching();
    let place = parsePlace(position);
    let failing = false;
    while (!isStopped()) {
      try {
        place = await step(place);
        if (failing) listener.trouble(undefined);
        failing = false;
      } catch (error) {
        failing = true;
        listener.trouble(quietMessage(error));
        await notifier.wait(POLL);
      }
    }
    watcher?.close();
    await open?.handle.close();
  }

  const running = run();
  return {
    async close() {
      stopped = true;
      notifier.notify();
      await running;
    },
  };
}
