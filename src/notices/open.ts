/** Opens what tells others, as the settings say. */
import { createHash, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import path from 'node:path';
import type { EventLog } from '../events/log.js';
import { openLog } from '../events/open-log.js';
import { logSettings, redisSettings } from '../gallery/open-store.js';
import { NOTICES } from '../gallery/store/file-layout.js';
import type { Gallery } from '../gallery/types.js';
import { KaomonError } from '../platform/errors.js';
import { quietMessage } from '../platform/quiet-error.js';
import type { Config } from '../settings/config.js';
import { type Sightings, sightingsFile } from '../sightings/open.js';
import { createFileCursors } from './cursors.js';
import { createGallerySource } from './gallery-source.js';
import { lockLeadership } from './leadership.js';
import {
  earliest,
  type Post,
  POST_TIMES,
  type ReceiverSettings,
  type ReceiverState,
  startPost,
} from './post.js';
import { readSecrets } from './signature.js';
import { createSightingsSource } from './sightings-source.js';
import type { Notice, NoticeType, Receiver, Source } from './types.js';
import { createWebHook } from './web-hook.js';

export interface NoticesOptions {
  gallery: Pick<Gallery, 'person' | 'subscribe'>;
  pack: string;
  /** Who came by; undefined: nobody is kept. */
  sightings?: Pick<Sightings, 'store' | 'isShared'> | undefined;
  warn: (message: string) => void;
  note: (message: string) => void;
  times?: typeof POST_TIMES;
}

/** What a receiver did with a notice that tries it. */
export interface Tried {
  receiver: string;
  isDelivered: boolean;
  /** Why not; null when delivered. */
  reason: string | null;
}

/** Tells others what happens; see {@link openNotices}. */
export interface Notices {
  info(): {
    receivers: ReceiverState[];
    /** Why this process cannot deliver, if it is its turn. */
    trouble: string | null;
  };
  /** Whether this process delivers. */
  leads(): boolean;
  /** Sends each receiver a notice of the type `test`, from this process. */
  test(): Promise<Tried[]>;
  close(): Promise<void>;
}

/**
 * Tells the receivers that the settings name what happens from now on, and what happened since they were told last.
 * @returns undefined where none is named
 * @throws KaomonError SETUP
 */
export async function openNotices(config: Config, options: NoticesOptions): Promise<Notices | undefined> {
  const receivers = await receiversOf(config);
  const settings = await logSettings(config);
  if (receivers.length === 0 || !settings) return undefined;
  const { gallery, pack, sightings, warn, note, times = POST_TIMES } = options;
  const types = new Set(config.NOTICE_TYPES.split(',')) as unknown as ReadonlySet<NoticeType>;
  const folder = path.join(config.EMBEDDINGS_DIR, NOTICES);
  const shared = { receivers, maxAge: config.EVENT_MAX_AGE * 1000, warn, note, times };
  const log: EventLog = await openLog(settings, () => undefined);
  const changes = createGallerySource({ log, gallery, pack, types });
  // What tells the happenings of one store from those of another.
  const place = sightings?.isShared
    ? `${config.REDIS_PREFIX} ${pack}`
    : `${hostname()} ${sightingsFile(config.EMBEDDINGS_DIR, pack)}`;
  const visits = sightings && createSightingsSource({ store: sightings.store, gallery, place, types });

  /** What this machine's disk holds, by one of its processes. */
  const postHere = (sources: Source[]) =>
    startPost({ ...shared, sources, cursors: createFileCursors(folder), lead: lockLeadership(folder) });

  async function openPosts(): Promise<Post[]> {
    if (settings?.kind !== 'redis') return [postHere(visits ? [changes, visits] : [changes])];
    // Machines that share a log deliver what it holds once.
    const { createRedisCursors } = await import('./redis-cursors.js');
    const cursors = createRedisCursors(await redisSettings(config));
    const { lead } = cursors;
    if (!visits) return [startPost({ ...shared, sources: [changes], cursors, lead })];
    if (sightings.isShared) return [startPost({ ...shared, sources: [changes, visits], cursors, lead })];
    const beside = receivers.map(({ id, open }) => ({ id, open: () => open('use') }));
    return [
      postHere([visits]),
      startPost({ ...shared, receivers: beside, sources: [changes], cursors, lead }),
    ];
  }

  const posts = await openPosts();
  const wake = () => {
    for (const post of posts) post.wake();
  };
  const unsubscribe = gallery.subscribe(wake);

  return {
    info: () => ({
      receivers: together(posts.flatMap((post) => post.states())),
      trouble: posts.map((post) => post.trouble()).find((reason) => reason !== undefined) ?? null,
    }),
    leads: () => posts.some((post) => post.leads()),
    test: () => Promise.all(receivers.map(({ open }) => tryReceiver(open('use')))),
    async close() {
      unsubscribe();
      await Promise.all(posts.map((post) => post.close()));
      await log.close();
    },
  };
}

async function tryReceiver(receiver: Receiver): Promise<Tried> {
  const notice: Notice = { id: `test-${randomUUID()}`, type: 'test', at: new Date().toISOString() };
  try {
    await receiver.deliver(notice, new AbortController().signal);
    return { receiver: receiver.name, isDelivered: true, reason: null };
  } catch (error) {
    return { receiver: receiver.name, isDelivered: false, reason: quietMessage(error) };
  } finally {
    await receiver.close().catch(() => undefined);
  }
}

/** The state of each receiver over several posts. */
function together(states: readonly ReceiverState[]): ReceiverState[] {
  const byId = new Map<string, ReceiverState>();
  for (const state of states) {
    const known = byId.get(state.id);
    byId.set(state.id, {
      ...state,
      delivered: state.delivered + (known?.delivered ?? 0),
      dropped: state.dropped + (known?.dropped ?? 0),
      failed: state.failed + (known?.failed ?? 0),
      waitingSince: earliest([state.waitingSince, known?.waitingSince]),
      failing: known?.failing ?? state.failing,
      isOff: state.isOff || (known?.isOff ?? false),
    });
  }
  return [...byId.values()];
}

/** Who is told. @throws KaomonError SETUP */
async function receiversOf(config: Config): Promise<ReceiverSettings[]> {
  const { WEBHOOKS, WEBHOOK_SECRET, WEBHOOK_PRIVATE, WEBHOOK_CA, MQTT_URL } = config;
  const ca = await certificate('WEBHOOK_CA', WEBHOOK_CA);
  const keys = readSecrets(WEBHOOK_SECRET);
  const hooks = [...new Set(WEBHOOKS.split(',').filter(Boolean))].map((url): ReceiverSettings => {
    const id = idOf(url);
    return { id, open: () => createWebHook({ id, url, keys, mayBePrivate: WEBHOOK_PRIVATE, ca }) };
  });
  return MQTT_URL ? [...hooks, await brokerOf(config)] : hooks;
}

async function brokerOf(config: Config): Promise<ReceiverSettings> {
  const { createMqtt } = await import('./mqtt.js');
  const settings = {
    id: idOf(`${config.MQTT_URL} ${config.MQTT_TOPIC}`),
    ...{ url: config.MQTT_URL, user: config.MQTT_USER, password: config.MQTT_PASSWORD },
    ...{ topic: config.MQTT_TOPIC, homeAssistant: config.HOME_ASSISTANT },
    ca: await certificate('MQTT_CA', config.MQTT_CA),
  };
  return {
    id: settings.id,
    open: (purpose) => createMqtt({ ...settings, isKept: purpose === 'keep' }),
  };
}

const idOf = (address: string) => createHash('sha256').update(address).digest('hex').slice(0, 16);

async function certificate(setting: string, file: string): Promise<string | undefined> {
  if (file === '') return undefined;
  return await readFile(file, 'utf8').catch((cause: unknown) => {
    throw new KaomonError('SETUP', `${setting}=${file} cannot be read.`, { cause });
  });
}
