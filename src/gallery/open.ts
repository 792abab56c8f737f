/** Opens a gallery as the settings say, with its store, index, event log and event manager. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { Config } from '../settings/config.js';
import { createDamage, type Damage } from '../platform/files/damage.js';
import { KaomonError } from '../platform/errors.js';
import { createCatchUp } from '../events/catch-up.js';
import { type GalleryEvent, NO_PUBLISHER } from '../events/event.js';
import { type LogSettings, openLog } from '../events/open-log.js';
import { createPublisher } from '../events/publisher.js';
import { startSubscriber, type Subscriber, type SubscriberState } from '../events/subscriber.js';
import { quietMessage } from '../platform/quiet-error.js';
import type { RedisSettings } from '../platform/redis.js';
import { acrossPacks } from './store/across-packs.js';
import { announceAdditions, type FillableStore } from './announce.js';
import { EVENTS } from './store/file-layout.js';
import { createFileStore } from './store/file-store.js';
import { createGallery } from './gallery.js';
import type { VectorIndex } from './index/vector-index.js';
import type { EmbeddingStore } from './store/store.js';
import type { Gallery } from './types.js';

export interface OpenGalleryOptions {
  /** The pack's id, the length of its embeddings, and whether people have templates. */
  pack: { id: string; embedder: { length: number }; templates?: boolean };
  /** Empty; the caller closes it after the gallery. */
  index: VectorIndex;
  warn: (message: string) => void;
  /** Follow other workers' changes; a command that only adds something need not. */
  follow: boolean;
  /** How long after it began a change that was never closed is settled, milliseconds; for tests. */
  settleAfter?: readonly number[];
}

/** How other workers' changes arrive. */
export interface EventState {
  info(): SubscriberState;
}

export interface OpenedGallery {
  /** Its `close` also closes everything that was opened for it. */
  gallery: Gallery;
  /** undefined without a log, or when it is not followed. */
  events: EventState | undefined;
}

/**
 * Opens the gallery of one pack. Changes through it are published in the event log, for running workers.
 * @throws KaomonError SETUP when a setting cannot be used
 */
export async function openGallery(config: Config, options: OpenGalleryOptions): Promise<OpenedGallery> {
  const { pack, index, warn, follow, settleAfter } = options;
  const { length } = pack.embedder;
  const worker = nameWorker();
  const settings = await logSettings(config);
  const log = settings && (await openLog(settings, () => undefined, createDamage(warn)));
  // Before the store is read, so that changes during the reading are followed as well.
  const position = await log?.start().catch((error: unknown) => {
    warn(`The event log cannot be reached: enrolments are refused until it can. ${quietMessage(error)}`);
    return '';
  });
  let catchUp: (() => Promise<void>) | undefined;
  const { store, gallery } = await openStored().catch(async (error: unknown) => {
    // An open connection would keep a command from ending.
    await log?.close();
    throw error;
  });

  async function openStored() {
    const store = await openStore(config, pack.id, length, warn);
    const gallery = await createGallery({
      pack: pack.id,
      templates: pack.templates,
      store,
      index,
      warn,
      publisher: log && createPublisher(log, worker, pack.id),
      catchUp: () => catchUp?.() ?? Promise.resolve(),
    }).catch(async (error: unknown) => {
      await store.close();
      throw error;
    });
    return { store, gallery };
  }
  const closing = new AbortController();
  if (Object.keys(gallery.info().otherPacks).length > 0)
    void warnOfBare(gallery, pack.id, warn, closing.signal).catch(() => undefined);
  let subscriber: Subscriber | undefined;
  if (settings && follow) {
    const limits = { maxAge: config.EVENT_MAX_AGE * 1000, maxLength: config.EVENT_MAX_LENGTH };
    const from = { settings, worker, position: position ?? '', limits };
    const { damage } = store;
    const started = startSubscriber({ ...from, gallery, warn, damage, settleAfter });
    subscriber = started;
    const apply = (event: GalleryEvent) => gallery.apply(event);
    if (log) catchUp = createCatchUp({ log, worker, position: started.position, apply });
  }
  const close = async () => {
    closing.abort();
    await gallery.close();
    await subscriber?.close();
    await log?.close();
  };
  return { gallery: { ...gallery, close }, events: subscriber && { info: subscriber.state } };
}

/** Looks for people to be enrolled again. The start does not wait for it: there may be a million. */
async function warnOfBare(
  gallery: Gallery,
  pack: string,
  warn: (message: string) => void,
  signal: AbortSignal,
): Promise<void> {
  const { total = 0 } = await gallery.people({ pictures: 'none', limit: 0, count: true, signal });
  if (total > 0)
    warn(
      `${total} people have no picture that the pack ${pack} can compare: enrol them again, or npm run reembed (docs/models.md).`,
    );
}

/**
 * Opens the store of one pack for a command that adds to it. Additions are published in the event log, for running
 * workers of this pack.
 * @throws KaomonError SETUP when a setting cannot be used, or the event log cannot be written
 */
export async function openFillableStore(
  config: Config,
  { pack, length, warn }: { pack: string; length: number; warn: (message: string) => void },
): Promise<FillableStore> {
  const settings = await logSettings(config);
  const log = settings && (await openLog(settings, () => undefined));
  try {
    // Waits until the log can be written.
    await log?.start().catch((cause: unknown) => {
      throw new KaomonError('SETUP', 'The event log cannot be reached: see EVENT_LOG and REDIS_URL.', {
        cause,
      });
    });
    const store = await openStore(config, pack, length, warn);
    const filled = announceAdditions(store, log ? createPublisher(log, nameWorker(), pack) : NO_PUBLISHER);
    const close = async () => {
      await store.close();
      await log?.close();
    };
    return { ...filled, close };
  } catch (error) {
    await log?.close();
    throw error;
  }
}

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
>;

/** A name for this process alone: it skips its own events in the log. */
function nameWorker(): string {
  return `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
}

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
  if (config.EMBEDDING_STORE === 'file')
    return createFileStore({ folder: config.EMBEDDINGS_DIR, ...options });
  const { createRedisStore } = await import('./store/redis-store.js');
  return createRedisStore({ redis: await redisSettings(config), ...options });
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
