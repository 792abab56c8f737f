import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { makeFolder, namesIn, sweepFolder, unlessMissing, writeDurably } from '../platform/files/durable.js';
import { rm } from 'node:fs/promises';
import { readSmall } from '../platform/files/small-file.js';

const CursorSchema = Type.Object({
  /** The receiver's name, for people. */
  receiver: Type.String(),
  /** Everything up to here was delivered or dropped. */
  position: Type.String(),
  delivered: Type.Integer({ minimum: 0 }),
  dropped: Type.Integer({ minimum: 0 }),
  /** Attempts that failed; absent in cursors of earlier versions. */
  failed: Type.Optional(Type.Integer({ minimum: 0 })),
  /** When that happened which the receiver does not take, ISO 8601: the oldest notice that waits. */
  waitingSince: Type.Optional(Type.Union([Type.String(), Type.Null()])),
  /** Of those that were dropped: how many the receiver has not been told of. */
  untold: Type.Integer({ minimum: 0 }),
  /** Some were lost, and nobody knows how many; the receiver has not been told of that. */
  isLost: Type.Boolean(),
  /** Since when the receiver takes nothing, and why. */
  failing: Type.Union([Type.Object({ since: Type.String(), reason: Type.String() }), Type.Null()]),
  /** The receiver has said that it wants no more. */
  isOff: Type.Boolean(),
  /** When this was written, ISO 8601. */
  at: Type.String(),
});

/** How far a receiver has been told of what a source holds, and how that goes. */
export type Cursor = Static<typeof CursorSchema>;

/** The cursors, by key; they outlive processes. */
export interface Cursors {
  load(key: string): Promise<Cursor | undefined>;
  save(key: string, cursor: Cursor): Promise<void>;
  all(): Promise<Map<string, Cursor>>;
  remove(key: string): Promise<void>;
  close(): void;
}

/** A cursor's file or field, bytes. */
const MOST_BYTES = 10_000;

/** Cursors of one machine, a file each. What cannot be read counts as absent. */
export function createFileCursors(folder: string): Cursors {
  const fileOf = (key: string) => path.join(folder, `${key}.json`);
  const load = async (key: string) => {
    const bytes = await unlessMissing(readSmall(fileOf(key), MOST_BYTES));
    return bytes && parseCursor(bytes.toString('utf8'));
  };
  return {
    load,
    async save(key, cursor) {
      await makeFolder(folder);
      await writeDurably(fileOf(key), JSON.stringify(cursor));
    },
    async all() {
      await sweepFolder(folder);
      const found = new Map<string, Cursor>();
      for (const name of await namesIn(folder)) {
        if (!name.endsWith('.json')) continue;
        const key = name.slice(0, -'.json'.length);
        const cursor = await load(key);
        if (cursor) found.set(key, cursor);
      }
      return found;
    },
    remove: (key) => rm(fileOf(key), { force: true }),
    close: () => undefined,
  };
}

/** @returns undefined when it is damaged, or of another version */
export function parseCursor(text: string): Cursor | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Value.Check(CursorSchema, value) ? value : undefined;
  } catch {
    return undefined;
  }
}
