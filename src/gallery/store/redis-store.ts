import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { KaomonError } from '../../platform/errors.js';
import {
  isRedisFull,
  openRedis,
  REDIS_PATIENCE,
  type RedisConnection,
  type RedisSettings,
  runEvenWhenFull,
  untilReady,
} from '../../platform/redis.js';
import { createDamage, type Damage } from '../../platform/files/damage.js';
import { checkEmbedding, toEmbedding } from '../embedding.js';
import { describeFace } from '../face-name.js';
import { isId, splitFaceId } from '../ids.js';
import { isProfile } from './profile.js';
import { READ, REMOVE, REMOVE_FACE, RENAME, SAVE } from './redis-scripts.js';
import type { EmbeddingStore, Profile, ReadPerson, StoredPerson } from './store.js';
import type { Group } from '../types.js';

export interface RedisStoreOptions {
  redis: RedisSettings;
  pack: string;
  /** Numbers in a vector of this pack. */
  length: number;
  warn: (message: string) => void;
  /** Where what is damaged is noted; left out: in one of its own. */
  damage?: Damage;
}

const GroupSchema = Type.Object({ groupname: Type.String(), made: Type.String() });
const FIRST_GROUP: Group = { groupid: 'default', groupname: 'Default' };
/** People read at a time. */
const AT_ONCE = 200;

/**
 * Keeps the gallery in Redis, for workers that share no disk: a hash for each face (vector, picture), a set of faces
 * for each person, one hash of profiles and one of groups (docs/gallery.md). Every change is one transaction.
 * @throws KaomonError SETUP when Redis does not answer
 */
export async function createRedisStore(options: RedisStoreOptions): Promise<EmbeddingStore> {
  return storeOn(await connect(options.redis), options);
}

function storeOn(redis: RedisConnection, options: RedisStoreOptions): EmbeddingStore {
  const { pack, length, warn } = options;
  const { damage = createDamage(warn) } = options;
  const key = keysOf(options.redis);
  const people = key('people', pack);
  const groups = key('groups');
  const all = key('all', pack);
  const facesOf = (faceid: string) => key('faces', pack, faceid);
  const faceKey = (id: string) => key('face', pack, id);

  async function transact(fill: (multi: ReturnType<typeof redis.multi>) => void): Promise<unknown[]> {
    const multi = redis.multi();
    fill(multi);
    const replies = await multi.exec();
    if (!replies) throw new Error('Redis dropped a transaction.');
    return replies.map(([error, reply]) => {
      if (error) throw error;
      return reply;
    });
  }

  /**
   * Reads one thing, or names it and goes on without it, when its key holds something of another kind.
   * @param without what is gone on with
   */
  async function orPassOver<T, U>(what: string, read: Promise<T>, without: U): Promise<T | U> {
    try {
      return await read;
    } catch (error) {
      if (!isWrongKind(error)) throw error;
      damage.report(what, 'it is no longer what was written there, and is passed over');
      return without;
    }
  }

  async function readPerson(faceid: string, known: ReadonlySet<string>): Promise<ReadPerson | undefined> {
    const set = facesOf(faceid);
    const both = redis.eval(READ, 2, people, set, faceid) as Promise<[string | null, string[]]>;
    const [text, ids] = (await orPassOver(set, both, undefined)) ?? [await redis.hget(people, faceid), []];
    if (text === null) return undefined;
    const faces = await Promise.all(ids.map((id) => readFace(faceid, id, known.has(id))));
    const there = faces.filter((face) => face !== undefined);
    there.sort((a, b) => (a.enrolledAt + a.id < b.enrolledAt + b.id ? -1 : 1));
    return { faceid, ...toProfile(faceid, text), faces: there };
  }

  async function readFace(
    faceid: string,
    id: string,
    isKnown: boolean,
  ): Promise<ReadPerson['faces'][number] | undefined> {
    const what = faceKey(id);
    const described = describeFace(faceid, id);
    if (!described) {
      damage.report(what, 'its name is not that of a face of this person; it is passed over');
      return undefined;
    }
    const [bytes, picture] = await orPassOver(
      what,
      Promise.all([isKnown ? undefined : redis.hgetBuffer(what, 'vector'), redis.hexists(what, 'picture')]),
      [undefined, 0],
    );
    const face = { ...described, hasPicture: picture === 1 };
    if (isKnown) return face;
    if (!bytes) return undefined;
    try {
      return { ...face, vector: toEmbedding(toVector(bytes), length) };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      damage.report(what, `it holds no vector (${error.message}) and is passed over`);
      return undefined;
    }
  }

  function toProfile(faceid: string, text: string): Profile {
    const value = parseJson(text);
    if (isProfile(value)) return { username: value.username, metadata: value.metadata };
    damage.report(`${people} ${faceid}`, 'the person is shown by the ID until a name is given again');
    return { username: '', metadata: {} };
  }

  /** The faceids of everyone; what cannot be one is no person. */
  async function list(): Promise<string[]> {
    const fields = await redis.hkeys(people);
    return fields.filter((faceid) => {
      if (splitFaceId(faceid)) return true;
      damage.report(`${people} ${faceid.slice(0, 130)}`, 'it is the ID of nobody; it is passed over');
      return false;
    });
  }

  /** All faces of `from` to `to`. */
  async function rename(
    from: string,
    to: string,
    mode: 'move' | 'merge',
  ): Promise<'done' | 'missing' | 'exists'> {
    const keys = [people, facesOf(from), facesOf(to), all];
    const outcome = await redis.eval(RENAME, keys.length, ...keys, from, to, faceKey(''), mode);
    return outcome as 'done' | 'missing' | 'exists';
  }

  async function readGroups(): Promise<Group[]> {
    const fields = Object.entries(await redis.hgetall(groups)).filter(([groupid]) => isId(groupid));
    const found = fields.map(([groupid, text]) => ({ groupid, ...toGroup(groupid, text) }));
    found.sort((a, b) => (a.made + a.groupid < b.made + b.groupid ? -1 : 1));
    return found.map(({ groupid, groupname }) => ({ groupid, groupname }));
  }

  function toGroup(groupid: string, text: string): { groupname: string; made: string } {
    const value = parseJson(text);
    if (Value.Check(GroupSchema, value)) return value;
    damage.report(`${groups} ${groupid}`, 'the group is shown by its ID until a name is given again');
    return { groupname: groupid, made: '' };
  }

  async function countOtherPacks(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const other of await orPassOver(key('packs'), redis.smembers(key('packs')), [])) {
      const set = key('all', other);
      const count = other === pack ? 0 : await orPassOver(set, redis.scard(set), 0);
      if (count > 0) counts[other] = count;
    }
    return counts;
  }

  /**
   * The keys that hold everybody and everything: without one of them there is no gallery to go on with.
   * @throws KaomonError SETUP that names it
   */
  async function refuseWrongKinds(): Promise<void> {
    const kinds: [name: string, kind: string][] = [
      [people, 'hash'],
      [groups, 'hash'],
      [all, 'set'],
      [key('packs'), 'set'],
    ];
    for (const [name, kind] of kinds) {
      const found = await redis.type(name);
      if (found === kind || found === 'none') continue;
      throw new KaomonError(
        'SETUP',
        `The Redis key ${name} holds a ${found}, where the gallery keeps a ${kind}: rename it (RENAME) and restore the key from a copy, or choose another REDIS_PREFIX.`,
      );
    }
  }

  const groupText = ({ groupname }: Group, made = new Date().toISOString()) =>
    JSON.stringify({ groupname, made });
  const profileText = ({ username, metadata }: Profile) => JSON.stringify({ username, metadata });

  async function createPerson(faceid: string, profile: Profile): Promise<boolean> {
    return (await redis.hsetnx(people, faceid, profileText(profile))) === 1;
  }

  return {
    damage,

    async load() {
      await untilReady(redis, REDIS_PATIENCE);
      await refuseWrongKinds();
      const isNew = (await redis.exists(groups, key('packs'))) === 0;
      await runEvenWhenFull(redis, key('packs'), ['SADD', key('packs'), pack]);
      if (isNew) await redis.hsetnx(groups, FIRST_GROUP.groupid, groupText(FIRST_GROUP));
      const faceids = await list();
      const everyone: StoredPerson[] = [];
      for (let i = 0; i < faceids.length; i += AT_ONCE) {
        const some = faceids.slice(i, i + AT_ONCE).map((faceid) => readPerson(faceid, new Set()));
        for (const person of await Promise.all(some)) {
          if (!person) continue;
          const faces = person.faces.flatMap(({ vector, ...face }) => (vector ? [{ ...face, vector }] : []));
          everyone.push({ ...person, faces });
        }
      }
      everyone.sort((a, b) => (a.faceid < b.faceid ? -1 : 1));
      return {
        groups: await readGroups(),
        people: everyone,
        otherPacks: await countOtherPacks(),
      };
    },

    list,
    readPerson,
    readGroups,
    // Moves are transactions: none is ever half done.
    recover: () => Promise.resolve(),

    async obstacle() {
      return (await isRedisFull(redis)) ? 'redis full' : undefined;
    },

    async profile(faceid) {
      const text = await redis.hget(people, faceid);
      return text === null ? undefined : toProfile(faceid, text);
    },

    async others() {
      const packs = await redis.smembers(key('packs'));
      return packs
        .filter((other) => other !== pack)
        .map((other) => storeOn(redis, { ...options, pack: other, damage }));
    },

    createPerson,
    keepPerson: createPerson,

    async savePerson(faceid, profile) {
      return (await redis.eval(SAVE, 1, people, faceid, profileText(profile))) === 1;
    },

    async removePerson(faceid) {
      return (await redis.eval(REMOVE, 3, people, facesOf(faceid), all, faceid, faceKey(''))) === 1;
    },

    async movePerson(from, to) {
      const outcome = await rename(from, to, 'move');
      return outcome === 'done' ? 'moved' : outcome;
    },

    async mergePerson(from, into) {
      return (await rename(from, into, 'merge')) === 'done';
    },

    async addFace(face, vector, { crop, profile }) {
      checkEmbedding(vector, length);
      const bytes = Buffer.alloc(length * 4);
      vector.forEach((value, i) => bytes.writeFloatLE(value, i * 4));
      await transact((multi) => {
        if (profile) multi.hset(people, face.faceid, profileText(profile));
        else multi.hsetnx(people, face.faceid, profileText({ username: '', metadata: {} }));
        multi.hset(faceKey(face.id), 'vector', bytes);
        if (crop) multi.hset(faceKey(face.id), 'picture', Buffer.from(crop));
        multi.sadd(facesOf(face.faceid), face.id).sadd(all, face.id);
      });
    },

    async removeFace(face) {
      const keys = [facesOf(face.faceid), faceKey(face.id), all];
      return (await redis.eval(REMOVE_FACE, keys.length, ...keys, face.id)) === 1;
    },

    async picture(face) {
      return (await redis.hgetBuffer(faceKey(face.id), 'picture')) ?? undefined;
    },

    async createGroup(group) {
      return (await redis.hsetnx(groups, group.groupid, groupText(group))) === 1;
    },

    async saveGroup(group) {
      const before = await redis.hget(groups, group.groupid);
      const made = before === null ? undefined : toGroup(group.groupid, before).made;
      await redis.hset(groups, group.groupid, groupText(group, made === '' ? undefined : made));
    },

    async removeGroup(groupid) {
      return (await redis.hdel(groups, groupid)) === 1;
    },

    close() {
      redis.disconnect();
      return Promise.resolve();
    },
  };
}

/** @throws KaomonError SETUP when Redis does not answer */
async function connect(settings: RedisSettings): Promise<RedisConnection> {
  const redis = openRedis(settings, 'commands', () => undefined);
  await untilReady(redis, REDIS_PATIENCE).catch((cause: unknown) => {
    redis.disconnect();
    throw new KaomonError('SETUP', 'EMBEDDING_STORE=redis, but Redis does not answer: see REDIS_URL.', {
      cause,
    });
  });
  return redis;
}

const keysOf =
  ({ prefix }: RedisSettings) =>
  (...parts: string[]) =>
    [`{${prefix}}`, ...parts].join(':');

/**
 * People with a face, by pack; see `enrolledPacks` in enrolled.ts.
 * @throws KaomonError SETUP when Redis does not answer
 */
export async function countEnrolledInRedis(settings: RedisSettings): Promise<Record<string, number>> {
  const redis = await connect(settings);
  const key = keysOf(settings);
  try {
    const packs: string[] = [];
    for (const pack of await redis.smembers(key('packs'))) {
      if ((await redis.scard(key('all', pack))) > 0) packs.push(pack);
    }
    const counts = packs.map(async (pack) => {
      if (packs.length === 1) return [pack, await redis.hlen(key('people', pack))];
      // A face's name begins with its person's.
      const faces = await redis.smembers(key('all', pack));
      return [pack, new Set(faces.map((id) => id.replace(/_\d{8}_\d{6}_[0-9A-Za-z]+$/, ''))).size];
    });
    return Object.fromEntries(await Promise.all(counts)) as Record<string, number>;
  } catch (cause) {
    throw new KaomonError('SETUP', 'EMBEDDING_STORE=redis, but Redis does not answer: see REDIS_URL.', {
      cause,
    });
  } finally {
    redis.disconnect();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** A key that holds something else than it was made for. */
function isWrongKind(error: unknown): boolean {
  return error instanceof Error && error.message.includes('WRONGTYPE');
}

function toVector(bytes: Buffer): Float32Array {
  return Float32Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readFloatLE(i * 4));
}
