import type { FastifyBaseLogger } from 'fastify';
import { Cluster } from 'ioredis';
import { quietMessage } from '../platform/quiet-error.js';
import { openRedis, type RedisSettings } from '../platform/redis.js';
import { DEVICE_ID } from './device-id.js';

/** The most results on their way to Redis; more are dropped, so that a slow Redis takes no memory. */
const MOST_UNDER_WAY = 1000;
/** The longest list: somebody who stays in front of a camera renews its expiry with each frame. */
const LONGEST_LIST = 1000;

/** Keys that Redis looks at at a time. */
const SCANNED = 1000;

export interface DetectLogOptions {
  /** The same as for events and embeddings. */
  redis: Omit<RedisSettings, 'prefix'>;
  /** The Redis database to use instead of the URL's; maiface's default is 2. */
  database: number;
  /** A list is deleted so long after its last result, seconds. */
  expire: number;
  log: Pick<FastifyBaseLogger, 'warn' | 'info'>;
}

/** For status and metrics. */
export interface DetectLogInfo {
  written: number;
  /** Not written: Redis could not be reached or was slow, or the device ID was not valid. */
  dropped: number;
  connected: boolean;
}

export type DetectLog = ReturnType<typeof createDetectLog>;

/**
 * Writes who was identified to Redis, as maiface does: the list `<deviceid>_<faceid>` holds the distances (squared L2, six
 * decimals), newest last, and expires. It never slows or fails an identification: nothing waits for it, and what Redis
 * does not take is counted and dropped.
 * @throws KaomonError SETUP when the URL is not valid, or is a cluster's, which has no databases
 */
export function createDetectLog({ redis: settings, database, expire, log }: DetectLogOptions) {
  const counts = { written: 0, dropped: 0 };
  let underWay = 0;
  let warned = false;
  let closed = false;

  // Commands fail at once while Redis cannot be reached, so that nothing piles up.
  const redis = openRedis({ ...settings, database }, 'commands', (reason) => {
    if (reason !== undefined) warn(reason);
    else {
      if (warned) log.info('Detection results are written to Redis again');
      warned = false;
    }
  });

  /** Warns once until it works again: a camera would fill the log within minutes. */
  function warn(reason: string): void {
    if (warned || closed) return;
    warned = true;
    log.warn({ reason }, 'Detection results cannot be written to Redis; identification goes on without them');
  }

  async function write(key: string, distance: number): Promise<void> {
    underWay += 1;
    try {
      const value = String(Math.round(distance * 1e6) / 1e6);
      const answers = await redis
        .multi()
        .rpush(key, value)
        .ltrim(key, -LONGEST_LIST, -1)
        .expire(key, expire)
        .exec();
      const failed = answers?.find(([error]) => error)?.[0];
      if (!answers || failed) throw failed ?? new Error('Redis dropped the transaction.');
      counts.written += 1;
    } catch (error) {
      counts.dropped += 1;
      warn(quietMessage(error));
    } finally {
      underWay -= 1;
    }
  }

  /** The keys of the lists that end in one of these people's IDs. A camera's ID may have an underline, too. */
  async function listsOf(faceids: ReadonlySet<string>): Promise<string[]> {
    const servers = redis instanceof Cluster ? redis.nodes('master') : [redis];
    const found: string[] = [];
    for (const server of servers)
      for (let at = ''; at !== '0';) {
        const [next, keys] = await server.scan(at || '0', 'MATCH', '*_*-*', 'COUNT', SCANNED);
        at = next;
        for (const key of keys)
          for (let i = key.indexOf('_'); i >= 0; i = key.indexOf('_', i + 1))
            if (faceids.has(key.slice(i + 1))) found.push(key);
      }
    return found;
  }

  return {
    /**
     * Erases the lists of people who are gone. What cannot be erased now expires.
     * @returns how many; undefined: Redis cannot be reached
     */
    async erase(faceids: readonly string[]): Promise<number | undefined> {
      try {
        const lists = await listsOf(new Set(faceids));
        for (const key of lists) await redis.del(key);
        return lists.length;
      } catch (error) {
        warn(quietMessage(error));
        return undefined;
      }
    },

    /**
     * Returns at once.
     * @param deviceid the caller's; may be empty
     * @param distance squared L2
     */
    record(deviceid: string, faceid: string, distance: number): void {
      if (redis.status !== 'ready' || underWay >= MOST_UNDER_WAY || !DEVICE_ID.test(deviceid)) {
        counts.dropped += 1;
        return;
      }
      void write(`${deviceid}_${faceid}`, Math.max(0, distance));
    },

    info: (): DetectLogInfo => ({ ...counts, connected: redis.status === 'ready' }),

    /** Drops results that are on their way. */
    close(): Promise<void> {
      closed = true;
      redis.disconnect();
      return Promise.resolve();
    },
  };
}
