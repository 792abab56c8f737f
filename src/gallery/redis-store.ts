import { KaomonError } from '../errors.js';
import { openRedis, REDIS_PATIENCE, type RedisConnection, type RedisSettings, untilReady } from '../redis.js';
import { checkEmbedding, toEmbedding } from './embedding.js';
import { describeFace } from './face-name.js';
import { isProfile } from './profile.js';
import type { EmbeddingStore, Profile, ReadPerson, StoredPerson } from './store.js';
import type { Group } from './types.js';

export interface RedisStoreOptions {
  redis: RedisSettings;
  pack: string;
  /** Numbers in a vector of this pack. */
  length: number;
  warn: (message: string) => void;
}

const FIRST_GROUP: Group = { groupid: 'default', groupname: 'Default' };
/** Scripts run whole or not at all, and nothing comes between. KEYS: people, the person's faces, all faces. */
const REMOVE = `
local gone = redis.call('HDEL', KEYS[1], ARGV[1])
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  redis.call('DEL', ARGV[2] .. id)
  redis.call('SREM', KEYS[3], id)
end
redis.call('DEL', KEYS[2])
return gone`;
const SAVE = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`;
/** KEYS: people, faces of the one, faces of the other, all faces. Two faces of one name keep apart by a letter more. */
const RENAME = `
local from, to, prefix, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local there = redis.call('HEXISTS', KEYS[1], to)
if redis.call('HEXISTS', KEYS[1], from) == 0 then return 'missing' end
if mode == 'move' and there == 1 then return 'exists' end
if mode == 'merge' and there == 0 then return 'missing' end
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local new = to .. string.sub(id, #from + 1)
  while redis.call('SISMEMBER', KEYS[3], new) == 1 do new = new .. 'x' end
  redis.call('RENAME', prefix .. id, prefix .. new)
  redis.call('SADD', KEYS[3], new)
  redis.call('SREM', KEYS[4], id)
  redis.call('SADD', KEYS[4], new)
end
if mode == 'move' then redis.call('HSET', KEYS[1], to, redis.call('HGET', KEYS[1], from)) end
redis.call('HDEL', KEYS[1], from)
redis.call('DEL', KEYS[2])
return 'done'`;
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

  async function readPerson(faceid: string, known: ReadonlySet<string>): Promise<ReadPerson | undefined> {
    const [text, ids] = (await transact((multi) => multi.hget(people, faceid).smembers(facesOf(faceid)))) as [
      string | null,
      string[],
    ];
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
    const described = describeFace(faceid, id);
    if (!described) return undefined;
    const [bytes, picture] = await Promise.all([
      isKnown ? undefined : redis.hgetBuffer(faceKey(id), 'vector'),
      redis.hexists(faceKey(id), 'picture'),
    ]);
    const face = { ...described, hasPicture: picture === 1 };
    if (isKnown) return face;
    if (!bytes) return undefined;
    try {
      return { ...face, vector: toEmbedding(toVector(bytes), length) };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      warn(`The face ${id} in Redis is left out: ${error.message}.`);
      return undefined;
    }
  }

  function toProfile(faceid: string, text: string): Profile {
    const value: unknown = JSON.parse(text);
    if (isProfile(value)) return { username: value.username, metadata: value.metadata };
    warn(`The name of ${faceid} in Redis cannot be read.`);
    return { username: '', metadata: {} };
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
    const found = Object.entries(await redis.hgetall(groups)).map(([groupid, text]) => {
      const { groupname, made } = JSON.parse(text) as { groupname: string; made: string };
      return { groupid, groupname, made };
    });
    found.sort((a, b) => (a.made + a.groupid < b.made + b.groupid ? -1 : 1));
    return found.map(({ groupid, groupname }) => ({ groupid, groupname }));
  }

  async function countOtherPacks(): Promise<Record<string, number>> {
    const counts: Record<string, number> = {};
    for (const other of await redis.smembers(key('packs'))) {
      const count = other === pack ? 0 : await redis.scard(key('all', other));
      if (count > 0) counts[other] = count;
    }
    return counts;
  }

  const groupText = ({ groupname }: Group, made = new Date().toISOString()) =>
    JSON.stringify({ groupname, made });
  const profileText = ({ username, metadata }: Profile) => JSON.stringify({ username, metadata });

  async function createPerson(faceid: string, profile: Profile): Promise<boolean> {
    return (await redis.hsetnx(people, faceid, profileText(profile))) === 1;
  }

  return {
    async load() {
      await untilReady(redis, REDIS_PATIENCE);
      const isNew = (await redis.exists(groups, key('packs'))) === 0;
      await redis.sadd(key('packs'), pack);
      if (isNew) await redis.hsetnx(groups, FIRST_GROUP.groupid, groupText(FIRST_GROUP));
      const faceids = await redis.hkeys(people);
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
        setAside: 0,
      };
    },

    list: () => redis.hkeys(people),
    readPerson,
    readGroups,
    // Moves are transactions: none is ever half done.
    recover: () => Promise.resolve(),

    async profile(faceid) {
      const text = await redis.hget(people, faceid);
      return text === null ? undefined : toProfile(faceid, text);
    },

    async others() {
      const packs = await redis.smembers(key('packs'));
      return packs
        .filter((other) => other !== pack)
        .map((other) => storeOn(redis, { ...options, pack: other }));
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
      const replies = await transact((multi) =>
        multi.srem(facesOf(face.faceid), face.id).del(faceKey(face.id)).srem(all, face.id),
      );
      return replies[0] === 1;
    },

    async picture(face) {
      return (await redis.hgetBuffer(faceKey(face.id), 'picture')) ?? undefined;
    },

    async createGroup(group) {
      return (await redis.hsetnx(groups, group.groupid, groupText(group))) === 1;
    },

    async saveGroup(group) {
      const before = await redis.hget(groups, group.groupid);
      const made = before === null ? undefined : (JSON.parse(before) as { made: string }).made;
      await redis.hset(groups, group.groupid, groupText(group, made));
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

function toVector(bytes: Buffer): Float32Array {
  return Float32Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => bytes.readFloatLE(i * 4));
}
