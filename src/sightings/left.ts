/** Sightings that nobody writes any more: of another pack, or from before `SIGHTINGS` was turned off. */
import path from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import type { Gallery } from '../gallery/types.js';
import { namesIn } from '../platform/files/durable.js';
import { quietMessage } from '../platform/quiet-error.js';
import type { RedisSettings } from '../platform/redis.js';
import type { Config } from '../settings/config.js';
import type { FindEndings } from './endings.js';
import { followGallery, type GalleryFollower } from './follow-gallery.js';
import { SHARED, sightingsFile } from './open.js';
import { daysOf, type RetentionSettings, startRetention } from './retention.js';
import { openSightingStore } from './store/client.js';

export interface LeftOptions {
  config: Pick<Config, 'EMBEDDINGS_DIR' | 'VISIT_GAP' | keyof RetentionSettings>;
  /** The pack whose sightings are open; undefined: none are. */
  pack: string | undefined;
  /** Where several machines share sightings: what they shared is erased for all of them. */
  redis?: RedisSettings | undefined;
  gallery: Pick<Gallery, 'person' | 'subscribe'>;
  /** As of `RetentionOptions`. */
  findEndings?: FindEndings | undefined;
  log: Pick<FastifyBaseLogger, 'warn' | 'info'>;
  date?: () => number;
}

/** Sightings that are only erased, and renamed, from now on. */
export interface LeftSightings extends Pick<GalleryFollower, 'catchUp' | 'count'> {
  close(): Promise<void>;
}

/**
 * What was agreed holds for what was kept before: it is erased when it is old enough, and so is whoever is deleted. A file
 * that cannot be opened is named in the log; it keeps nobody from being deleted.
 */
export async function openLeftSightings(options: LeftOptions): Promise<LeftSightings[]> {
  const { config, pack, redis, gallery, findEndings, log, date } = options;
  const folder = path.dirname(sightingsFile(config.EMBEDDINGS_DIR, ''));
  const opened: LeftSightings[] = [];
  for (const name of await namesIn(folder)) {
    const file = path.join(folder, name);
    const isOpen =
      pack !== undefined && file === sightingsFile(config.EMBEDDINGS_DIR, pack, redis !== undefined);
    if (!name.endsWith('.db') || isOpen) continue;
    const shared =
      redis && name.endsWith(SHARED) ? { redis, pack: name.slice(0, -SHARED.length) } : undefined;
    const store = openSightingStore({ file, gap: config.VISIT_GAP * 1000, pair: 0, shared });
    try {
      await store.ask('ping');
    } catch (error) {
      const reason = quietMessage((error as Error).cause ?? error);
      log.warn({ file, reason }, 'Sightings that were kept before cannot be opened, and so not be erased');
      await store.close();
      continue;
    }
    const nobody = { forget: () => Promise.resolve(), rename: () => Promise.resolve() };
    const follower = followGallery({ gallery, store, observer: nobody, log });
    const retention = startRetention({
      ...{ store, gallery, log, catchUp: follower.catchUp, days: daysOf(config) },
      findEndings,
      ...(date && { date }),
    });
    opened.push({
      catchUp: follower.catchUp,
      count: follower.count,
      async close() {
        await retention.close();
        await follower.close();
        await store.close();
      },
    });
  }
  return opened;
}
