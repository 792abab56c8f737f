/** Opens a store on Redis and Milvus, as the settings say. */
import pMap from 'p-map';
import type { Damage } from '../../platform/files/damage.js';
import type { RedisSettings } from '../../platform/redis.js';
import type { VectorIndex } from '../index/vector-index.js';
import { acrossPacks } from '../store/across-packs.js';
import type { MilvusConfig } from './milvus-client.js';
import { openMilvus } from './milvus-engine.js';
import { createRemoteStore, type RemoteStore } from './remote-store.js';

/** People whom only other packs may have, asked for at a time. */
const AT_ONCE = 64;

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
  return acrossRemotePacks(store);
}

/** A store together with those of the other packs. */
export function acrossRemotePacks(store: RemoteStore): RemoteStore {
  const across = acrossPacks(store);
  return {
    ...store,
    ...across,
    async readRecent(faceid) {
      return (await store.readRecent(faceid)) ?? (await across.readPerson(faceid, new Set()));
    },
    async there(faceids) {
      const found = await store.there(faceids);
      if ((await store.others()).length === 0) return found;
      const lacking = faceids.filter((faceid) => !found.has(faceid));
      const elsewhere = await pMap(lacking, (faceid) => across.readPerson(faceid, new Set()), {
        concurrency: AT_ONCE,
      });
      for (const person of elsewhere) if (person) found.add(person.faceid);
      return found;
    },
  };
}
