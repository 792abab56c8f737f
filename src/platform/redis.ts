/** Connections to Redis: one server, a group kept by Sentinel, or a cluster, all named by one URL. */
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { onAbort } from './abort.js';
import { KaomonError } from './errors.js';
import { quietMessage } from './quiet-error.js';

export interface RedisSettings {
  /**
   * `redis://user:password@host:6379/0`, `rediss://` over TLS, `redis+sentinel://host:26379,host2:26379/mymaster/0`,
   * `redis+cluster://host:7000,host2:7001` (with `rediss+` over TLS).
   */
  url: string;
  /** Overrides the one in the URL; empty: does not. */
  password: string;
  /** Password of the sentinels; empty: none. */
  sentinelPassword: string;
  /** Certificate (PEM) that signed the server's; empty: the public ones. */
  ca: string;
  /** First part of every key. All keys of one prefix lie in one slot of a cluster. */
  prefix: string;
}

export type RedisConnection = (Redis | Cluster) & Commands;

/** Our scripts, which every connection has as commands. */
interface Commands {
  /** @param spare a key that never exists, in the same slot of a cluster */
  evenWhenFull(key: string, spare: string, ...words: (string | number)[]): Promise<unknown>;
}

/** Commands that are not answered within this time fail, milliseconds, because a caller waits. */
const COMMAND_TIMEOUT = 3000;
const CONNECT_TIMEOUT = 3000;
/** Between two attempts to connect, milliseconds. */
const RETRY = { first: 50, longest: 1000 };

interface Target {
  tls: boolean;
  kind: 'single' | 'sentinel' | 'cluster';
  hosts: { host: string; port: number }[];
  name: string;
  db: number;
  username: string;
  password: string;
}

/** @throws KaomonError SETUP when the URL has none of the known forms */
function parseRedisUrl(url: string): Target {
  const pattern = /^redis(s?)(?:\+(sentinel|cluster))?:\/\/(?:([^@/]*)@)?([^/?]+)(?:\/([^?]*))?$/;
  const [, tls = '', kind = 'single', login = '', places = '', path = ''] = pattern.exec(url) ?? [];
  const parts = path.split('/').filter(Boolean);
  const name = kind === 'sentinel' ? (parts.shift() ?? 'mymaster') : '';
  const db = Number(parts.shift() ?? 0);
  const standard = kind === 'sentinel' ? 26379 : 6379;
  const hosts = places.split(',').map((place) => {
    const [, host = '', port = standard] = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(place) ?? [];
    return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
  });
  const colon = login.indexOf(':');
  const username = colon < 0 ? login : login.slice(0, colon);
  const isGood =
    hosts.every(({ host, port }) => host && port > 0 && port < 65536) &&
    Number.isInteger(db) &&
    parts.length === 0;
  if (!pattern.test(url) || !isGood || (kind === 'single' && hosts.length > 1)) {
    throw new KaomonError(
      'SETUP',
      'REDIS_URL is not usable: it looks like redis://host:6379, rediss:// over TLS, redis+sentinel://host:26379/mymaster or redis+cluster://host:7000,host2:7000.',
    );
  }
  return {
    tls: tls === 's',
    kind: kind as Target['kind'],
    hosts,
    name,
    db,
    username: decodeURIComponent(username),
    password: colon < 0 ? '' : decodeURIComponent(login.slice(colon + 1)),
  };
}

/** A connection's settings. */
export interface ConnectionSettings extends Omit<RedisSettings, 'prefix'> {
  /** Number of the database, instead of the URL's. */
  database?: number;
}

/**
 * Opens a connection that reconnects by itself. While it is broken, commands fail at once.
 * @param purpose blocking: for a command that waits for news, on a connection of its own
 * @param trouble called with every failure of the connection, and with `undefined` when it is ready
 * @throws KaomonError SETUP
 */
export function openRedis(
  settings: ConnectionSettings,
  purpose: 'commands' | 'blocking',
  trouble: (reason: string | undefined) => void,
): RedisConnection {
  const target = parseRedisUrl(settings.url);
  const { database: db = target.db } = settings;
  if (target.kind === 'cluster' && db !== 0) {
    throw new KaomonError(
      'SETUP',
      `A Redis cluster has the database 0 only, not ${db}: see REDIS_URL and DETECT_IDX.`,
    );
  }
  const password = settings.password || target.password;
  const retry = (attempt: number) => Math.min(RETRY.first * 2 ** attempt, RETRY.longest);
  const common: RedisOptions = {
    username: target.username || undefined,
    password: password || undefined,
    tls: target.tls ? { ca: settings.ca || undefined } : undefined,
    db,
    // Redis 5 knows no other; nothing of protocol 3 is used.
    protocol: 2,
    connectTimeout: CONNECT_TIMEOUT,
    // A blocking command is bounded by its own caller.
    commandTimeout: purpose === 'commands' ? COMMAND_TIMEOUT : undefined,
    // A command in progress when the connection breaks fails at once.
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // The caller learns of a command without a reply and decides whether to repeat it.
    autoResendUnfulfilledCommands: false,
    retryStrategy: retry,
  };
  const connection = connect(target, common, settings.sentinelPassword, retry) as RedisConnection;
  connection.defineCommand('evenWhenFull', { numberOfKeys: 2, lua: EVEN_WHEN_FULL });
  connection.on('error', (error: Error) => trouble(quietMessage(error)));
  connection.on('close', () => trouble('the connection is closed'));
  connection.on('ready', () => trouble(undefined));
  return connection;
}

function connect(
  { kind, hosts, name }: Target,
  common: RedisOptions,
  sentinelPassword: string,
  retry: (attempt: number) => number,
): Redis | Cluster {
  if (kind === 'cluster') {
    return new Cluster(hosts, {
      redisOptions: common,
      enableOfflineQueue: false,
      clusterRetryStrategy: retry,
    });
  }
  if (kind === 'sentinel') {
    return new Redis({
      ...common,
      sentinels: hosts,
      name,
      sentinelPassword: sentinelPassword || undefined,
      sentinelTLS: common.tls,
      enableTLSForSentinelMode: common.tls !== undefined,
      sentinelRetryStrategy: retry,
    });
  }
  return new Redis({ ...common, ...hosts[0] });
}

/**
 * Resolves when commands can be sent.
 * @param signal gives up: a connection that is closed between two attempts emits nothing
 * @throws when that takes longer than `within`, milliseconds
 */
export async function untilReady(
  connection: RedisConnection,
  within: number,
  signal?: AbortSignal,
): Promise<void> {
  signal?.throwIfAborted();
  if (connection.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    const settle = (end: () => void) => () => {
      clearTimeout(timer);
      connection.off('ready', ready);
      stopListening();
      end();
    };
    const ready = settle(resolve);
    const stopListening = onAbort(
      signal,
      settle(() => reject(new Error('The connection to Redis was ended.'))),
    );
    const timer = setTimeout(
      settle(() => reject(new Error('Redis does not answer.'))),
      within,
    );
    connection.once('ready', ready);
  });
}

/** Redis lets a script that has begun to write go on even when memory is full (since 2.6). KEYS: the command's, a spare. */
const EVEN_WHEN_FULL = `redis.call('DEL', KEYS[2]) return redis.call(unpack(ARGV))`;

/**
 * Runs a command even when Redis is at its memory limit: for the little that must be written to delete something.
 * @param key the command's, which `words` contain, too
 */
export async function runEvenWhenFull(
  connection: RedisConnection,
  key: string,
  words: readonly (string | number)[],
): Promise<unknown> {
  return await connection.evenWhenFull(key, `${key}:none`, ...words);
}

/** Whether Redis is at its memory limit and must not evict anything; false where it does not say. */
export async function isRedisFull(connection: RedisConnection): Promise<boolean> {
  if (connection instanceof Cluster) return false;
  const info = await connection.info('memory');
  const figure = (name: string) => new RegExp(`^${name}:(\\S+)`, 'm').exec(info)?.[1] ?? '';
  const most = Number(figure('maxmemory'));
  return (
    most > 0 && Number(figure('used_memory')) >= most && !figure('maxmemory_policy').startsWith('allkeys')
  );
}

/** How long a start waits for Redis, milliseconds. */
export const REDIS_PATIENCE = 5000;
