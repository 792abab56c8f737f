import { Redis } from 'ioredis';
import type { FastifyBaseLogger } from 'fastify';

/** Results under way to Redis at a time; what comes on top is dropped, so that a slow Redis costs no memory. */
const MOST_UNDER_WAY = 1000;
/** A person who stays before a camera renews the list's expiry at each frame: only the last so many are kept. */
const LONGEST_LIST = 1000;
/** Milliseconds. */
const COMMAND_TIMEOUT = 2000;
const CONNECT_TIMEOUT = 5000;
const LONGEST_PAUSE = 5000;
/** It becomes part of a key. */
const DEVICE_ID = /^[0-9A-Za-z_.:-]{0,64}$/;

export interface DetectLogOptions {
  /** `redis://` or `rediss://`, with password and database where wanted. */
  url: string;
  /** Redis database; the original's default is 2. */
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
 */
export function createDetectLog({ url, database, expire, log }: DetectLogOptions) {
  const counts = { written: 0, dropped: 0 };
  let underWay = 0;
  let complained = false;

  const redis = new Redis(url, {
    db: database,
    connectTimeout: CONNECT_TIMEOUT,
    commandTimeout: COMMAND_TIMEOUT,
    // Nothing piles up while Redis is away.
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    retryStrategy: (attempt) => Math.min(LONGEST_PAUSE, attempt * 200),
  });
  redis.on('error', complain);
  redis.on('ready', () => {
    if (complained) log.info('Redis takes the detection results again');
    complained = false;
  });

  /** Once until it works again: a camera would fill the log within minutes. */
  function complain(error: unknown): void {
    if (complained) return;
    complained = true;
    log.warn({ err: error }, 'Detection results cannot be written to Redis; recognition goes on without');
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
      complain(error);
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
      redis.disconnect();
      return Promise.resolve();
    },
  };
}
