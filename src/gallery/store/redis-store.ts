import pMap from 'p-map';
import { KaomonError } from '../../platform/errors.js';
import { createDamage, type Damage } from '../../platform/files/damage.js';
import {
  isRedisFull,
  openRedis,
  REDIS_PATIENCE,
  type RedisSettings,
  runEvenWhenFull,
  untilReady,
} from '../../platform/redis.js';
import { checkEmbedding } from '../embedding.js';
import type { Group } from '../types.js';
import { createRedisLayout } from './redis-layout.js';
import { isThreshold, profileOf } from './profile.js';
import { createRedisReader, isWrongType } from './redis-read.js';
import { type GalleryRedis, withScripts } from './redis-scripts.js';
import type {
  EmbeddingStore,
  FilledPerson,
  NewFace,
  Profile,
  StoredCorrection,
  StoredPerson,
} from './store.js';
import { bytesOf } from './vector-bytes.js';

export interface RedisStoreOptions {
  redis: RedisSettings;
  pack: string;
  /** Numbers in a vector of this pack. */
  length: number;
  warn: (message: string) => void;
  /** Where damage is recorded. Default: a record of its own. */
  damage?: Damage;
}

const FIRST_GROUP: Group = { groupid: 'default', groupname: 'Default' };
/** People read or written at a time. */
const AT_ONCE = 200;

/**
 * Stores the gallery in Redis, for workers that share no disk: a hash for each face (vector, picture), a set of faces
 * for each person, one hash of profiles and one of groups (docs/gallery.md). Every change is one transaction.
 * @throws KaomonError SETUP when Redis does not answer
 */
export async function createRedisStore(options: RedisStoreOptions): Promise<EmbeddingStore> {
  return redisStoreOn(await connectGallery(options.redis), options);
}

/** A store with the corrections of one person, for a store that keeps the people otherwise. */
export type RedisStore = EmbeddingStore & {
  /** Oldest first. */
  readCorrections(faceid: string): Promise<StoredCorrection[]>;
};

/**
 * A store over a connection, which is closed with it.
 * @param layout where it is, if not where a store in Redis alone is
 */
export function redisStoreOn(
  redis: GalleryRedis,
  options: RedisStoreOptions,
  layout = createRedisLayout(options.redis, options.pack),
): RedisStore {
  const { pack, length, warn } = options;
  const { damage = createDamage(warn) } = options;
  const { people, groups, packs } = layout;
  const all = layout.all();
  const { readPerson, toProfile, list, readGroups, toGroup, countOtherPacks, requireTypes, readCorrections } =
    createRedisReader({ redis, layout, length, damage });

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

  async function rename(
    from: string,
    to: string,
    mode: 'move' | 'merge',
  ): Promise<'done' | 'missing' | 'exists'> {
    const faces = [layout.facesOf(from), layout.facesOf(to), all] as const;
    const { correctionsOf, corrected } = layout;
    const corrections = [correctionsOf(from), correctionsOf(to), corrected] as const;
    return await redis.renamePerson(people, ...faces, ...corrections, from, to, mode, layout.face(''));
  }

  const groupText = ({ groupname }: Group, made = new Date().toISOString()) =>
    JSON.stringify({ groupname, made });
  const profileText = (profile: Profile) => JSON.stringify(profileOf(profile));

  async function createPerson(faceid: string, profile: Profile): Promise<boolean> {
    return (await redis.hsetnx(people, faceid, profileText(profile))) === 1;
  }

  async function addPerson({ faceid, profile, faces, corrections = [] }: FilledPerson): Promise<boolean> {
    if (!(await createPerson(faceid, profile))) return false;
    try {
      await transact((multi) => {
        for (const face of faces) setFace(multi, face);
        for (const { correction, vector, crop } of corrections) {
          setVector(multi, correction.id, vector, crop);
          multi.sadd(layout.correctionsOf(faceid), correction.id).sadd(layout.corrected, faceid);
        }
      });
    } catch (error) {
      await redis.hdel(people, faceid).catch(() => undefined);
      throw error;
    }
    return true;
  }

  async function prepare(): Promise<void> {
    await untilReady(redis, REDIS_PATIENCE);
    await requireTypes();
    const isNew = (await redis.exists(groups, packs)) === 0;
    await runEvenWhenFull(redis, packs, ['SADD', packs, pack]);
    if (isNew) await redis.hsetnx(groups, FIRST_GROUP.groupid, groupText(FIRST_GROUP));
  }

  function setVector(
    multi: ReturnType<typeof redis.multi>,
    id: string,
    vector: Float32Array,
    crop: Uint8Array | undefined,
  ): void {
    multi.hset(layout.face(id), 'vector', bytesOf(vector));
    if (crop) multi.hset(layout.face(id), 'picture', Buffer.from(crop));
  }

  function setFace(multi: ReturnType<typeof redis.multi>, { face, vector, crop }: NewFace): void {
    setVector(multi, face.id, vector, crop);
    multi.sadd(layout.facesOf(face.faceid), face.id).sadd(all, face.id);
  }

  return {
    damage,

    prepare,
    countOtherPacks,

    async load({ onProgress, signal } = {}) {
      await prepare();
      const faceids = await list();
      let done = 0;
      const readOne = async (faceid: string) => {
        signal?.throwIfAborted();
        const person = await readPerson(faceid, new Set());
        onProgress?.(++done, faceids.length);
        return person;
      };
      const found = await pMap(faceids, readOne, { concurrency: AT_ONCE });
      const everyone: StoredPerson[] = found.flatMap((person) => {
        if (!person) return [];
        const faces = person.faces.flatMap(({ vector, ...face }) => (vector ? [{ ...face, vector }] : []));
        return [{ ...person, faces }];
      });
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
    // Moves are atomic: none is ever half done.
    recover: () => Promise.resolve(),

    async obstacle() {
      return (await isRedisFull(redis)) ? 'redis full' : undefined;
    },

    async profile(faceid) {
      const text = await redis.hget(people, faceid);
      return text === null ? undefined : toProfile(faceid, text);
    },

    async others() {
      return (await redis.smembers(packs))
        .filter((other) => other !== pack)
        .map((other) => redisStoreOn(redis, { ...options, pack: other, damage }));
    },

    createPerson,
    keepPerson: createPerson,

    async savePerson(faceid, profile) {
      return (await redis.saveProfile(people, faceid, profileText(profile))) === 1;
    },

    async removePerson(faceid) {
      const faces = [layout.facesOf(faceid), all] as const;
      const corrections = [layout.correctionsOf(faceid), layout.corrected] as const;
      const keys = [people, ...faces, ...corrections] as const;
      const [gone, ...counts] = await redis.removePerson(...keys, faceid, layout.face(''));
      return gone === 1 ? { faces: counts[0], pictures: counts[1], corrections: counts[2] } : undefined;
    },

    async movePerson(from, to) {
      const outcome = await rename(from, to, 'move');
      return outcome === 'done' ? 'moved' : outcome;
    },

    async mergePerson(from, into) {
      return (await rename(from, into, 'merge')) === 'done';
    },

    async addPeople(added) {
      for (const { faces, corrections = [] } of added)
        for (const { vector } of [...faces, ...corrections]) checkEmbedding(vector, length);
      return await pMap(added, addPerson, { concurrency: AT_ONCE });
    },

    async addFace(face, vector, { crop, profile }) {
      checkEmbedding(vector, length);
      await transact((multi) => {
        if (profile) multi.hset(people, face.faceid, profileText(profile));
        else multi.hsetnx(people, face.faceid, profileText({ username: '', metadata: {} }));
        setFace(multi, { face, vector, crop });
      });
    },

    async removeFace(face) {
      return (await redis.removeFace(layout.facesOf(face.faceid), layout.face(face.id), all, face.id)) === 1;
    },

    async picture(face) {
      return (await redis.hgetBuffer(layout.face(face.id), 'picture')) ?? undefined;
    },

    corrected: () => redis.smembers(layout.corrected),
    readCorrections,

    async addCorrection({ faceid, id }, vector, crop) {
      checkEmbedding(vector, length);
      const keys = [people, layout.correctionsOf(faceid), layout.corrected, layout.face(id)] as const;
      const picture = crop ? Buffer.from(crop) : '';
      return (await redis.addCorrection(...keys, faceid, id, bytesOf(vector), picture)) === 1;
    },

    async removeCorrection({ faceid, id }) {
      const keys = [layout.correctionsOf(faceid), layout.corrected, layout.face(id)] as const;
      return (await redis.removeCorrection(...keys, faceid, id)) === 1;
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

    async readThreshold() {
      const text = await redis.get(layout.threshold).catch((error: unknown) => {
        if (!isWrongType(error)) throw error;
        damage.report(layout.threshold, 'its type in Redis is wrong; it is passed over');
        return null;
      });
      const value = Number(text ?? NaN);
      return isThreshold(value) ? value : undefined;
    },

    async saveThreshold(identical) {
      if (identical === undefined) await redis.del(layout.threshold);
      else await redis.set(layout.threshold, String(identical));
    },

    close() {
      redis.disconnect();
      return Promise.resolve();
    },
  };
}

/** @throws KaomonError SETUP when Redis does not answer */
export async function connectGallery(settings: RedisSettings): Promise<GalleryRedis> {
  const redis = withScripts(openRedis(settings, 'commands', () => undefined));
  await untilReady(redis, REDIS_PATIENCE).catch((cause: unknown) => {
    redis.disconnect();
    throw new KaomonError('SETUP', 'EMBEDDING_STORE=redis, but Redis does not answer: see REDIS_URL.', {
      cause,
    });
  });
  return redis;
}

/**
 * People with a face, by pack; see `enrolledPacks` in enrolled.ts.
 * @throws KaomonError SETUP when Redis does not answer
 */
export async function countEnrolledInRedis(settings: RedisSettings): Promise<Record<string, number>> {
  const redis = await connectGallery(settings);
  const layoutOf = (pack: string) => createRedisLayout(settings, pack);
  try {
    const packs: string[] = [];
    for (const pack of await redis.smembers(layoutOf('').packs)) {
      if ((await redis.scard(layoutOf(pack).all())) > 0) packs.push(pack);
    }
    const counts = packs.map(async (pack) => {
      const { people, all } = layoutOf(pack);
      if (packs.length === 1) return [pack, await redis.hlen(people)];
      const faces = await redis.smembers(all());
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
