/** Which packs the enrolled people's faces were made by: asked before a pack is chosen, so nothing of a pack is needed. */
import type { Config } from '../settings/config.js';
import { KaomonError } from '../platform/errors.js';
import { countEnrolled } from './store/file-read.js';
import { redisSettings } from './open.js';

/**
 * People who have a face, by pack. Cheap: where only one pack has faces, all of its people are counted, also those
 * without one; people of whom nobody has a face were made by no pack.
 * @throws KaomonError SETUP when the store cannot be read: whoever chooses a pack must not guess then
 */
export async function enrolledPacks(config: Config): Promise<Record<string, number>> {
  if (config.EMBEDDING_STORE === 'redis') {
    const { countEnrolledInRedis } = await import('./store/redis-store.js');
    return await countEnrolledInRedis(await redisSettings(config));
  }
  const { EMBEDDINGS_DIR } = config;
  return await countEnrolled(EMBEDDINGS_DIR).catch((cause: unknown) => {
    throw new KaomonError('SETUP', `EMBEDDINGS_DIR=${EMBEDDINGS_DIR} cannot be read.`, { cause });
  });
}
