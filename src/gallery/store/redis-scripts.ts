/** The gallery's atomic operations in Redis, as Lua scripts. */
import type { RedisConnection } from '../../platform/redis.js';

/** Commands of our own, see {@link withScripts}. The last parameter, `prefix`, begins the key of every face. */
export interface GalleryCommands {
  /** @returns profile and ids of faces and of corrections, as of one moment */
  readPerson(
    people: string,
    faces: string,
    corrections: string,
    faceid: string,
  ): Promise<[profile: string | null, ids: string[], corrections: string[]]>;
  /** @returns 0 when there is no such person */
  saveProfile(people: string, faceid: string, profile: string): Promise<0 | 1>;
  /** @returns whether there was such a person, and how many faces, pictures and corrections */
  removePerson(
    people: string,
    faces: string,
    all: string,
    corrections: string,
    corrected: string,
    faceid: string,
    prefix: string,
  ): Promise<[gone: 0 | 1, faces: number, pictures: number, corrections: number]>;
  /**
   * Gives all faces and corrections of one person to another. A face whose new name is taken gets a letter more.
   * @param mode move: the other must not exist; merge: it must
   */
  renamePerson(
    people: string,
    faces: string,
    facesOfOther: string,
    all: string,
    corrections: string,
    correctionsOfOther: string,
    corrected: string,
    from: string,
    to: string,
    mode: 'move' | 'merge',
    prefix: string,
  ): Promise<'done' | 'missing' | 'exists'>;
  /** @returns 0 when there is no such face */
  removeFace(faces: string, face: string, all: string, id: string): Promise<0 | 1>;
  /** @returns 0 when there is no such person */
  addCorrection(
    people: string,
    corrections: string,
    corrected: string,
    face: string,
    faceid: string,
    id: string,
    vector: Buffer,
    picture: Buffer | '',
  ): Promise<0 | 1>;
  /** @returns 0 when there is no such correction */
  removeCorrection(
    corrections: string,
    corrected: string,
    face: string,
    faceid: string,
    id: string,
  ): Promise<0 | 1>;
}

const SCRIPTS: Record<keyof GalleryCommands, { numberOfKeys: number; lua: string }> = {
  // Not a transaction: when Redis is out of memory it queues no command, not even one that reads or deletes.
  readPerson: {
    numberOfKeys: 3,
    lua: `
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('SMEMBERS', KEYS[2]), redis.call('SMEMBERS', KEYS[3])}`,
  },
  saveProfile: {
    numberOfKeys: 1,
    lua: `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`,
  },
  removePerson: {
    numberOfKeys: 5,
    lua: `
local pictures = 0
local function erase(id)
  pictures = pictures + redis.call('HEXISTS', ARGV[2] .. id, 'picture')
  redis.call('DEL', ARGV[2] .. id)
end
local corrections = redis.call('SMEMBERS', KEYS[4])
for _, id in ipairs(corrections) do erase(id) end
redis.call('DEL', KEYS[4])
redis.call('SREM', KEYS[5], ARGV[1])
local gone = redis.call('HDEL', KEYS[1], ARGV[1])
local faces = redis.call('SMEMBERS', KEYS[2])
for _, id in ipairs(faces) do
  erase(id)
  redis.call('SREM', KEYS[3], id)
end
redis.call('DEL', KEYS[2])
return {gone, #faces, pictures, #corrections}`,
  },
  renamePerson: {
    numberOfKeys: 7,
    lua: `
local from, to, mode, prefix = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
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
for _, id in ipairs(redis.call('SMEMBERS', KEYS[5])) do
  local new = to .. string.sub(id, #from + 1)
  while redis.call('SISMEMBER', KEYS[6], new) == 1 do new = new .. 'x' end
  redis.call('RENAME', prefix .. id, prefix .. new)
  redis.call('SADD', KEYS[6], new)
  redis.call('SADD', KEYS[7], to)
end
redis.call('DEL', KEYS[5])
redis.call('SREM', KEYS[7], from)
if mode == 'move' then redis.call('HSET', KEYS[1], to, redis.call('HGET', KEYS[1], from)) end
redis.call('HDEL', KEYS[1], from)
redis.call('DEL', KEYS[2])
return 'done'`,
  },
  removeFace: {
    numberOfKeys: 3,
    lua: `
local gone = redis.call('SREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('SREM', KEYS[3], ARGV[1])
return gone`,
  },
  addCorrection: {
    numberOfKeys: 4,
    lua: `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[4], 'vector', ARGV[3])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[4], 'picture', ARGV[4]) end
redis.call('SADD', KEYS[2], ARGV[2])
redis.call('SADD', KEYS[3], ARGV[1])
return 1`,
  },
  removeCorrection: {
    numberOfKeys: 3,
    lua: `
local gone = redis.call('SREM', KEYS[1], ARGV[2])
redis.call('DEL', KEYS[3])
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('SREM', KEYS[2], ARGV[1]) end
return gone`,
  },
};

export type GalleryRedis = RedisConnection & GalleryCommands;

/** Gives a connection the gallery's commands. ioredis sends a script once and its checksum from then on. */
export function withScripts(redis: RedisConnection): GalleryRedis {
  for (const [name, script] of Object.entries(SCRIPTS)) redis.defineCommand(name, script);
  return redis as GalleryRedis;
}
