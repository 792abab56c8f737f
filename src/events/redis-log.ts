import { randomUUID } from 'node:crypto';
import {
  openRedis,
  REDIS_PATIENCE,
  type RedisSettings,
  runEvenWhenFull,
  untilReady,
} from '../platform/redis.js';
import { createDamage, type Damage } from '../platform/files/damage.js';
import { type EventLog, LONGEST_OPEN, startOf } from './log.js';
import { compareIds, formatStreamPlace, idOr, parseStreamPlace } from './redis-position.js';
import { followStream, type StreamKeys, toLogged } from './redis-reader.js';
import { parseWorkerPosition } from './worker-position.js';

/** The newest entries, which are looked through for open changes. */
const RECENT = 10_000;
/** Entries read at a time. */
const READ = 256;
/** Entries that one round of trimming looks at. */
const TRIMMED_AT_ONCE = 10_000;

/** The keys of one prefix; the braces keep them in one slot of a cluster. */
export function streamKeys(prefix: string): StreamKeys {
  return {
    stream: `{${prefix}}:events`,
    state: `{${prefix}}:events:state`,
    workers: `{${prefix}}:events:workers`,
  };
}

/**
 * The log of several machines: a stream, as durable as Redis is configured to be (docs/events.md).
 * @param trouble called with why Redis cannot be reached, and with `undefined` when it can be again
 */
export function createRedisLog(
  settings: RedisSettings,
  trouble: (reason: string | undefined) => void,
  damage: Damage = createDamage(() => undefined),
): EventLog {
  const keys = streamKeys(settings.prefix);
  const redis = openRedis(settings, 'commands', trouble);

  const redisTime = async () => (await redis.time())[0] * 1000;

  /** Made once in the stream's life: if it differs, the data were lost and positions are invalid. */
  async function generationOf(): Promise<string> {
    await runEvenWhenFull(redis, keys.state, ['HSETNX', keys.state, 'generation', randomUUID()]);
    return (await redis.hget(keys.state, 'generation')) ?? '';
  }

  /** The oldest ID that age and length allow. */
  async function bound(maxAge: number, maxLength: number): Promise<string> {
    const byAge = `${Math.max(0, (await redisTime()) - maxAge)}-0`;
    const surplus = (await redis.xlen(keys.stream)) - maxLength;
    if (surplus <= 0) return byAge;
    const oldest = await redis.xrange(keys.stream, '-', '+', 'COUNT', Math.min(surplus, TRIMMED_AT_ONCE) + 1);
    const byLength = oldest.at(-1)?.[0] ?? byAge;
    return compareIds(byAge, byLength) > 0 ? byAge : byLength;
  }

  /** Renames a key of the log that holds another type of value, so that the log can start again. */
  async function setAsideForeign(): Promise<void> {
    for (const [key, kind] of [
      [keys.stream, 'stream'],
      [keys.state, 'hash'],
      [keys.workers, 'hash'],
    ]) {
      const found = await redis.type(key);
      if (found === kind || found === 'none') continue;
      const aside = `${key}:set-aside:${Date.now()}`;
      if (!(await redis.renamenx(key, aside).catch(() => 0))) continue;
      damage.report(
        key,
        `it held a ${found} where the event log keeps a ${kind}; it was renamed to ${aside}`,
      );
      // Positions in the old stream are invalid: every worker compares with the store.
      if (key === keys.stream) await redis.del(keys.state);
    }
  }

  async function start(): Promise<string> {
    await untilReady(redis, REDIS_PATIENCE);
    await setAsideForeign();
    const current = await generationOf();
    const now = await redisTime();
    // The end first, so that what is appended while the entries are read is followed.
    const last = (await redis.xrevrange(keys.stream, '+', '-', 'COUNT', 1)).at(0);
    const trimmed = idOr((await redis.hget(keys.state, 'trimmed')) ?? '');
    const end = formatStreamPlace({ generation: current, id: last ? last[0] : trimmed });
    const newest = await redis.xrevrange(keys.stream, '+', now - LONGEST_OPEN, 'COUNT', RECENT);
    return startOf(toLogged(newest.reverse(), current), end, now);
  }

  return {
    kind: 'redis',

    async append(events, { evenWhenFull = false } = {}) {
      // Sent in one go; Redis answers in order.
      const added = [events].flat().map((event) => {
        const text = JSON.stringify(event);
        return evenWhenFull
          ? runEvenWhenFull(redis, keys.stream, ['XADD', keys.stream, '*', 'event', text])
          : redis.xadd(keys.stream, '*', 'event', text);
      });
      await Promise.all(added);
    },

    start,

    async since(position) {
      const from = parseStreamPlace(position);
      if (!from) return [];
      const entries = await redis.xrevrange(keys.stream, '+', `(${from.id}`, 'COUNT', RECENT);
      return toLogged(entries.reverse(), from.generation).map(({ event }) => event);
    },

    async read(position) {
      await untilReady(redis, REDIS_PATIENCE);
      const from = parseStreamPlace(position);
      const generation = await generationOf();
      const isSame = from?.generation === generation;
      const after = isSame ? from.id : '0-0';
      const found = await redis.xrange(keys.stream, `(${after}`, '+', 'COUNT', READ);
      // Asked after the entries, so that no trimming slips in between.
      const trimmed = idOr((await redis.hget(keys.state, 'trimmed')) ?? '');
      const last = found.at(-1)?.[0] ?? after;
      return {
        entries: toLogged(found, generation),
        next: formatStreamPlace({ generation, id: last }),
        isLost: !isSame || compareIds(after, trimmed) < 0,
      };
    },

    follow: (position, listener) => followStream({ settings, keys, position, listener, start, damage }),

    async register(worker, position, ttl) {
      const expires = (await redisTime()) + ttl;
      const text = JSON.stringify({ position, expires });
      await runEvenWhenFull(redis, keys.workers, ['HSET', keys.workers, worker, text]);
    },

    async unregister(worker) {
      await redis.hdel(keys.workers, worker);
    },

    async trim({ maxAge, maxLength }) {
      let until = await bound(maxAge, maxLength);
      const now = await redisTime();
      for (const [worker, text] of Object.entries(await redis.hgetall(keys.workers))) {
        const known = parseWorkerPosition(text, now);
        const place = known && parseStreamPlace(known.position);
        if (!known || !place) {
          const reason = 'it does not say how far a worker has read; it was removed';
          damage.report(`${keys.workers} ${worker}`, reason);
          await redis.hdel(keys.workers, worker);
          continue;
        }
        if (known.expires < now) await redis.hdel(keys.workers, worker);
        else if (compareIds(place.id, until) < 0) until = place.id;
      }
      // Nothing is before it, and Redis takes no such interval.
      if (until === '0-0') return;
      const last = (await redis.xrevrange(keys.stream, `(${until}`, '-', 'COUNT', 1)).at(0);
      if (!last) return;
      // Recorded first, so that a reader that is further behind notices.
      await runEvenWhenFull(redis, keys.state, ['HSET', keys.state, 'trimmed', last[0]]);
      await redis.xtrim(keys.stream, 'MINID', until);
    },

    close: () => {
      redis.disconnect();
      return Promise.resolve();
    },
  };
}
