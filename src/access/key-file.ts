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
  /** The groups that the key is limited to; null: it may use all. */
  groups: Type.Union([Type.Array(Type.String()), Type.Null()]),
  /** ISO 8601. */
  createdAt: Type.String(),
  /** Base64 of 16 random bytes. */
  salt: Type.String(),
  /** Base64 of scrypt's 32 bytes. The secret itself is not stored. */
  hash: Type.String({ minLength: 1 }),
  /**
   * Base64 of the first 8 bytes of SHA-256 over salt and secret: it rejects wrong keys without scrypt. It reveals 64 of the
   * secret's 256 bits to anyone who can read this file. Older files have none.
   */
  check: Type.Optional(Type.String()),
  /** Made by a first start, and nobody has used its link yet. */
  unclaimed: Type.Optional(Type.Boolean()),
});
/** A key as it is stored. */
export type KeyRecord = Static<typeof KeyRecordSchema>;

const KeyFileSchema = Type.Object({
  version: Type.Literal(1),
  /** Base64 of the 32 random bytes that sign the sessions of every worker. */
  secret: Type.String({ minLength: 40 }),
  keys: Type.Array(KeyRecordSchema),
  /** Sessions that were signed out: nonce -> when they would have expired, seconds since 1970. */
  ended: Type.Record(Type.String(), Type.Integer()),
  /** Sign-in links: SHA-256 of the token -> the key's ID and when the link expires, seconds since 1970. */
  links: Type.Optional(Type.Record(Type.String(), Type.Object({ id: Type.String(), until: Type.Integer() }))),
});
export type KeyFile = Static<typeof KeyFileSchema>;

/** Room for some 20,000 keys and as many ended sessions, bytes. */
const MAX_BYTES = 32_000_000;
/** Milliseconds until whoever waits for another's change is told to try again: a change takes milliseconds. */
const PATIENCE = 15_000;

/** The keys of all workers on this machine, in one file; see {@link createKeyFile}. */
export type KeyFileAccess = ReturnType<typeof createKeyFile>;

/**
 * Reads and changes the file of keys, which all workers of this machine share. It is written as a whole (temporary name,
 * fsync, rename), is readable by its owner only, and is read again whenever another process has changed it.
 */
export function createKeyFile(file: string) {
  let read: { stamp: string; contents: KeyFile } | undefined;

  /** Tells one version of the file from the next; '' when there is no file. */
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
    const contents = stamp === '' ? emptyFile() : parse((await readSmall(file, MAX_BYTES)).toString('utf8'));
    read = { stamp, contents };
    return contents;
  }

  return {
    file,

    /**
     * The file's present contents, which the caller must not change; costs a `stat` when the file has not changed.
     * @throws KaomonError STORE_UNAVAILABLE when it cannot be read
     */
    async current(): Promise<KeyFile> {
      return await load().catch(refuse('read', file));
    },

    /**
     * Changes the file under a lock that all processes respect.
     * @param change gets a copy to change, and its result is returned; when it throws, nothing is written
     * @param evenWhenFull uses the room kept aside on a full disk: for revoking keys, signing in and ending sessions
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

/** Its errors quote nothing from the file. */
function parse(text: string): KeyFile {
  let contents: unknown;
  try {
    contents = JSON.parse(text);
  } catch {
    throw new Error('it is not JSON');
  }
  if (Value.Check(KeyFileSchema, contents)) return contents;
  throw new Error('it is not a key file of this version');
}

/** Callers learn that the keys are out of reach; the log learns why, from the cause. */
function refuse(done: string, file: string) {
  return (cause: unknown): never => {
    if (cause instanceof KaomonError) throw cause;
    if (isFull(cause)) {
      throw new KaomonError(
        'STORAGE_FULL',
        `The disk that holds the keys (${path.basename(file)}) is full: keys can be revoked, but none can be added until there is room.`,
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
