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
import type { Base } from './base/base.js';
import { segmentsRefusal } from './base/segments-addon.js';
import { removeSnapshots, type SnapshotPlace } from './snapshot/catalogue.js';
import { type Keeper, type KeeperOptions, startKeeper } from './snapshot/keeper.js';
import { openBase } from './snapshot/open-base.js';
import { createGallery } from './gallery.js';
import { logSettings, openStore } from './open-store.js';
import type { VectorIndex } from './index/vector-index.js';
import type { Gallery } from './types.js';

export { openStore, redisSettings } from './open-store.js';

/** Reading so many people takes seconds. */
const LARGE = 10_000;

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
 * @throws KaomonError SETUP when a setting cannot be used
 */
export async function openGallery(config: Config, options: OpenGalleryOptions): Promise<OpenedGallery> {
  const { pack, index, warn, note = () => undefined, follow, settleAfter, keep } = options;
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
    const store = await openStore(config, pack.id, length, warn);
    const snapshots = follow ? await openSnapshots(config, pack, warn, position !== '') : undefined;
    const base = snapshots?.base;
    const gallery = await createGallery({
      pack: pack.id,
      templates: pack.templates,
      store: { ...store, load: () => store.load(progressLines(note)) },
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

/**
 * Where a worker's snapshots are, and the newest as a base; undefined where there can be none, and without a base when the
 * log cannot be read, which says what has changed since. Those that nobody would
 * keep young are removed: they hold people who may have been deleted since.
 */
async function openSnapshots(
  config: Config,
  pack: OpenGalleryOptions['pack'],
  warn: (message: string) => void,
  isLogRead: boolean,
): Promise<{ place: SnapshotPlace; base: Base | undefined } | undefined> {
  const { EVENT_LOG: log, EMBEDDINGS_DIR: folder, SNAPSHOTS, INDEX } = config;
  // Who asks for another engine, such as ONNX Runtime on a GPU, wants everybody in that one.
  const isOther = INDEX === 'onnx' || INDEX === 'exact';
  if (!SNAPSHOTS || isOther || log === 'none' || segmentsRefusal() !== undefined) {
    await removeSnapshots(folder);
    return undefined;
  }
  const { id, embedder, templates = false } = pack;
  const place = { folder, pack: id, length: embedder.length, templates, log, lists: INDEX !== 'flat' };
  return { place, base: isLogRead ? await openBase(place, warn) : undefined };
}

/** Tells how far the reading of a large gallery is, at every tenth of it. */
function progressLines(note: (message: string) => void): (done: number, all: number) => void {
  let told = 0;
  return (done, all) => {
    const tenths = Math.floor((done / all) * 10);
    if (all < LARGE || tenths <= told) return;
    told = tenths;
    note(`Reading the gallery: ${tenths * 10} % of ${all} people.`);
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
