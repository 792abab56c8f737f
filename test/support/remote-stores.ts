import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import type { VectorEngine } from '../../src/gallery/remote/engine.js';
import { openMilvus } from '../../src/gallery/remote/milvus-engine.js';
import { createRemoteStore, type RemoteStore } from '../../src/gallery/remote/remote-store.js';
import type { RedisSettings } from '../../src/platform/redis.js';
import { loadConfig } from '../../src/settings/config.js';

/** Opens the vectors of a pack. */
export type OpenEngine = (
  pack: string,
  length: number,
  expected: () => Promise<number>,
) => Promise<VectorEngine>;

interface RemoteOptions {
  pack?: string;
  length?: number;
  templates?: boolean;
  warn?: (message: string) => void;
  most?: number;
}

/** A store in Redis and an engine, with a tail to be searched; the caller closes it. */
export async function openRemoteStore(
  redis: RedisSettings,
  openEngine: OpenEngine,
  { pack = 'tiny', length = 8, templates = true, warn, most }: RemoteOptions = {},
): Promise<RemoteStore> {
  return createRemoteStore({
    ...{ redis, pack, length, templates, openEngine },
    warn: warn ?? (() => undefined),
    index: createExactIndex(length),
    ...{ late: 50, most },
  });
}

let milvus: (() => Promise<Record<string, string>>) | undefined;

/** From now on the contracts run over Milvus alone. @param env the settings by which it is reached */
export function overMilvus(env: () => Promise<Record<string, string>>): void {
  milvus = env;
}

export const isOverMilvus = (): boolean => milvus !== undefined;

/** The settings of the Milvus that {@link overMilvus} was given. */
export async function milvusSettings(): Promise<Record<string, string>> {
  if (!milvus) throw new Error('These tests are not over Milvus.');
  return { EMBEDDING_STORE: 'redis', EVENT_LOG: 'redis', ...(await milvus()) };
}

export const openInMilvus: OpenEngine = async (pack, length) => {
  const config = loadConfig(await milvusSettings());
  return openMilvus({ config, pack, length, warn: () => undefined });
};
