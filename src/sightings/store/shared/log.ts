/** The changes of the sightings of several machines, in Redis: a stream, and a base that takes the place of what is old. */
import { randomUUID } from 'node:crypto';
import { obstacleOf } from '../../../platform/files/obstacles.js';
import { quietMessage } from '../../../platform/quiet-error.js';
import { openRedis, REDIS_PATIENCE, type RedisSettings, untilReady } from '../../../platform/redis.js';
import { createSharedLayout } from './layout.js';
import { BEGIN, fromText, isSame, type Place, toText } from './place.js';

/**
 * Appends a change where the machine that made it knew of all others. KEYS: last, log, bytes, erased, none; ARGV: the place
 * before and after, position after, the change, its mark and the one before, whether it erases (then also where memory is
 * full: Redis lets a script go on that has begun to write).
 */
const APPEND = `
if (redis.call('GET', KEYS[1]) or '0 ') ~= ARGV[1] then return -1 end
if ARGV[7] == '1' then redis.call('DEL', KEYS[5]) end
redis.call('XADD', KEYS[2], ARGV[3] .. '-0', 'change', ARGV[4], 'mark', ARGV[5], 'before', ARGV[6])
redis.call('SET', KEYS[1], ARGV[2])
if ARGV[7] == '1' then redis.call('SET', KEYS[4], ARGV[3]) end
return redis.call('INCRBY', KEYS[3], #ARGV[4])`;

/**
 * Puts a base in the place of all changes up to its own, if its file has everything that Redis has or is a part of that.
 * KEYS: last, log, bytes, base, none, the base's chunks; ARGV: place, position, the next position, key of the chunks, bytes,
 * whether it may only be the very first, the last place that Redis may have, mark, number of chunks.
 */
const REBASE = `
redis.call('DEL', KEYS[5])
local position = tonumber(ARGV[2])
local old = redis.call('HMGET', KEYS[4], 'position', 'key')
local isLate = old[1] and tonumber(old[1]) > position
local isSecond = ARGV[6] == '1' and redis.call('EXISTS', KEYS[1], KEYS[4]) > 0
local last = redis.call('GET', KEYS[1]) or '0 '
local isOther = false
if redis.call('LLEN', KEYS[6]) ~= tonumber(ARGV[9]) then return redis.error_reply('a part of the upload has expired') end
if last ~= ARGV[7] then
  local next = redis.call('XRANGE', KEYS[2], ARGV[3] .. '-0', ARGV[3] .. '-0')[1]
  isOther = not next or next[2][6] ~= ARGV[8]
end
if isLate or isSecond or isOther then redis.call('DEL', KEYS[6]) return 0 end
if tonumber(string.match(last, '^%d+')) < position then redis.call('SET', KEYS[1], ARGV[1]) end
redis.call('PERSIST', KEYS[6])
redis.call('HSET', KEYS[4], 'position', ARGV[2], 'key', ARGV[4], 'bytes', ARGV[5])
if old[2] and old[2] ~= ARGV[4] then redis.call('DEL', old[2]) end
redis.call('XTRIM', KEYS[2], 'MINID', ARGV[3] .. '-0')
redis.call('SET', KEYS[3], 0)
return 1`;

/** Adds a chunk to those of a base that is not there yet. KEYS: its chunks; ARGV: the chunk, how many come before, seconds */
const UPLOAD = `
if redis.call('LLEN', KEYS[1]) ~= tonumber(ARGV[2]) then return redis.error_reply('a part of the upload has expired') end
redis.call('RPUSH', KEYS[1], ARGV[1])
return redis.call('EXPIRE', KEYS[1], ARGV[3])`;

/** Removes what was uploaded, unless the base was put there and only its answer was lost. KEYS: base, its chunks */
const DISCARD = `if redis.call('HGET', KEYS[1], 'key') ~= KEYS[2] then redis.call('UNLINK', KEYS[2]) end`;

/** What is uploaded goes by itself when nothing is added to it for so long, seconds. */
const ABANDONED = 60;
/** Changes read at a time. */
const READ = 100;

export interface Change extends Place {
  /** The mark of the change before. */
  before: string;
  bytes: Buffer;
}

/**
 * What comes after a place. `gone`: it lies in the base alone; `behind`: Redis has lost what this machine knows, and is at
 * `last`; `other`: and has something else in its place.
 */
export type After =
  { kind: 'changes'; changes: Change[] } | { kind: 'gone' | 'other' } | { kind: 'behind'; last: Place };

/** What a base may take the place of, besides changes that its own file has. */
export interface Over {
  /** Nothing: only where nothing has been shared yet. */
  isFirst?: boolean;
  /** A last change that comes before the file's own place. */
  last?: Place;
}

export interface Base {
  /** Of the whole file. */
  bytes: number;
  chunks: AsyncIterable<Buffer>;
}

export type SharedLog = ReturnType<typeof openSharedLog>;

/** Redis does not answer, or has no room. */
export class LogAway extends Error {
  readonly code: string;

  constructor(cause: unknown) {
    super(quietMessage(cause));
    this.code = obstacleOf(cause) === 'redis full' ? 'REDIS_FULL' : 'REDIS_AWAY';
  }
}

/** Gives every method's failure as {@link LogAway}. */
function orAway<Methods extends Record<string, (...args: never[]) => unknown>>(methods: Methods): Methods {
  const wrapped = Object.entries(methods).map(([name, method]) => [
    name,
    (...args: never[]) => {
      const result = method(...args);
      return result instanceof Promise
        ? result.catch((error: unknown) => {
            throw new LogAway(error);
          })
        : result;
    },
  ]);
  return Object.fromEntries(wrapped) as Methods;
}

/** Every method fails with {@link LogAway} while Redis does not answer. */
export function openSharedLog(settings: RedisSettings, pack: string) {
  const keys = createSharedLayout(settings, pack);
  const redis = openRedis(settings, 'commands', () => undefined);
  let isReady: Promise<void> | undefined;

  /** A thread that has just begun waits for its connection; later a broken one fails at once. */
  async function ready(): Promise<void> {
    isReady ??= untilReady(redis, REDIS_PATIENCE);
    await isReady.catch(() => undefined);
  }

  return orAway({
    /** @returns bytes of all changes since the base; undefined: others have changed something since `from` */
    async append(from: Place, to: Place, change: Buffer, erases: boolean): Promise<number | undefined> {
      await ready();
      const { last, log, bytes, erased, none } = keys;
      const values = [toText(from), toText(to), to.position, change, to.mark, from.mark, erases ? '1' : '0'];
      const size = await redis.eval(APPEND, 5, last, log, bytes, erased, none, ...values);
      return size === -1 ? undefined : Number(size);
    },

    async after(place: Place): Promise<After> {
      await ready();
      // In this order: what is read includes all up to `last`, unless a base has taken its place.
      const last = fromText(await redis.get(keys.last));
      if (last.position < place.position) return { kind: 'behind', last };
      if (last.position === place.position)
        return isSame(last, place) ? { kind: 'changes', changes: [] } : { kind: 'other' };
      const next = place.position + 1;
      const rows = await redis.xrangeBuffer(keys.log, `${next}-0`, '+', 'COUNT', READ);
      const changes = rows.map(([id, [, bytes, , mark, , before]]): Change => {
        const position = Number(id.toString().split('-')[0]);
        return { position, bytes, mark: mark.toString(), before: before.toString() };
      });
      if (changes[0]?.position !== next) return { kind: 'gone' };
      if (changes[0].before !== place.mark) return { kind: 'other' };
      return { kind: 'changes', changes };
    },

    /** Redis's clock, milliseconds since 1970. */
    async time(): Promise<number> {
      await ready();
      return (await redis.time())[0] * 1000;
    },

    /** Whether no machine has ever shared anything. */
    async isEmpty(): Promise<boolean> {
      await ready();
      return (await redis.exists(keys.last, keys.base)) === 0;
    },

    /** @returns undefined where there is none */
    async base(): Promise<Base | undefined> {
      await ready();
      const [key, bytes] = await redis.hmget(keys.base, 'key', 'bytes');
      if (key === null || bytes === null) return undefined;
      async function* chunks() {
        for (let i = 0; ; i++) {
          const chunk = await redis.lindexBuffer(key ?? '', i);
          if (chunk === null) return;
          yield chunk;
        }
      }
      return { bytes: Number(bytes), chunks: chunks() };
    },

    /**
     * Puts a base there.
     * @returns whether it is the newest one
     */
    async rebase(
      place: Place,
      chunks: AsyncIterable<Buffer>,
      { isFirst = false, last: over = isFirst ? BEGIN : place }: Over = {},
    ): Promise<boolean> {
      const { last, log, bytes, base, none } = keys;
      const key = keys.chunks(randomUUID());
      let [sum, count] = [0, 0];
      try {
        for await (const chunk of chunks) {
          await redis.eval(UPLOAD, 1, key, chunk, count++, ABANDONED);
          sum += chunk.length;
        }
        const { position, mark } = place;
        const where = [isFirst ? '1' : '0', toText(over), mark, count];
        const values = [toText(place), position, position + 1, key, sum, ...where];
        return (await redis.eval(REBASE, 6, last, log, bytes, base, none, key, ...values)) === 1;
      } catch (error) {
        // At once: where memory is short, the next attempt would find less.
        await redis.eval(DISCARD, 2, base, key).catch(() => undefined);
        throw error;
      }
    },

    /** Whether something was erased that changes or base still hold. */
    async holdsErased(): Promise<boolean> {
      const [erased, base] = await Promise.all([redis.get(keys.erased), redis.hget(keys.base, 'position')]);
      return Number(erased ?? 0) > Number(base ?? 0);
    },

    /** Whether it is this process's turn to make a base. @param lasts milliseconds, unless `rest` says otherwise */
    turn: async (lasts: number): Promise<boolean> =>
      (await redis.set(keys.turn, '1', 'PX', lasts, 'NX')) === 'OK',
    /** Nobody makes a base for so long, milliseconds; 0: whoever comes next may. */
    async rest(pause: number): Promise<void> {
      await redis.pexpire(keys.turn, pause);
    },

    close: () => redis.disconnect(),
  });
}
