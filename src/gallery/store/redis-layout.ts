import type { RedisSettings } from '../../platform/redis.js';

/** The keys of one pack's part of the gallery in Redis; docs/gallery.md has the picture. */
export type RedisLayout = ReturnType<typeof createRedisLayout>;

/**
 * The braces (a hash tag) put all keys of one prefix into one slot of a cluster.
 * @param part keeps galleries of one prefix apart
 */
export function createRedisLayout({ prefix }: Pick<RedisSettings, 'prefix'>, pack: string, part = '') {
  const key = (...parts: string[]) => [`{${prefix}}`, ...(part ? [part] : []), ...parts].join(':');
  return {
    pack,
    /** Hash: groupid -> the group's name and date. */
    groups: key('groups'),
    /** Set: packs that have ever been written to. */
    packs: key('packs'),
    /** Hash: faceid -> profile. */
    people: key('people', pack),
    /** Set: ids of all faces of a pack. */
    all: (ofPack = pack) => key('all', ofPack),
    /** Set: ids of a person's faces. */
    facesOf: (faceid: string) => key('faces', pack, faceid),
    /** Set: ids of the faces that are said not to be this person's. Of each there is a hash, as of an enrolled one. */
    correctionsOf: (faceid: string) => key('corrections', pack, faceid),
    /** Set: faceids of those who have such. */
    corrected: key('corrected', pack),
    /** String: the naming threshold that somebody chose. */
    threshold: key('threshold', pack),
    /** Hash: a face's vector and picture. */
    face: (id: string) => key('face', pack, id),
  };
}
