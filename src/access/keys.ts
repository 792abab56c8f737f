import { createHash, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { KaomonError } from '../platform/errors.js';
import { checkGroupId } from '../gallery/ids.js';
import { createKeyFile, type KeyFile, type KeyRecord } from './key-file.js';
import type { Role } from './roles.js';

export type { KeyRecord } from './key-file.js';

const derive = promisify<string, Buffer, number, { N: number; r: number; p: number }, Buffer>(scrypt);
/** scrypt's cost: 16 MiB and about 50 ms for each guess. */
const COST = { N: 16_384, r: 8, p: 1 };
const HASH_BYTES = 32;
const CHECK_BYTES = 8;
/** `kao_<id>_<secret>`: the ID finds the record, so that one scrypt is enough; the secret is 32 random bytes. */
const KEY = /^kao_([0-9a-f]{10})_([0-9A-Za-z_-]{43})$/;
const NAME = /^[0-9A-Za-z][0-9A-Za-z _.@-]{0,63}$/;
/** How many verified keys are remembered; the least recently used one is forgotten first. */
const REMEMBERED = 1000;
/** How many ended sessions are remembered, so that nobody can go on using them. */
const ENDED_SESSIONS = 10_000;
/** The newest ones are kept whatever the time is: a clock that ran ahead for a while must not revive them. */
const ENDED_ALWAYS = 1000;

/** Revoking must work on a full disk. */
const EVEN_WHEN_FULL = { evenWhenFull: true };

/** What callers may see of a key: not its hash. */
export type KeyInfo = Omit<KeyRecord, 'salt' | 'hash' | 'check' | 'unclaimed'>;

export interface NewKey {
  /** Unique; shown in lists and in the audit log. */
  name: string;
  role: Role;
  /** The groups that the key is limited to, at least one; left out: it may use all. */
  groups?: readonly string[] | undefined;
}

/** The keys; see {@link createKeys}. */
export type Keys = ReturnType<typeof createKeys>;

/**
 * The keys, in a file that all workers of this machine share. The file is read when it is needed, and again when it has
 * changed; nothing stays open.
 */
export function createKeys({ file }: { file: string }) {
  const access = createKeyFile(file);
  /** SHA-256 of a verified key -> the hash it was verified against: a camera page pays for scrypt once, not per frame. */
  const verified = new Map<string, string>();
  /** Verifications in progress, so that ten frames at once cost one scrypt. */
  const inProgress = new Map<string, Promise<boolean>>();
  /** Hash -> check, for verified keys whose record has no check. */
  const checks = new Map<string, string>();

  function remember(digest: string, hash: string): void {
    verified.delete(digest);
    verified.set(digest, hash);
    const oldest = verified.keys().next();
    if (verified.size > REMEMBERED && !oldest.done) verified.delete(oldest.value);
  }

  async function find(key: string): Promise<{ record: KeyRecord; secret: string } | undefined> {
    const [, id, secret] = KEY.exec(key) ?? [];
    if (!id) return undefined;
    const record = (await access.current()).keys.find((known) => known.id === id);
    return record && { record, secret };
  }

  return {
    /** The file they are kept in. */
    file,

    /**
     * The record of a valid key, else undefined. Compares in constant time. A wrong key costs at most a SHA-256: scrypt runs
     * only for a key that is almost certainly right.
     * @param costly runs the scrypt when its turn has come; it is computed once, however many callers wait for the same key
     * @throws KaomonError STORE_UNAVAILABLE, and what `costly` throws
     */
    async verify(
      key: string,
      costly: (work: () => Promise<boolean>) => Promise<boolean> = (work) => work(),
    ): Promise<KeyRecord | undefined> {
      const found = await find(key);
      if (!found) return undefined;
      const { record, secret } = found;
      const digest = sha256(key);
      if (verified.get(digest) === record.hash) {
        remember(digest, record.hash);
        return record;
      }
      const check = record.check ?? checks.get(record.hash);
      if (check !== undefined && !sameBytes(check, checkOf(secret, record.salt))) return undefined;
      let checking = inProgress.get(digest);
      if (!checking) {
        checking = costly(() => matches(secret, record)).finally(() => inProgress.delete(digest));
        inProgress.set(digest, checking);
      }
      if (!(await checking)) return undefined;
      remember(digest, record.hash);
      if (check === undefined) {
        if (checks.size >= REMEMBERED) checks.clear();
        checks.set(record.hash, checkOf(secret, record.salt));
      }
      return record;
    },

    /** The record of the key with this ID, if it has not been revoked. */
    async byId(id: string): Promise<KeyRecord | undefined> {
      return (await access.current()).keys.find((known) => known.id === id);
    },

    /** All keys, oldest first, without their hashes. */
    async list(): Promise<KeyInfo[]> {
      return (await access.current()).keys.map(describeKey);
    },

    /**
     * Adds a key. Only this answer has its secret.
     * @throws KaomonError FIELD_INVALID, GROUPID_INVALID, KEY_EXISTS, STORE_UNAVAILABLE
     */
    async add(wanted: NewKey): Promise<{ key: string; info: KeyInfo }> {
      const made = await makeKey(wanted);
      await access.change((contents) => insert(contents, made.record));
      return { key: made.key, info: describeKey(made.record) };
    },

    /**
     * Ties a key to groups, or frees it.
     * @param groups at least one; null: it may use all
     * @throws KaomonError FIELD_INVALID, GROUPID_INVALID, KEY_UNKNOWN, STORE_UNAVAILABLE
     */
    async tie(id: string, groups: readonly string[] | null): Promise<KeyInfo> {
      const allowed = checkedGroups(groups ?? undefined);
      return await access.change((contents) => {
        const record = contents.keys.find((known) => known.id === id);
        if (!record) throw new KaomonError('KEY_UNKNOWN', 'There is no such key.');
        record.groups = allowed;
        return describeKey(record);
      });
    },

    /**
     * Revokes a key, which ends its sessions too.
     * @param idOrName the key's ID or its name
     * @throws KaomonError KEY_UNKNOWN, STORE_UNAVAILABLE
     */
    async revoke(idOrName: string): Promise<KeyInfo> {
      return await access.change((contents) => {
        const at = contents.keys.findIndex(({ id, name }) => id === idOrName || name === idOrName);
        if (at === -1) throw new KaomonError('KEY_UNKNOWN', 'There is no such key.');
        return describeKey(contents.keys.splice(at, 1)[0]);
      }, EVEN_WHEN_FULL);
    },

    /**
     * The secret that signs sessions. As long as there is no file, it is a random one under which no token is valid.
     * @returns 32 bytes, the same in all workers
     */
    async sessionSecret(): Promise<Buffer> {
      return Buffer.from((await access.current()).secret, 'base64');
    },

    /** Ends a session in all workers. @param until when it would have expired, seconds since 1970 */
    async endSession(nonce: string, until: number): Promise<void> {
      await access.change((contents) => {
        const now = Math.floor(Date.now() / 1000);
        const all = Object.entries(contents.ended);
        const rest = all.filter(([, end], i) => end > now || i >= all.length - ENDED_ALWAYS);
        contents.ended = Object.fromEntries([...rest.slice(1 - ENDED_SESSIONS), [nonce, until]]);
      }, EVEN_WHEN_FULL);
    },

    async sessionIsEnded(nonce: string): Promise<boolean> {
      return Object.hasOwn((await access.current()).ended, nonce);
    },
  };
}

function insert(contents: KeyFile, record: KeyRecord): void {
  if (contents.keys.some(({ name }) => name === record.name)) {
    throw new KaomonError('KEY_EXISTS', `A key named "${record.name}" already exists.`, {
      details: { field: 'name' },
    });
  }
  contents.keys.push(record);
}

async function makeKey({ name, role, groups }: NewKey): Promise<{ key: string; record: KeyRecord }> {
  if (!NAME.test(name)) {
    throw new KaomonError(
      'FIELD_INVALID',
      'A key\'s name has 1 to 64 letters, digits, spaces or "_.@-" and starts with a letter or digit.',
      { details: { field: 'name' } },
    );
  }
  const allowed = checkedGroups(groups);
  const id = randomBytes(5).toString('hex');
  const secret = randomBytes(32).toString('base64url');
  const salt = randomBytes(16).toString('base64');
  const hash = (await hashOf(secret, salt)).toString('base64');
  const check = checkOf(secret, salt);
  const record = { id, name, role, groups: allowed, createdAt: new Date().toISOString(), salt, hash, check };
  return { key: `kao_${id}_${secret}`, record };
}

/** @returns without doubles; null for all groups @throws KaomonError FIELD_INVALID, GROUPID_INVALID */
function checkedGroups(groups: readonly string[] | undefined): string[] | null {
  // An empty list comes from a variable that is not set, say, and does not mean all groups.
  if (groups?.length === 0) {
    throw new KaomonError(
      'FIELD_INVALID',
      'The list of groups is empty: name at least one group, or leave the list out for a key to all groups.',
      { details: { field: 'groups' } },
    );
  }
  for (const groupid of groups ?? []) checkGroupId(groupid);
  return groups ? [...new Set(groups)] : null;
}

function describeKey({ id, name, role, groups, createdAt }: KeyRecord): KeyInfo {
  return { id, name, role, groups, createdAt };
}

function hashOf(secret: string, salt: string): Promise<Buffer> {
  return derive(secret, Buffer.from(salt, 'base64'), HASH_BYTES, COST);
}

async function matches(secret: string, { salt, hash }: KeyRecord): Promise<boolean> {
  return sameBytes(hash, (await hashOf(secret, salt)).toString('base64'));
}

function checkOf(secret: string, salt: string): string {
  return createHash('sha256')
    .update(Buffer.from(salt, 'base64'))
    .update(secret)
    .digest()
    .subarray(0, CHECK_BYTES)
    .toString('base64');
}

/** Compares the bytes of two base64 texts in constant time. */
function sameBytes(expected: string, given: string): boolean {
  const [a, b] = [expected, given].map((text) => Buffer.from(text, 'base64'));
  return a.length === b.length && timingSafeEqual(a, b);
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
