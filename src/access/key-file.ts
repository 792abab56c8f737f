import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { Type, type Static } from 'typebox';
import { Value } from 'typebox/value';
import { KaomonError } from '../platform/errors.js';
import { hasCode, makeFolder, sweepFolder, writeDurably } from '../platform/files/durable.js';
import { underLock } from '../platform/files/lock.js';
import { isFull } from '../platform/files/obstacles.js';
import { createReserve } from '../platform/files/reserve.js';
import { readSmall } from '../platform/files/small-file.js';
import { ROLES } from './roles.js';

const KeyRecordSchema = Type.Object({
  id: Type.String({ minLength: 1 }),
  name: Type.String({ minLength: 1 }),
  role: Type.Enum([...ROLES]),
  /** The groups the key is tied to; null: all. */
  groups: Type.Union([Type.Array(Type.String()), Type.Null()]),
  /** ISO 8601. */
  createdAt: Type.String(),
  /** Base64 of 16 random bytes. */
  salt: Type.String(),
  /** Base64 of scrypt's 32 bytes. The key itself is nowhere. */
  hash: Type.String({ minLength: 1 }),
  /**
   * Base64 of 8 bytes of SHA-256 over salt and secret: what is not the key is told from it without scrypt. Of the
   * secret's 256 bits it gives away 64, to who can read this file. Older files have none.
   */
  check: Type.Optional(Type.String()),
  /** Made by a first start, and nobody has signed in by its link yet. */
  unclaimed: Type.Optional(Type.Boolean()),
});
/** A key as it is kept. */
export type KeyRecord = Static<typeof KeyRecordSchema>;

const KeyFileSchema = Type.Object({
  version: Type.Literal(1),
  /** Base64 of 32 random bytes that sign sessions, the same for every worker. */
  secret: Type.String({ minLength: 40 }),
  keys: Type.Array(KeyRecordSchema),
  /** Sessions ended before their time: nonce -> the second (since 1970) at which each would have ended. */
  ended: Type.Record(Type.String(), Type.Integer()),
  /** Sign-in links: SHA-256 of a token -> the key's ID and the second (since 1970) at which it ends. */
  links: Type.Optional(Type.Record(Type.String(), Type.Object({ id: Type.String(), until: Type.Integer() }))),
});
export type KeyFile = Static<typeof KeyFileSchema>;

/** Some 20,000 keys and as many ended sessions, bytes. */
const MOST_BYTES = 32_000_000;
/** Milliseconds until whoever waits for another's change is told to try again: a change takes milliseconds. */
const PATIENCE = 15_000;

/** The keys of all workers on this machine, in one file; see {@link createKeyFile}. */
export type KeyFileAccess = ReturnType<typeof createKeyFile>;

/**
 * Reads and changes the file of keys. It is written whole (temporary name, fsync, rename), readable by its owner
 * alone, and read again whenever another process has changed it.
 */
export function createKeyFile(file: string) {
  let read: { stamp: string; contents: KeyFile } | undefined;

  /** What tells one version of the file from the next; '' when there is none. */
  async function stampOf(): Promise<string> {
    try {
      const { mtimeNs, ino, size } = await stat(file, { bigint: true });
      return `${mtimeNs} ${ino} ${size}`;
    } catch (error) {
      if (hasCode(error, 'ENOENT')) return '';
      throw error;
    }
  }

  async function load(): Promise<KeyFile> {
    const stamp = await stampOf();
    if (read?.stamp === stamp) return read.contents;
    const contents = stamp === '' ? emptyFile() : parse((await readSmall(file, MOST_BYTES)).toString('utf8'));
    read = { stamp, contents };
    return contents;
  }

  return {
    file,

    /**
     * The file as it is now; costs a `stat` when nothing has changed. Only to be read.
     * @throws KaomonError STORE_UNAVAILABLE when it cannot be read
     */
    async current(): Promise<KeyFile> {
      return await load().catch(refuse('read', file));
    },

    /**
     * Changes the file as one step among all processes.
     * @param change gets a copy to change; what it returns is returned. When it throws, nothing is written.
     * @param evenWhenFull on a full disk, too: for what takes something away from somebody
     */
    async change<T>(
      change: (contents: KeyFile) => T | Promise<T>,
      { evenWhenFull = false } = {},
    ): Promise<T> {
      const folder = path.dirname(file);
      await makeFolder(folder).catch(refuse('written', file));
      await sweepFolder(folder);
      const changeFile = async () => {
        const contents = structuredClone(await load());
        const result = await change(contents);
        await writeDurably(file, `${JSON.stringify(contents, null, 2)}\n`);
        return result;
      };
      const work = () => underLock(`${file}.lock`, changeFile, { patience: PATIENCE });
      const reserve = createReserve(folder);
      const result = await (evenWhenFull ? reserve.spend(work) : work()).catch(refuse('written', file));
      await reserve.keep();
      return result;
    },
  };
}

function emptyFile(): KeyFile {
  return { version: 1, secret: randomBytes(32).toString('base64'), keys: [], ended: {} };
}

/** What is wrong with the file is said without a word of what is in it. */
function parse(text: string): KeyFile {
  let contents: unknown;
  try {
    contents = JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
  if (Value.Check(KeyFileSchema, contents)) return contents;
  throw new Error('it is not a file of keys of this version');
}

/** Callers learn that the keys are out of reach, the log (by the cause) why. */
function refuse(done: string, file: string) {
  return (cause: unknown): never => {
    if (cause instanceof KaomonError) throw cause;
    if (isFull(cause)) {
      throw new KaomonError(
        'STORAGE_FULL',
        `The disk that holds the keys (${path.basename(file)}) is full: a key can be ended, but none made until there is room.`,
        { cause },
      );
    }
    throw new KaomonError(
      'STORE_UNAVAILABLE',
      `The keys cannot be ${done} (${path.basename(file)}): the log says why.`,
      { cause },
    );
  };
}
