import type { FileHandle } from 'node:fs/promises';
import type { ReadEvents } from './log.js';
import { toLoggedLines } from './logged-lines.js';
import { formatPlace, listSegments, openSegment, parsePlace, type Place, readLines } from './segments.js';

/** Bytes read at a time. */
const READ = 1 << 18;
const NEWLINE = 0x0a;

/** See `EventLog.read`. */
export async function readAfter(folder: string, position: string): Promise<ReadEvents> {
  const nothing = { entries: [], next: position, isLost: false };
  const segments = await listSegments(folder);
  const known = parsePlace(position);
  // Its predecessor is sealed, and nobody has written to it yet.
  if (known?.offset === 0 && known.segment === (segments.at(-1) ?? 0) + 1) return nothing;
  const oldest = segments.find((segment) => segment > (known?.segment ?? 0)) ?? segments.at(0);
  if (oldest === undefined) return nothing;
  const start: Place = { segment: oldest, offset: 0 };
  const from = known && segments.includes(known.segment) ? known : start;
  const handle = await openSegment(folder, from.segment);
  // Trimmed a moment ago: the next reading sees that.
  if (!handle) return nothing;
  try {
    if (await isBetweenLines(handle, from.offset))
      return { ...(await entriesAfter(handle, from)), isLost: from !== known };
    // The file is another, or a power cut has taken its end: what it holds is told again rather than not at all.
    return { ...(await entriesAfter(handle, { ...from, offset: 0 })), isLost: true };
  } finally {
    await handle.close();
  }
}

async function isBetweenLines(handle: FileHandle, offset: number): Promise<boolean> {
  if (offset === 0) return true;
  const { bytesRead, buffer } = await handle.read(Buffer.alloc(1), 0, 1, offset - 1);
  return bytesRead === 1 && buffer[0] === NEWLINE;
}

async function entriesAfter(handle: FileHandle, from: Place): Promise<Omit<ReadEvents, 'isLost'>> {
  const lines = await readLines(handle, from.offset, READ);
  const { size } = await handle.stat();
  // No event is that long: these are other bytes.
  if (lines.length === 0 && size - from.offset >= READ) {
    const offset = (await endOfLine(handle, from.offset + READ)) ?? from.offset;
    return { entries: [], next: formatPlace({ ...from, offset }) };
  }
  const { entries, next } = toLoggedLines(lines, from);
  return { entries, next: formatPlace(next) };
}

/** The byte after the next line break; undefined: there is none. */
async function endOfLine(handle: FileHandle, offset: number): Promise<number | undefined> {
  const buffer = Buffer.alloc(READ);
  for (let at = offset; ;) {
    const { bytesRead } = await handle.read(buffer, 0, READ, at);
    const newline = buffer.subarray(0, bytesRead).indexOf(NEWLINE);
    if (newline >= 0) return at + newline + 1;
    if (bytesRead === 0) return undefined;
    at += bytesRead;
  }
}
