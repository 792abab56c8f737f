/** Opens a gallery as the settings say, with its store, index, event log and event manager. */
import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config } from '../settings/config.js';
import { createDamage } from '../platform/files/damage.js';
import { KaomonError } from '../platform/errors.js';
import { createCatchUp } from '../events/catch-up.js';
import { type GalleryEvent, NO_PUBLISHER } from '../events/event.js';
import { openLog } from '../events/open-log.js';
import type { EventLog } from '../events/log.js';
import { createPublisher } from '../events/publisher.js';
import { startSubscriber, type Subscriber, type SubscriberState } from '../events/subscriber.js';
import { quietMessage } from '../platform/quiet-error.js';
import { announceAdditions, type FillableStore } from './announce.js';
import { type Keeper, type KeeperOptions, startKeeper } from './snapshot/keeper.js';
import { createGallery } from './gallery.js';
import { openSnapshots, progressLines } from './snapshot/open.js';
import { logSettings, openRemote, openStore } from './open-store.js';
import type { VectorIndex } from './index/vector-index.js';
import type { Gallery } from './types.js';

export { openStore, redisSettings } from './open-store.js';

export interface OpenGalleryOptions {
  /** The pack's id, the length of its embeddings, and whether people have templates. */
  pack: { id: string; embedder: { length: number }; templates?: boolean };
  /** Empty; the caller closes it after the gallery. */
  index: VectorIndex;
  warn: (message: string) => void;
  /** Told of what takes long, and of snapshots that were made. */
  note?: (message: string) => void;
  /** Follow other workers' changes; a command that only adds something need not. */
  follow: boolean;
  /** How long after it began a change that was never closed is settled, milliseconds; for tests. */
  settleAfter?: readonly number[];
  /** When snapshots are made; for tests. */
  keep?: Pick<KeeperOptions, 'times' | 'leastFaces'>;
  /** From so many people on a start without a snapshot makes one first; for tests. */
  firstFrom?: number;
  /** Ends the opening. */
  signal?: AbortSignal;
}

/** How other workers' changes arrive. */
export interface EventState {
  info(): SubscriberState;
  /** The pack whose gallery this is. */
  readonly pack: string;
  /** Follows the log beside the gallery, for who needs positions; see `EventLog.follow`. */
  follow: EventLog['follow'];
}

export interface OpenedGallery {
  /** Its `close` also closes everything that was opened for it. */
  gallery: Gallery;
  /** undefined without a log, or when it is not followed. */
  events: EventState | undefined;
  /** undefined where there are none. */
  snapshots: Pick<Keeper, 'number' | 'isMaker'> | undefined;
}

/**
 * Opens the gallery of one pack. Changes through it are published in the event log, for running workers.
 * @throws KaomonError SETUP when a setting cannot be used; the signal's reason
 */
export async function openGallery(config: Config, options: OpenGalleryOptions): Promise<OpenedGallery> {
  const { pack, index, warn, note = () => undefined, follow, settleAfter, keep, signal } = options;
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
  let keeper: Keeper | undefined;
  const { store, gallery, snapshots } = await openStored().catch(async (error: unknown) => {
    // An open connection would keep a command from ending.
    await log?.close();
    throw error;
  });

  async function openStored() {
    if (config.INDEX === 'milvus') return openElsewhere();
    const store = await openStore(config, pack.id, length, warn);
    const { firstFrom } = options;
    const reading = { config, pack, store, warn, note, firstFrom, signal, isLogRead: position !== '' };
    const snapshots = follow ? await openSnapshots(reading) : undefined;
    const base = snapshots?.base;
    const gallery = await createGallery({
      pack: pack.id,
      templates: pack.templates,
      store: {
        ...store,
        load: () => store.load({ onProgress: progressLines(note, 'Reading the gallery'), signal }),
      },
      index,
      warn,
      ...(base && { base }),
      ...(snapshots && { reconcile: () => keeper?.reconcile() ?? Promise.resolve(false) }),
      publisher: log && createPublisher(log, worker, pack.id),
      catchUp: () => catchUp?.() ?? Promise.resolve(),
    }).catch(async (error: unknown) => {
      await base?.close();
      await store.close();
      throw error;
    });
    return { store, gallery, snapshots };
  }

  async function openElsewhere() {
    const { createRemoteGallery } = await import('./remote/remote-gallery.js');
    const { id } = pack;
    // A command does not know of the pack's templates, which the server has stored.
    const templates = pack.templates ?? (follow ? false : undefined);
    const damage = createDamage(warn);
    const store = await openRemote(config, { pack: id, length, templates, index, damage, warn, note });
    const gallery = await createRemoteGallery({
      ...{ pack: id, templates, store, warn },
      publisher: log && createPublisher(log, worker, id),
      catchUp: () => catchUp?.() ?? Promise.resolve(),
    }).catch(async (error: unknown) => {
      await store.close();
      throw error;
    });
    return { store, gallery, snapshots: undefined };
  }

  const closing = new AbortController();
  if (Object.keys(gallery.info().otherPacks).length > 0)
    void warnOfBare(gallery, pack.id, warn, closing.signal).catch(() => undefined);
  let subscriber: Subscriber | undefined;
  if (settings && follow) {
    const limits = { maxAge: config.EVENT_MAX_AGE * 1000, maxLength: config.EVENT_MAX_LENGTH };
    const since = snapshots?.base?.people.position ?? position ?? '';
    const from = { settings, worker, position: since, limits };
    const { damage } = store;
    const started = startSubscriber({ ...from, gallery, warn, damage, settleAfter });
    subscriber = started;
    const apply = (event: GalleryEvent) => gallery.apply(event);
    if (log) catchUp = createCatchUp({ log, worker, position: started.position, apply });
  }
  if (snapshots)
    keeper = startKeeper({ ...keep, ...snapshots, config, gallery, damage: store.damage, warn, note });
  // Whoever was deleted since the snapshot was made must not be found in the first moment either.
  if (snapshots?.base) await subscriber?.reached;
  const close = async () => {
    closing.abort();
    // At once: each waits for the other to let go of the base.
    await Promise.all([keeper?.close(), gallery.close()]);
    await subscriber?.close();
    await log?.close();
  };
  return {
    gallery: { ...gallery, close },
    events: subscriber &&
      log && {
        info: subscriber.state,
        pack: pack.id,
        follow: (after, listener) => log.follow(after, listener),
      },
    snapshots: keeper,
  };
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

/** A name for this process alone: it skips its own events in the log. */
function nameWorker(): string {
  return `${hostname()}-${process.pid}-${randomBytes(4).toString('hex')}`;
}
