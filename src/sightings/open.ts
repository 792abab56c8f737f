/** Opens what keeps who came by, as the settings say. */
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import type { Gallery } from '../gallery/types.js';
import type { Observer } from '../identity/types.js';
import { KaomonError } from '../platform/errors.js';
import type { RedisSettings } from '../platform/redis.js';
import { quietMessage } from '../platform/quiet-error.js';
import type { Config } from '../settings/config.js';
import type { FindEndings } from './endings.js';
import { followGallery, type GalleryFollower } from './follow-gallery.js';
import { createFigures } from './figures.js';
import type { Kept } from './types.js';
import { createHappenings, type Happenings } from './happenings.js';
import { createObserver, type ObserverInfo } from './observer.js';
import { daysOf, type RetentionSettings, startRetention } from './retention.js';
import type { GroupingSettings } from './unknowns/grouping.js';
import { openSightingStore, type SightingStore } from './store/client.js';

/** Who came by: kept, asked for, erased. */
export interface Sightings {
  store: SightingStore;
  /** Several machines share them. */
  isShared: boolean;
  observer: Observer;
  happenings: Happenings;
  /** See `withSightings`. */
  catchUp: GalleryFollower['catchUp'];
  count: GalleryFollower['count'];
  /** Writes what is due now. */
  flush(): Promise<void>;
  info(): ObserverInfo;
  /** What is in the store, as it was when last counted; undefined while that is not known. */
  kept(): Kept | undefined;
  close(): Promise<void>;
}

export interface SightingsOptions {
  config: Pick<Config, 'EMBEDDINGS_DIR' | 'KEEP_SIGHTINGS' | 'VISIT_GAP' | keyof RetentionSettings>;
  /** Where several machines share them. Left out: they are this machine's own. */
  redis?: RedisSettings | undefined;
  /** The pack's ID: vectors of two packs are never compared, so each has a file of its own. */
  pack: string;
  /** Two embeddings are of one person below this distance, squared L2. */
  pair: number;
  /** How strangers are grouped. Left out: they are not. */
  unknowns?: GroupingSettings;
  gallery: Pick<Gallery, 'person' | 'subscribe'>;
  /** As of `RetentionOptions`. */
  findEndings?: FindEndings | undefined;
  log: Pick<FastifyBaseLogger, 'warn' | 'info'>;
  /** For tests; see createObserver. */
  now?: () => number;
  date?: () => number;
}

/** How the name of a copy of shared sightings ends. */
export const SHARED = '.shared.db';

/** Where a pack's sightings are. @param shared this machine's copy of what several share */
export const sightingsFile = (folder: string, pack: string, shared = false) =>
  path.join(folder, 'sightings', pack + (shared ? SHARED : '.db'));

/**
 * Opens the sightings. A file that cannot be used does not keep the server from recognising: it is tried again, and what is
 * seen meanwhile is dropped and counted.
 * @throws KaomonError SETUP where SQLite cannot be loaded
 */
export async function openSightings(options: SightingsOptions): Promise<Sightings> {
  const {
    config,
    redis,
    pack,
    pair,
    unknowns,
    gallery,
    findEndings,
    log,
    now,
    date = () => Date.now(),
  } = options;
  const gap = config.VISIT_GAP * 1000;
  const file = sightingsFile(config.EMBEDDINGS_DIR, pack, redis !== undefined);
  const shared = redis && { redis, pack, own: sightingsFile(config.EMBEDDINGS_DIR, pack) };
  const store = openSightingStore({ file, gap, pair, unknowns, shared }, (reason) =>
    log.warn({ reason }, 'The sightings that machines share are not in order'),
  );
  await store.ask('ping').catch(async (error: unknown) => {
    if (error instanceof KaomonError && error.code !== 'SETUP') {
      log.warn(
        { reason: quietMessage(error.cause ?? error) },
        'The sightings cannot be opened at the moment',
      );
      return;
    }
    await store.close();
    throw error;
  });
  const happenings = createHappenings(store);
  const observer = createObserver({
    ...{ store, gap, pair, log, now, date },
    worker: `${process.pid.toString(36)}-${randomBytes(5).toString('hex')}`,
    keepsPictures: config.KEEP_SIGHTINGS,
    onHappened: (seq) => happenings.nudge(seq),
  });

  const figures = createFigures(store, now);
  const follower = followGallery({ gallery, store, observer, log });
  const retention = startRetention({
    ...{ store, gallery, log, date, catchUp: follower.catchUp },
    days: daysOf(config),
    findEndings,
  });

  return {
    store,
    isShared: shared !== undefined,
    observer,
    happenings,
    catchUp: follower.catchUp,
    count: follower.count,
    flush: () => observer.flush(),
    info: () => observer.info(),
    kept: () => figures.kept(),
    async close() {
      happenings.close();
      await retention.close();
      await follower.close();
      await observer.close();
      await store.close();
    },
  };
}
