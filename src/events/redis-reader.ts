import { Cluster } from 'ioredis';
import { quietMessage } from '../platform/quiet-error.js';
import {
  openRedis,
  REDIS_PATIENCE,
  type RedisConnection,
  type RedisSettings,
  untilReady,
} from '../platform/redis.js';
import { createNotifier } from './notifier.js';
import type { Damage } from '../platform/files/damage.js';
import { decodeEvent, isCorrupt } from './event-text.js';
import type { Following, LoggedEvent, LogListener } from './log.js';
import {
  compareIds,
  formatStreamPlace,
  idBefore,
  idOr,
  parseStreamPlace,
  type StreamPlace,
} from './redis-position.js';

export interface StreamKeys {
  stream: string;
  /** A hash: the stream's generation, the last ID that was trimmed away. */
  state: string;
  /** A hash: how far each running worker is. */
  workers: string;
}

/** How long one XREAD waits for news, milliseconds. */
const BLOCK = 2000;
/** A connection that is silent for this much longer is dead, milliseconds. */
const GRACE = 3000;
/** Entries read at a time. */
const COUNT = 256;
/** Before the next try, milliseconds. */
const PAUSE = 200;

type Entry = [id: string, fields: string[]];

/** Entries as ioredis gives them. One that cannot be read (of another version) is left out. */
export function toLogged(entries: readonly Entry[], generation: string): LoggedEvent[] {
  return entries.flatMap(([id, [, text]]) => {
    const event = decodeEvent(text);
    const before = formatStreamPlace({ generation, id: idBefore(id) });
    return event ? [{ id: formatStreamPlace({ generation, id }), before, event }] : [];
  });
}

export interface FollowOptions {
  settings: RedisSettings;
  keys: StreamKeys;
  position: string;
  listener: LogListener;
  /** As `EventLog.start`. */
  start: () => Promise<string>;
  /** Gets what cannot be read. */
  damage: Damage;
}

/** Follows the stream on a connection of its own; see `EventLog.follow`. */
export function followStream({
  settings,
  keys,
  position,
  listener,
  start,
  damage,
}: FollowOptions): Following {
  const notifier = createNotifier();
  const stopping = new AbortController();
  const isStopped = () => stopping.signal.aborted;
  const redis = openRedis(settings, 'blocking', (reason) => {
    if (!isStopped()) listener.trouble(reason);
  });
  let place = parseStreamPlace(position);
  let server: string | undefined;
  let hasReached = false;

  async function read(from: StreamPlace): Promise<Entry[]> {
    const timer = setTimeout(() => redis.disconnect(true), BLOCK + GRACE);
    try {
      // Until the end is reached the first time: somebody waits to hear of it.
      const reply = hasReached
        ? await redis.xread('COUNT', COUNT, 'BLOCK', BLOCK, 'STREAMS', keys.stream, from.id)
        : await redis.xread('COUNT', COUNT, 'STREAMS', keys.stream, from.id);
      return reply?.[0]?.[1] ?? [];
    } finally {
      clearTimeout(timer);
    }
  }

  /** Whether entries after the place may have gone unread. Asked after a read, so that no trimming slips in between. */
  async function isLost(from: StreamPlace): Promise<boolean> {
    const [generation, trimmed] = await redis.hmget(keys.state, 'generation', 'trimmed');
    const running = await serverRun(redis);
    // A server that was restarted, or another that took over, may have lost its newest entries.
    const isAnother = server !== undefined && running !== server;
    server = running;
    return isAnother || generation !== from.generation || compareIds(from.id, idOr(trimmed ?? '')) < 0;
  }

  async function step(): Promise<void> {
    await untilReady(redis, REDIS_PATIENCE, stopping.signal);
    const entries = place ? await read(place) : [];
    if (!place || (await isLost(place))) {
      const next = await start();
      await listener.lost(next);
      place = parseStreamPlace(next);
      return;
    }
    const last = entries.at(-1);
    if (!last) {
      hasReached = true;
      listener.reached();
      return;
    }
    const batch = toLogged(entries, place.generation);
    if (batch.length > 0) await listener.events(batch);
    const corrupt = entries.find(([, [, text = '']]) => isCorrupt(text));
    if (corrupt) {
      damage.report(`${keys.stream} ${corrupt[0]}`, 'it is not an event; it is passed over');
      // Its change can be found in the store.
      await listener.lost(formatStreamPlace({ ...place, id: last[0] }));
    }
    place = { ...place, id: last[0] };
  }

  async function run(): Promise<void> {
    while (!isStopped()) {
      try {
        await step();
      } catch (error) {
        if (isStopped()) return;
        listener.trouble(quietMessage(error));
        // One of the keys now holds something else: `start` starts again.
        if (String(error).includes('WRONGTYPE')) place = undefined;
        await notifier.wait(PAUSE);
        if (redis.status === 'ready') listener.trouble(undefined);
      }
    }
  }

  const running = run();
  return {
    async close() {
      stopping.abort();
      notifier.notify();
      redis.disconnect();
      await running;
    },
  };
}

/** Which run of which server answers; always the same on a cluster, whose nodes replace each other. */
async function serverRun(redis: RedisConnection): Promise<string> {
  if (redis instanceof Cluster) return '';
  return /run_id:(\w+)/.exec(await redis.info('server'))?.[1] ?? '';
}
