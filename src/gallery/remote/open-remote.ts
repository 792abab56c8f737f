/** Opens a store on Redis and Milvus, as the settings say. */
import type { Damage } from '../../platform/files/damage.js';
import type { RedisSettings } from '../../platform/redis.js';
import type { VectorIndex } from '../index/vector-index.js';
import { acrossPacks } from '../store/across-packs.js';
import type { MilvusConfig } from './milvus-client.js';
import { openMilvus } from './milvus-engine.js';
import { createRemoteStore, type RemoteStore } from './remote-store.js';

export interface OpenRemoteOptions {
  config: MilvusConfig;
  redis: RedisSettings;
  pack: string;
  length: number;
  /** undefined: as the server keeps them. */
  templates: boolean | undefined;
  /** Empty, for what Milvus does not show yet; the caller closes it. Left out: nobody searches. */
  index?: VectorIndex | undefined;
  /** It is to be filled by a copy, so Milvus may lack what Redis says is there. */
  isRestored?: boolean | undefined;
  damage: Damage;
  warn: (message: string) => void;
  note?: ((message: string) => void) | undefined;
}

/**
 * The store of one pack beside those of others; the caller closes it.
 * @throws KaomonError SETUP
 */
export async function openRemoteStore(options: OpenRemoteOptions): Promise<RemoteStore> {
  const { config, redis, pack, length, templates, index, damage, warn, note } = options;
  const { isRestored = false } = options;
  const store = await createRemoteStore({
    ...{ redis, pack, length, templates, index, damage, warn },
    openEngine: (ofPack, numbers, expected) =>
      ofPack === pack
        ? openMilvus({
            ...{ config, pack, length, warn, note },
            expected: isRestored ? undefined : expected,
          })
        : // Made when other settings held. Whoever asks for it is not kept waiting.
          openMilvus({
            ...{ config: { ...config, MILVUS_INDEX: 'auto' }, pack: ofPack, length: numbers, warn, note },
            patience: 0,
          }),
  });
  const across = acrossPacks(store);
  return {
    ...store,
    ...across,
    async readRecent(faceid) {
      return (await store.readRecent(faceid)) ?? (await across.readPerson(faceid, new Set()));
    },
  };
}
