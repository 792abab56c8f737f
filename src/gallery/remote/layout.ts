import { createRedisLayout } from '../store/redis-layout.js';
import type { RedisSettings } from '../../platform/redis.js';

/** See {@link createRemoteLayout}. */
export type RemoteLayout = ReturnType<typeof createRemoteLayout>;

/** Apart from a gallery whose vectors are in Redis, so that one can be copied to the other in the same Redis. */
const PART = 'milvus';

/**
 * The keys of one pack's people in Redis, whose vectors are in an engine; docs/gallery.md has the picture. All of one prefix
 * are in one slot, so that a change of any of them is one step.
 */
export function createRemoteLayout(redis: Pick<RedisSettings, 'prefix'>, pack: string) {
  const layout = createRedisLayout(redis, pack, PART);
  const key = (name: string, ofPack = pack) => [`{${redis.prefix}}`, PART, name, ofPack].join(':');
  return {
    ...layout,
    /** Hash: faceid -> ids of the faces and of the template; see `face-list.ts`. */
    lists: key('lists'),
    /** Sorted set, all of one score: faceids in their order. */
    order: key('order'),
    /** As `order`: those without a face. */
    bare: key('bare'),
    /** As `order`: words of names and userids with the faceid; see `name-keys.ts`. */
    names: key('names'),
    /** Hash: `p`, `f`, `p:<groupid>`, `f:<groupid>` -> how many people and faces. @param ofPack another pack's */
    counts: (ofPack = pack) => key('counts', ofPack),
    /** Hash: id -> the vector, until every search of the engine finds it. */
    pending: key('pending'),
    /** Sorted sets of ids by milliseconds since 1970: since when they wait to be written or removed, or when that was done. */
    toWrite: key('to-write'),
    written: key('written'),
    toErase: key('to-erase'),
    erased: key('erased'),
    /** String that expires: the engine was asked not long ago to write its files anew. */
    compacted: key('compacted'),
    /** Hash of all packs: pack -> how many numbers its vectors have, and ` t` where people have templates. */
    kinds: `{${redis.prefix}}:${PART}:kinds`,
    /** Not used: see `runEvenWhenFull`. */
    spare: key('spare'),
  };
}
