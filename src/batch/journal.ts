import { createHash } from 'node:crypto';
import { appendFileSync, closeSync, openSync, readFileSync } from 'node:fs';
import { chown } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, replaceFile } from '../platform/files/durable.js';
import { ERROR_CODES, type ErrorCode } from '../platform/errors.js';
import { ownerOf } from '../platform/files/owner.js';
import type { BatchItem } from './list.js';

/** The recorded outcome of a picture. */
export type JournalEntry =
  | {
      outcome: 'enrolled' | 'known';
      face: string;
      turned?: number;
      /** The name that the list gave, as the journal's `mark` makes it. */
      named?: string | undefined;
    }
  | { outcome: 'refused'; code: ErrorCode; message: string };

export type Journal = Awaited<ReturnType<typeof openJournal>>;

/**
 * What earlier runs over the same place did, one JSON line per picture. It only saves time: where a crash or a power cut
 * lost a line, the picture is analysed again, and recognised if it is enrolled already.
 * @param folder of all journals; created when missing
 * @param key all that the outcome depends on besides the picture: the place, the pack, the limits
 */
export async function openJournal(folder: string, key: readonly (string | number)[]) {
  await makeFolder(folder, 0o700);
  const whole = hashOf(JSON.stringify(key));
  const file = path.join(folder, `${whole.slice(0, 24)}.jsonl`);
  /** To know a name again: names are kept in the gallery alone. The rest of the hash is written nowhere. */
  const mark = (name: string | undefined) =>
    name === undefined ? undefined : hashOf(JSON.stringify([whole, name])).slice(0, 32);
  const { entries, heldNames } = readEntries(file, mark);
  if (heldNames) await replaceFile(file, [...entries.values()].map(lineOf).join(''), { mode: 0o600 });
  const owner = await ownerOf(file);
  const handle = openSync(file, 'a', 0o600);
  if (owner) await chown(file, owner.uid, owner.gid).catch(() => undefined);
  // Ends a line that a crash cut off, so that this run's first line stands by itself.
  appendFileSync(handle, '\n');

  return {
    file,
    /** @param hash of the picture's bytes */
    find: (item: BatchItem, hash: string): JournalEntry | undefined => entries.get(keyOf(item, hash)),
    add(item: BatchItem, hash: string, entry: JournalEntry): void {
      const key = keyOf(item, hash);
      entries.set(key, { key, ...entry });
      appendFileSync(handle, lineOf({ key, ...entry }));
    },
    mark,
    close: () => closeSync(handle),
  };
}

export function hashOf(data: Uint8Array | string): string {
  return createHash('sha256').update(data).digest('hex');
}

type Line = JournalEntry & { key: string };
const lineOf = (line: Line) => `${JSON.stringify(line)}\n`;

/** The same picture under another name or for another person has another entry. */
function keyOf({ groupid, userid, name }: BatchItem, hash: string): string {
  return hashOf(JSON.stringify([groupid, userid, name, hash])).slice(0, 32);
}

/** @returns heldNames: an earlier version wrote names into it */
function readEntries(
  file: string,
  mark: (name: string | undefined) => string | undefined,
): { entries: Map<string, Line>; heldNames: boolean } {
  const entries = new Map<string, Line>();
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { entries, heldNames: false };
    throw error;
  }
  let heldNames = false;
  for (const line of text.split('\n')) {
    const entry = readEntry(line);
    if (!entry) continue;
    const { username, ...rest } = entry;
    heldNames ||= username !== undefined;
    if (username !== undefined && rest.outcome !== 'refused') rest.named = mark(username);
    entries.set(entry.key, rest);
  }
  return { entries, heldNames };
}

function readEntry(line: string): (Line & { username?: string }) | undefined {
  try {
    const entry = JSON.parse(line) as Record<string, unknown>;
    const { key, outcome, face, code, message } = entry;
    if (typeof key !== 'string') return undefined;
    const fit =
      outcome === 'refused'
        ? ERROR_CODES.includes(code as ErrorCode) && typeof message === 'string'
        : (outcome === 'enrolled' || outcome === 'known') && typeof face === 'string';
    return fit ? (entry as unknown as Line & { username?: string }) : undefined;
  } catch {
    return undefined;
  }
}
