/** Which packs embedded the enrolled faces: asked before a pack is chosen, so it needs none. */
import type { Config } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import { countEnrolled } from './store/file-read.js';
import { redisSettings } from './open.js';

/**
 * People who have a face, by pack; packs without a face are left out. To save time, where only one pack has faces its
 * people are counted without looking whether each has one.
 * @throws KaomonError SETUP when the store cannot be read: a pack must not be guessed then
 */
export async function enrolledPacks(config: Config): Promise<Record<string, number>> {
  if (config.INDEX === 'milvus') {
    const { countEnrolledElsewhere } = await import('./remote/count-enrolled.js');
    return await countEnrolledElsewhere(await redisSettings(config));
  }
  if (config.EMBEDDING_STORE === 'redis') {
    const { countEnrolledInRedis } = await import('./store/redis-store.js');
    return await countEnrolledInRedis(await redisSettings(config));
  }
  const { EMBEDDINGS_DIR } = config;
  return await countEnrolled(EMBEDDINGS_DIR).catch((cause: unknown) => {
    throw new KaomonError('SETUP', `EMBEDDINGS_DIR=${EMBEDDINGS_DIR} cannot be read.`, { cause });
  });
}
