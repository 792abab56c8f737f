import path from 'node:path';
import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { makeFolder, replaceFile } from '../platform/files/durable.js';
import { readSmall } from '../platform/files/small-file.js';

/** How often what is new is written, milliseconds. */
const EVERY = 60_000;
/** Room for the times of some 20,000 keys, bytes. */
const MAX_BYTES = 1_000_000;

/** A key's ID -> when it was last used, seconds since 1970. */
const TimesSchema = Type.Record(Type.String(), Type.Integer());

/** When keys were last used; see {@link createLastUse}. */
export type LastUse = ReturnType<typeof createLastUse>;

/**
 * Remembers when each key was last used, in a file of the cache that all workers of this machine share: it may be lost,
 * and is then known from the next use on. A use costs a number in memory; the file is a minute behind.
 * @param file undefined: it is not kept
 */
export function createLastUse({ file, now = Date.now }: { file: string | undefined; now?: () => number }) {
  const mine = new Map<string, number>();
  let isNew = false;
  const timer = setInterval(() => void flush(), EVERY);
  timer.unref();

  async function read(): Promise<Record<string, number>> {
    if (file === undefined) return {};
    try {
      const value: unknown = JSON.parse((await readSmall(file, MAX_BYTES)).toString('utf8'));
      return Value.Check(TimesSchema, value) ? value : {};
    } catch {
      // There is none yet, or it is damaged.
      return {};
    }
  }

  /** What this worker saw and what the file says, the later of both. */
  async function merged(): Promise<Map<string, number>> {
    const times = new Map(Object.entries(await read()));
    for (const [id, at] of mine) times.set(id, Math.max(at, times.get(id) ?? 0));
    return times;
  }

  /** Two workers that write at once may lose each other's times for a minute: each writes all of its own again. */
  async function flush(): Promise<void> {
    if (!isNew || file === undefined) return;
    isNew = false;
    try {
      await makeFolder(path.dirname(file));
      await replaceFile(file, JSON.stringify(Object.fromEntries(await merged())));
    } catch {
      // A full disk must not keep anybody from working; the next minute tries again.
      isNew = true;
    }
  }

  return {
    /** A key was used now. */
    touch(id: string): void {
      mine.set(id, Math.floor(now() / 1000));
      isNew = true;
    },

    /** When each key was last used, by its ID: ISO 8601. */
    async all(): Promise<Map<string, string>> {
      const times = await merged();
      return new Map([...times].map(([id, at]) => [id, new Date(at * 1000).toISOString()]));
    },

    async close(): Promise<void> {
      clearInterval(timer);
      await flush();
    },
  };
}
