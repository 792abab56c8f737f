import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { onAbort } from '../platform/abort.js';
import {
  openRedis,
  REDIS_PATIENCE,
  type RedisSettings,
  runEvenWhenFull,
  untilReady,
} from '../platform/redis.js';
import { type Cursor, type Cursors, parseCursor } from './cursors.js';
import type { Leadership } from './leadership.js';

/**
 * How long a turn lasts without being renewed, and how often it is, milliseconds. A process that stands still for longer
 * loses its turn: what it was sending is sent again by the next.
 */
const TURN = { lasts: 4000, renewed: 1000 };

/** Takes or renews a turn. KEYS: the turn's; ARGV: whose, milliseconds. */
const TAKE = `
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1`;
const GIVE = `if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end return 1`;

/** Cursors of several machines in one hash, and whose turn it is to deliver. */
export function createRedisCursors(settings: RedisSettings): Cursors & { lead: Leadership } {
  const hash = `{${settings.prefix}}:notices`;
  const turn = `{${settings.prefix}}:notices:turn`;
  const redis = openRedis(settings, 'commands', () => undefined);
  const me = randomUUID();

  /** Resolves when the turn is over: ended, or lost to somebody else. */
  async function renew(signal: AbortSignal): Promise<void> {
    let until = performance.now() + TURN.lasts;
    while (!signal.aborted && performance.now() < until) {
      const begun = performance.now();
      const isMine = await redis.eval(TAKE, 1, turn, me, TURN.lasts).catch(() => undefined);
      if (isMine === 0) return;
      if (isMine === 1) until = begun + TURN.lasts;
      await sleep(TURN.renewed, undefined, { signal }).catch(() => undefined);
    }
  }

  return {
    async load(key) {
      const text = await redis.hget(hash, key);
      return text === null ? undefined : parseCursor(text);
    },
    async save(key, cursor) {
      await runEvenWhenFull(redis, hash, ['HSET', hash, key, JSON.stringify(cursor)]);
    },
    async all() {
      const found = new Map<string, Cursor>();
      for (const [key, text] of Object.entries(await redis.hgetall(hash))) {
        const cursor = parseCursor(text);
        if (cursor) found.set(key, cursor);
      }
      return found;
    },
    async remove(key) {
      await redis.hdel(hash, key);
    },

    async lead(work, { signal, pause }) {
      while (!signal.aborted) {
        await untilReady(redis, REDIS_PATIENCE, signal);
        if ((await redis.eval(TAKE, 1, turn, me, TURN.lasts)) !== 1) {
          await sleep(pause, undefined, { signal }).catch(() => undefined);
          continue;
        }
        const over = new AbortController();
        const end = () => over.abort();
        const stopListening = onAbort(signal, end);
        try {
          const working = work(over.signal);
          await Promise.race([renew(over.signal), working]);
          end();
          await working;
        } finally {
          stopListening();
          await redis.eval(GIVE, 1, turn, me).catch(() => undefined);
        }
      }
    },
    close: () => redis.disconnect(),
  };
}
