import { KaomonError } from '../../platform/errors.js';
import type { RedisSettings } from '../../platform/redis.js';
import { connectGallery } from '../store/redis-store.js';
import { createRemoteLayout } from './layout.js';

/**
 * People with a face, by pack, of a gallery whose vectors are in an engine; see `enrolledPacks` in enrolled.ts.
 * @throws KaomonError SETUP when Redis does not answer
 */
export async function countEnrolledElsewhere(settings: RedisSettings): Promise<Record<string, number>> {
  const redis = await connectGallery(settings);
  try {
    const counts: Record<string, number> = {};
    for (const pack of await redis.smembers(createRemoteLayout(settings, '').packs)) {
      const { bare, counts: counted } = createRemoteLayout(settings, pack);
      const people = Number(await redis.hget(counted(), 'p')) - (await redis.zcard(bare));
      if (people > 0) counts[pack] = people;
    }
    return counts;
  } catch (cause) {
    throw new KaomonError('SETUP', 'EMBEDDING_STORE=redis, but Redis does not answer: see REDIS_URL.', {
      cause,
    });
  } finally {
    redis.disconnect();
  }
}
