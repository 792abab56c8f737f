/** Opens a gallery's store, and says where its log is, as the settings do. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { LogSettings } from '../events/open-log.js';
import { KaomonError } from '../platform/errors.js';
import { createDamage, type Damage } from '../platform/files/damage.js';
import type { RedisSettings } from '../platform/redis.js';
import type { Config } from '../settings/config.js';
import { acrossPacks } from './store/across-packs.js';
import { EVENTS } from './store/file-layout.js';
import { createFileStore } from './store/file-store.js';
import type { RemoteStore } from './remote/remote-store.js';
import type { VectorIndex } from './index/vector-index.js';
import type { MilvusConfig } from './remote/milvus-client.js';
import type { EmbeddingStore } from './store/store.js';

/** What says where a gallery and its log are. */
export type StoreConfig = Pick<
  Config,
  | 'EMBEDDING_STORE'
  | 'EMBEDDINGS_DIR'
  | 'EVENT_LOG'
  | 'REDIS_URL'
  | 'REDIS_PASSWORD'
  | 'REDIS_SENTINEL_PASSWORD'
  | 'REDIS_CA'
  | 'REDIS_PREFIX'
> & {
  /** `milvus`: people are in Redis and vectors in Milvus. Left out: a store alone. */
  INDEX?: Config['INDEX'];
} & Partial<MilvusConfig>;

/** Undefined where there is none. */
export async function logSettings(config: StoreConfig): Promise<LogSettings | undefined> {
  if (config.EVENT_LOG === 'none') return undefined;
  if (config.EVENT_LOG === 'file') return { kind: 'file', folder: path.join(config.EMBEDDINGS_DIR, EVENTS) };
  return { kind: 'redis', redis: await redisSettings(config) };
}

/**
 * The store of one pack beside those of others, as the settings say; the caller closes it.
 * @param warn gets what is damaged, as a sentence or as a record of it
 * @throws KaomonError SETUP
 */
export async function openStore(
  config: StoreConfig,
  pack: string,
  length: number,
  warn: ((message: string) => void) | Damage,
): Promise<EmbeddingStore> {
  return acrossPacks(await openOne(config, pack, length, warn));
}

async function openOne(
  config: StoreConfig,
  pack: string,
  length: number,
  warn: ((message: string) => void) | Damage,
): Promise<EmbeddingStore> {
  const damage = typeof warn === 'function' ? createDamage(warn) : warn;
  const options = { pack, length, damage, warn: () => undefined };
  if (config.INDEX === 'milvus') return openRemote(config, { ...options, templates: undefined });
  if (config.EMBEDDING_STORE === 'file')
    return createFileStore({ folder: config.EMBEDDINGS_DIR, ...options });
  const { createRedisStore } = await import('./store/redis-store.js');
  return createRedisStore({ redis: await redisSettings(config), ...options });
}

/**
 * The store of a gallery on Milvus; the caller closes it.
 * @throws KaomonError SETUP
 */
export async function openRemote(
  config: StoreConfig,
  options: {
    pack: string;
    length: number;
    templates: boolean | undefined;
    index?: VectorIndex;
    isRestored?: boolean;
    damage: Damage;
    warn: (message: string) => void;
    note?: (message: string) => void;
  },
): Promise<RemoteStore> {
  const { openRemoteStore } = await import('./remote/open-remote.js');
  // The settings are all there where INDEX is.
  return openRemoteStore({
    ...options,
    config: config as MilvusConfig,
    redis: await redisSettings(config),
  });
}

/** How to reach Redis, whatever is stored there. @throws KaomonError SETUP */
export async function redisSettings(config: StoreConfig): Promise<RedisSettings> {
  const { REDIS_URL, REDIS_PASSWORD, REDIS_SENTINEL_PASSWORD, REDIS_CA, REDIS_PREFIX } = config;
  const ca = REDIS_CA
    ? await readFile(REDIS_CA, 'utf8').catch((cause: unknown) => {
        throw new KaomonError('SETUP', `REDIS_CA=${REDIS_CA} cannot be read.`, { cause });
      })
    : '';
  return {
    url: REDIS_URL,
    password: REDIS_PASSWORD,
    sentinelPassword: REDIS_SENTINEL_PASSWORD,
    ca,
    prefix: REDIS_PREFIX,
  };
}
