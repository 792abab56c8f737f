import { createHash, randomBytes } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { makeFolder, unlessMissing, writeDurably } from '../platform/files/durable.js';
import { KaomonError } from '../platform/errors.js';
import { createKeyFile, type KeyFile, type KeyRecord } from './key-file.js';

/** Minutes that a sign-in link works, when nobody uses it before. */
export const LINK_MINUTES = 15;
/** A start shows the link of the last one while it works for so long at least, seconds. */
const STILL_GOOD = (LINK_MINUTES * 60) / 2;
/** Links that wait to be used; of more the oldest end. */
const LINKS = 20;
/** 32 random bytes. */
const TOKEN = /^[0-9A-Za-z_-]{43}$/;

/** A link that signs in as a key, once. */
export interface Link {
  /** Stands behind `/signin#token=`, and nowhere else. */
  token: string;
  /** As whom it signs in. */
  key: Pick<KeyRecord, 'id' | 'name'>;
}

/** Sign-in links; see {@link createLinks}. */
export type Links = ReturnType<typeof createLinks>;

export interface LinksOptions {
  /** The file of keys, which holds hashes of the links' tokens. */
  file: string;
  now?: () => number;
}

/**
 * Links that sign a page in once and within minutes, as a key whose text nobody needs: what stands in a terminal, a file
 * or a chat is worth nothing afterwards. Every worker of this machine takes each, and only one does.
 */
export function createLinks({ file, now = Date.now }: LinksOptions) {
  const access = createKeyFile(file);
  const linkFile = path.join(path.dirname(file), 'sign-in.txt');
  const seconds = () => Math.floor(now() / 1000);

  function add(contents: KeyFile, { id, name }: KeyRecord): Link {
    const token = randomBytes(32).toString('base64url');
    const live = Object.entries(contents.links ?? {}).filter(([, { until }]) => until > seconds());
    contents.links = Object.fromEntries([
      ...live.slice(1 - LINKS),
      [sha256(token), { id, until: seconds() + LINK_MINUTES * 60 }],
    ]);
    return { token, key: { id, name } };
  }

  /** The link of the last start, as it stands in its file, when it will do. */
  async function lastLink(contents: KeyFile): Promise<{ url: string; link: Link } | undefined> {
    const url = (await unlessMissing(readFile(linkFile, 'utf8')))?.trim() ?? '';
    const token = /#token=(\S+)$/.exec(url)?.[1] ?? '';
    const { id, until = 0 } = contents.links?.[sha256(token)] ?? {};
    const record = contents.keys.find((known) => known.id === id);
    if (!record || until - seconds() < STILL_GOOD) return undefined;
    return { url, link: { token, key: { id: record.id, name: record.name } } };
  }

  return {
    /** Where the first start's link is, for its owner alone, until somebody uses it. */
    linkFile,

    /**
     * While nobody can sign in as administrator, a link that does, in {@link linkFile} too: one among all workers that
     * start together. The key that it signs in as has no text; there is nothing of it to be kept or lost.
     * @param urlOf the address that opens a token
     * @returns undefined when somebody can; `isNew`: it was made now; `madeKey`: so was the key
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
        const record = known ?? addTextless(contents);
        const link = add(contents, record);
        const url = urlOf(link.token);
        await makeFolder(path.dirname(linkFile));
        await writeDurably(linkFile, `${url}\n`);
        return { url, link, isNew: true, madeKey: !known };
      });
    },

    /**
     * A link that signs in as a key.
     * @param idOrName left out: as the oldest that may do everything; where there is none, as one that is made for it
     * @throws KaomonError KEY_UNKNOWN, STORE_UNAVAILABLE
     */
    async make(idOrName?: string): Promise<Link> {
      return await access.change((contents) => {
        const record =
          idOrName === undefined
            ? (contents.keys.find(mayAll) ?? addTextless(contents))
            : contents.keys.find(({ id, name }) => id === idOrName || name === idOrName);
        if (!record) throw new KaomonError('KEY_UNKNOWN', 'There is no such key.');
        return add(contents, record);
      });
    },

    /**
     * Uses a link up.
     * @returns the key that it signs in as, or undefined when it was used, has ended or never was
     * @throws KaomonError STORE_UNAVAILABLE
     */
    async redeem(token: string): Promise<KeyRecord | undefined> {
      const digest = sha256(token);
      const isLive = ({ links = {} }: KeyFile) =>
        Object.hasOwn(links, digest) && links[digest].until > seconds();
      // Whoever guesses costs no lock and no writing.
      if (!TOKEN.test(token) || !isLive(await access.current())) return undefined;
      const record = await access.change((contents) => {
        // Another worker was quicker.
        if (!isLive(contents)) return undefined;
        const { [digest]: link, ...others } = contents.links ?? {};
        contents.links = others;
        const found = contents.keys.find(({ id }) => id === link.id);
        if (found) delete found.unclaimed;
        return found && { ...found };
      });
      const written = await unlessMissing(readFile(linkFile, 'utf8')).catch(() => undefined);
      if (written?.includes(token)) await rm(linkFile, { force: true }).catch(() => undefined);
      return record;
    },
  };
}

const mayAll = ({ role, groups }: KeyRecord) => role === 'admin' && !groups;
/** Whether somebody has a key that may do everything, or has signed in by a link. */
const hasAdmin = ({ keys }: KeyFile) => keys.some((key) => mayAll(key) && !key.unclaimed);

/** A key for links alone: its hash is no text's. */
function addTextless(contents: KeyFile): KeyRecord {
  const isFree = (name: string) => contents.keys.every((key) => key.name !== name);
  let name = 'first';
  for (let n = 2; !isFree(name); n += 1) name = `first ${n}`;
  const random = (bytes: number) => randomBytes(bytes).toString('base64');
  const record: KeyRecord = {
    ...{ id: randomBytes(5).toString('hex'), name, role: 'admin', groups: null },
    ...{ createdAt: new Date().toISOString(), salt: random(16), hash: random(32), check: random(8) },
    unclaimed: true,
  };
  contents.keys.push(record);
  return record;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}
