/** The steps in Redis that must be one, as Lua scripts. */
import type { GalleryRedis } from '../store/redis-scripts.js';
import { packInParts, packWords, type Word } from './packed-words.js';

export type { Word };

/** As a word of a command: the milliseconds since 1970 by Redis's clock, which all machines share. */
export const NOW = '@now';

/** A field, or a set, that must be as it was read, or the step is not made. */
export type Check =
  | {
      key: string;
      field: string;
      /** null: it must not be there. */
      was: string | null;
    }
  | { key: string; members: readonly string[] };

interface Commands {
  commitStep(spare: string, evenWhenFull: '0' | '1', ...packed: Buffer[]): Promise<0 | 1>;
  readPeople(
    people: string,
    lists: string,
    ...faceids: string[]
  ): Promise<[(string | null)[], (string | null)[]]>;
  claimDue(key: string, age: number, most: number): Promise<string[]>;
  noteDone(from: string, to: string, ...ids: string[]): Promise<number>;
  forgetSettled(written: string, pending: string, ...ids: string[]): Promise<number>;
}

const SCRIPTS: Record<keyof Commands, { numberOfKeys: number; lua: string }> = {
  // Makes room first where that was asked for: Redis lets a script that has begun to write go on when memory is full.
  commitStep: {
    numberOfKeys: 1,
    lua: `
for _, check in ipairs(cmsgpack.unpack(ARGV[2])) do
  if check[1] == 'field' then
    -- Without a last word it must not be there.
    if redis.call('HGET', check[2], check[3]) ~= (check[4] or false) then return 0 end
  else
    if redis.call('SCARD', check[2]) ~= #check - 2 then return 0 end
    for i = 3, #check do
      if redis.call('SISMEMBER', check[2], check[i]) == 0 then return 0 end
    end
  end
end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
if ARGV[1] == '1' then redis.call('DEL', KEYS[1]) end
for at = 3, #ARGV do
  for _, words in ipairs(cmsgpack.unpack(ARGV[at])) do
    for i, word in ipairs(words) do
      if word == '${NOW}' then words[i] = now end
    end
    -- An error would leave half of a step.
    if words[1] ~= 'RENAME' or redis.call('EXISTS', words[2]) == 1 then redis.call(unpack(words)) end
  end
end
return 1`,
  },
  readPeople: {
    numberOfKeys: 2,
    lua: `return {redis.call('HMGET', KEYS[1], unpack(ARGV)), redis.call('HMGET', KEYS[2], unpack(ARGV))}`,
  },
  // Whoever claims an entry has it for as long again, before others may.
  claimDue: {
    numberOfKeys: 1,
    lua: `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = string.format('%.0f', now - tonumber(ARGV[1]))
local ids = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', due, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(ids) do redis.call('ZADD', KEYS[1], string.format('%.0f', now), id) end
return ids`,
  },
  // Only what still waits: it may have been taken back meanwhile.
  noteDone: {
    numberOfKeys: 2,
    lua: `
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
local done = 0
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', KEYS[1], id) == 1 then
    redis.call('ZADD', KEYS[2], now, id)
    done = done + 1
  end
end
return done`,
  },
  forgetSettled: {
    numberOfKeys: 2,
    lua: `
local done = 0
for _, id in ipairs(ARGV) do
  if redis.call('ZREM', KEYS[1], id) == 1 then
    redis.call('HDEL', KEYS[2], id)
    done = done + 1
  end
end
return done`,
  },
};

export type RemoteRedis = GalleryRedis & Commands;

/** Gives a connection the commands of a remote gallery. */
export function withRemoteCommands(redis: GalleryRedis): RemoteRedis {
  for (const [name, script] of Object.entries(SCRIPTS)) redis.defineCommand(name, script);
  return redis as RemoteRedis;
}

/** Ids in a command, and in a call of {@link Commands.readPeople} and `noteDone`: Lua unpacks some thousand words at most. */
export const MOST_WORDS = 1000;

/**
 * Makes a step: all of the commands, or none where a field is no longer as it was read.
 * @param evenWhenFull also when Redis is at its limit of memory: to delete something
 * @returns whether it was made
 */
export async function commit(
  redis: RemoteRedis,
  spare: string,
  checks: readonly Check[],
  commands: readonly (readonly Word[])[],
  evenWhenFull = false,
): Promise<boolean> {
  const read = checks.map((check) =>
    'members' in check
      ? ['members', check.key, ...check.members]
      : ['field', check.key, check.field, ...(check.was === null ? [] : [check.was])],
  );
  const packed = [packWords(read), ...packInParts(commands)];
  return (await redis.commitStep(spare, evenWhenFull ? '1' : '0', ...packed)) === 1;
}
