/** What the gallery in Redis changes in one step (redis-store.ts). */

/** Scripts run whole or not at all, and nothing comes between. KEYS: people, the person's faces, all faces. */
export const REMOVE = `
local gone = redis.call('HDEL', KEYS[1], ARGV[1])
for _, id in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  redis.call('DEL', ARGV[2] .. id)
  redis.call('SREM', KEYS[3], id)
end
redis.call('DEL', KEYS[2])
return gone`;
export const SAVE = `
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1`;
/** KEYS: people, faces of the one, faces of the other, all faces. Two faces of one name keep apart by a letter more. */
export const RENAME = `
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

/**
 * KEYS: people, the person's faces. Both as they are at one moment. No transaction: Redis takes no command into one when
 * it is at its limit of memory, not even one that reads or deletes.
 */
export const READ = `
return {redis.call('HGET', KEYS[1], ARGV[1]), redis.call('SMEMBERS', KEYS[2])}`;

/** KEYS: the person's faces, the face, all faces. */
export const REMOVE_FACE = `
local gone = redis.call('SREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[2])
redis.call('SREM', KEYS[3], ARGV[1])
return gone`;
