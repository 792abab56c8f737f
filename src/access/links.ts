import { createHash, randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, unlessMissing, writeDurably } from '../platform/files/durable.js';
import { KaomonError } from '../platform/errors.js';
import { createKeyFile, type KeyFile, type KeyRecord } from './key-file.js';

/** How long a sign-in link works if nobody uses it, minutes. */
export const LINK_MINUTES = 15;
/** A start shows the previous start's link again if that works for at least this long, seconds. */
const STILL_GOOD = (LINK_MINUTES * 60) / 2;
/** Links that may wait to be used; when there are more, the oldest are dropped. */
const MAX_LINKS = 20;
/** Whoever is to delete somebody because the disk is full has to sign in first. */
const EVEN_WHEN_FULL = { evenWhenFull: true };
/** 32 random bytes. */
const TOKEN = /^[0-9A-Za-z_-]{43}$/;

/** A link that signs in as a key, once. */
export interface Link {
  /** The part after `/signin#token=`; only its hash is stored. */
  token: string;
  /** The key that it signs in as. */
  key: Pick<KeyRecord, 'id' | 'name'>;
}

/** Sign-in links; see {@link createLinks}. */
export type Links = ReturnType<typeof createLinks>;

interface LinksOptions {
  /** The file of keys, which holds hashes of the links' tokens. */
  file: string;
  now?: () => number;
}

/**
 * Links that sign a page in once, within minutes, as a key whose secret nobody needs to see: what is left in a terminal, a
 * file or a chat is worthless afterwards. Every worker of this machine knows every link, and only one can redeem it.
 */
export function createLinks({ file, now = Date.now }: LinksOptions) {
  const access = createKeyFile(file);
  const linkFile = path.join(path.dirname(file), 'sign-in.txt');
  const seconds = () => Math.floor(now() / 1000);
  /** A link whose end is farther away than a new one's was made while the clock was ahead. */
  const isLive = (until: number) => until > seconds() && until - seconds() <= LINK_MINUTES * 60;

  function add(contents: KeyFile, { id, name }: KeyRecord): Link {
    const token = randomBytes(32).toString('base64url');
    const live = Object.entries(contents.links ?? {}).filter(([, { until }]) => isLive(until));
    contents.links = Object.fromEntries([
      ...live.slice(1 - MAX_LINKS),
      [sha256(token), { id, until: seconds() + LINK_MINUTES * 60 }],
    ]);
    return { token, key: { id, name } };
  }

  /** The link of the previous start, read from its file, if it still works for a while. */
  async function lastLink(contents: KeyFile): Promise<{ url: string; link: Link } | undefined> {
    const url = (await unlessMissing(readFile(linkFile, 'utf8')))?.trim() ?? '';
    const token = /#token=(\S+)$/.exec(url)?.[1] ?? '';
    const { id, until = 0 } = contents.links?.[sha256(token)] ?? {};
    const record = contents.keys.find((known) => known.id === id);
    if (!record || !isLive(until) || until - seconds() < STILL_GOOD) return undefined;
    return { url, link: { token, key: { id: record.id, name: record.name } } };
  }

  return {
    /** Holds the first start's link, readable by its owner only, until somebody uses it. */
    linkFile,

    /**
     * Makes a link for the first administrator, as long as nobody can sign in as one, and writes it to {@link linkFile}.
     * Workers that start together share one. Its key has no secret, so there is none to be kept or lost.
     * @param urlOf makes the URL for a token
     * @returns undefined when there is an administrator already; `isNew`: the link was made now; `madeKey`: the key too
     * @throws KaomonError STORE_UNAVAILABLE
     */
    async first(
      urlOf: (token: string) => string,
    ): Promise<{ url: string; link: Link; isNew: boolean; madeKey: boolean } | undefined> {
      if (hasAdmin(await access.current())) return undefined;
      return await access.change(async (contents) => {
        if (hasAdmin(contents)) return undefined;
        const last = await lastLink(contents);
        if (last) return { ...last, isNew: false, madeKey: false };
        const known = contents.keys.find(({ unclaimed }) => unclaimed);
        const record = known ?? addKeyWithoutSecret(contents);
        const link = add(contents, record);
        const url = urlOf(link.token);
        await makeFolder(path.dirname(linkFile));
        await writeDurably(linkFile, `${url}\n`);
        return { url, link, isNew: true, madeKey: !known };
      });
    },

    /**
     * Makes a link that signs in as a key.
     * @param idOrName left out: the oldest key that may do everything, or a new one if there is none
     * @throws KaomonError KEY_UNKNOWN, STORE_UNAVAILABLE
     */
    async make(idOrName?: string): Promise<Link> {
      return await access.change((contents) => {
        const record =
          idOrName === undefined
            ? (contents.keys.find(mayDoAll) ?? addKeyWithoutSecret(contents))
            : contents.keys.find(({ id, name }) => id === idOrName || name === idOrName);
        if (!record) throw new KaomonError('KEY_UNKNOWN', 'There is no such key.');
        return add(contents, record);
      }, EVEN_WHEN_FULL);
    },

    /**
     * Redeems a link, which then no longer works.
     * @returns the key that it signs in as; undefined when it was used already, has expired or never existed
     * @throws KaomonError STORE_UNAVAILABLE
     */
    async redeem(token: string): Promise<KeyRecord | undefined> {
      const digest = sha256(token);
      const isThere = ({ links = {} }: KeyFile) =>
        Object.hasOwn(links, digest) && isLive(links[digest].until);
      // A guess costs neither the lock nor a write.
      if (!TOKEN.test(token) || !isThere(await access.current())) return undefined;
      const record = await access.change((contents) => {
        // Another worker was faster.
        if (!isThere(contents)) return undefined;
        const { [digest]: link, ...others } = contents.links ?? {};
        contents.links = others;
        const found = contents.keys.find(({ id }) => id === link.id);
        if (found) delete found.unclaimed;
        return found && { ...found };
      }, EVEN_WHEN_FULL);
      const written = await unlessMissing(readFile(linkFile, 'utf8')).catch(() => undefined);
      if (written?.includes(token)) await rm(linkFile, { force: true }).catch(() => undefined);
      return record;
    },
  };
}

const mayDoAll = ({ role, groups }: KeyRecord) => role === 'admin' && !groups;
/** Whether there is a key that may do everything, other than one whose link nobody has used yet. */
const hasAdmin = ({ keys }: KeyFile) => keys.some((key) => mayDoAll(key) && !key.unclaimed);

/** A key that only links sign in as: its hash is random, so no secret matches it. */
function addKeyWithoutSecret(contents: KeyFile): KeyRecord {
  const isFree = (name: string) => contents.keys.every((key) => key.name !== name);
  let name = 'first';
  for (let n = 2; !isFree(name); n += 1) name = `first ${n}`;
  const random = (bytes: number) => randomBytes(bytes).toString('base64');
  const record: KeyRecord = {
    id: randomBytes(5).toString('hex'),
    name,
    role: 'admin',
    groups: null,
    createdAt: new Date().toISOString(),
    salt: random(16),
    hash: random(32),
    check: random(8),
    unclaimed: true,
  };
  contents.keys.push(record);
  return record;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
