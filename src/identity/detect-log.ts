import type { FastifyBaseLogger } from 'fastify';
import { quietMessage } from '../platform/quiet-error.js';
import { openRedis, type RedisSettings } from '../platform/redis.js';

/** Results under way to Redis at a time; what comes on top is dropped, so that a slow Redis costs no memory. */
const MOST_UNDER_WAY = 1000;
/** A person who stays before a camera renews the list's expiry at each frame: only the last so many are kept. */
const LONGEST_LIST = 1000;
/** It becomes part of a key. */
const DEVICE_ID = /^[0-9A-Za-z_.:-]{0,64}$/;

export interface DetectLogOptions {
  /** The same as for events and embeddings. */
  redis: Omit<RedisSettings, 'prefix'>;
  /** Number of the Redis database, in the place of the URL's; the original's default is 2. */
  database: number;
  /** Seconds after the last result until a list is gone. */
  expire: number;
  log: Pick<FastifyBaseLogger, 'warn' | 'info'>;
}

/** How the log does, for status and metrics. */
export interface DetectLogInfo {
  written: number;
  /** Not written: Redis was away or slow, or the device ID was not fit. */
  dropped: number;
  connected: boolean;
}

export type DetectLog = ReturnType<typeof createDetectLog>;

/**
 * Writes who was recognised to Redis, as maiface does: the list `<deviceid>_<faceid>` holds the distances (squared
 * L2, six decimals), newest last, and expires. It never slows or fails a recognition: nothing waits for it, and what
 * Redis does not take is counted and dropped.
 * @throws KaomonError SETUP when the URL is none that is known here, or of a cluster, which has no databases
 */
export function createDetectLog({ redis: settings, database, expire, log }: DetectLogOptions) {
  const counts = { written: 0, dropped: 0 };
  let underWay = 0;
  let complained = false;
  let closed = false;

  // Nothing piles up while Redis is away: commands fail at once.
  const redis = openRedis({ ...settings, database }, 'commands', (reason) => {
    if (reason !== undefined) complain(reason);
    else {
      if (complained) log.info('Redis takes the detection results again');
      complained = false;
    }
  });

  /** Once until it works again: a camera would fill the log within minutes. */
  function complain(reason: string): void {
    if (complained || closed) return;
    complained = true;
    log.warn({ reason }, 'Detection results cannot be written to Redis; recognition goes on without');
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
      complain(quietMessage(error));
    } finally {
      underWay -= 1;
    }
  }

  return {
    /**
     * Returns at once.
     * @param deviceid as the caller gave it; may be empty
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

    /** Drops what is under way. */
    close(): Promise<void> {
      closed = true;
      redis.disconnect();
      return Promise.resolve();
    },
  };
}
