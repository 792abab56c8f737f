import type { RedisSettings } from '../../../platform/redis.js';

/** The keys of one pack's sightings in Redis, all in one slot of a cluster; docs/sightings.md has the picture. */
export function createSharedLayout({ prefix }: Pick<RedisSettings, 'prefix'>, pack: string) {
  const key = (part: string) => `{${prefix}}:sightings:${pack}:${part}`;
  return {
    /** Stream: entry `N-0` is the Nth change. */
    log: key('log'),
    /** `N MARK` of the last change; those that a base has taken the place of count. */
    last: key('last'),
    /** Number: the size of the changes since the base, bytes. */
    bytes: key('bytes'),
    /** Number: the last change that erased something. */
    erased: key('erased'),
    /** Hash: `position`, `key`, `bytes` of the whole file as it was after that change. */
    base: key('base'),
    /** List: a base's content, in chunks. */
    chunks: (id: string) => key(`base:${id}`),
    /** Who makes a base. */
    turn: key('turn'),
    /** Never exists: see `runEvenWhenFull`. */
    none: key('none'),
  };
}

export type SharedLayout = ReturnType<typeof createSharedLayout>;
