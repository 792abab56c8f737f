/** The entry point: reads the settings, opens every part, listens, and shuts down in order. */
import './platform/no-telemetry.js';
import type { AddressInfo } from 'node:net';
import { createAudit, FIRST_START } from './access/audit.js';
import { createKeys } from './access/keys.js';
import { createLinks, LINK_MINUTES, type Links } from './access/links.js';
import { signInUrl, urlsOf } from './platform/addresses.js';
import { type Config, fetchSettings, loadConfig } from './settings/config.js';
import { KaomonError } from './platform/errors.js';
import { makeFolders } from './settings/folders.js';
import { enrolledPacks } from './gallery/enrolled.js';
import { chooseIndex } from './gallery/index/choose.js';
import { openGallery, type OpenedGallery, redisSettings } from './gallery/open.js';
import { createLogger, type Logger } from './platform/log.js';
import type { Fetchers } from './models/weights/fetchers.js';
import { type Progress, preparePack } from './models/packs/prepare.js';
import type { ReadyPack } from './models/types.js';
import type { DetectLog } from './identity/detect-log.js';
import type { Notices, NoticesOptions } from './notices/open.js';
import { limitHeaps } from './platform/process-memory.js';
import { createShutdown, endOnSignals, leave, type Shutdown } from './platform/shutdown.js';
import { loadCredentials } from './platform/tls.js';
import { openLeft, openWhoCameBy } from './open-who-came-by.js';
import { createVisionPool } from './vision/pool.js';
import type { VisionPool } from './vision/types.js';

await main();

async function main(): Promise<void> {
  const terminal = process.stdout.isTTY;
  let log = createLogger('info', terminal);
  try {
    const config = loadConfig();
    log = createLogger(config.LOG_LEVEL, terminal);
    limitHeaps();
    const shutdown = createShutdown(log, (code) => void leave(code));
    endOnSignals(shutdown, log);
    const starting = start(config, log, shutdown);
    shutdown.after(starting);
    try {
      await starting;
    } catch (error) {
      // A start that was told to end was cut short, which is no failure.
      if (shutdown.asked()) return;
      reportFailure(error, log);
      await shutdown.end(1);
    }
  } catch (error) {
    reportFailure(error, log);
    await leave(1);
  }
}

/** What a person can put right is one line; anything else is a fault of ours, logged whole. */
function reportFailure(error: unknown, log: Logger): void {
  if (error instanceof KaomonError) process.stderr.write(`kaomon: ${error.message}\n`);
  else log.fatal({ err: error }, 'The server could not start');
}

async function start(config: Config, log: Logger, shutdown: Shutdown): Promise<void> {
  await makeFolders(config);
  const [pack, https] = await together(
    preparePack(config.MODEL_PACK, {
      modelsDir: config.MODELS_DIR,
      precision: config.EMBEDDER_PRECISION,
      ...openFetchers(config),
      enrolledPacks: () => enrolledPacks(config),
      onProgress: progressLines(log),
    }),
    config.TLS ? loadCredentials(config) : Promise.resolve(undefined),
  );
  if (shutdown.asked()) return;
  // The server's modules are loaded only here, while the vision threads load their networks.
  const parts = together(
    openVision(config, pack, log).then((opened) => {
      for (const { provider, reason } of opened.info().refusedProviders) {
        log.warn({ provider, reason: reason.trim() }, 'This execution provider is not used');
      }
      const { note } = opened.info();
      if (note) log.info(note);
      shutdown.add({ name: 'vision threads', close: () => opened.close() });
      return opened;
    }),
    openSharedGallery(config, pack, log, shutdown).then((opened) => {
      shutdown.add({ name: 'gallery', close: () => opened.gallery.close() });
      return opened;
    }),
  );
  const [[vision, { gallery, events }], { buildApp }] = await together(parts, import('./app.js'));
  if (shutdown.asked()) return;
  const keys = createKeys({ file: config.KEYS_FILE });
  const detectLog = await openDetectLog(config, log, shutdown);
  const sightings = await openWhoCameBy(config, pack, gallery, log, shutdown);
  const leftSightings = await openLeft(config, pack, gallery, log, shutdown);
  const notices = await openNoticesOf(config, { gallery, pack: pack.id, sightings }, log, shutdown);
  const app = await buildApp({
    ...{ config, vision, gallery, pack, events, keys, detectLog, sightings, leftSightings, notices, https },
    logger: log,
  });
  shutdown.add({
    name: 'HTTP server',
    close: () => app.close(),
    hurry: () => app.server.closeAllConnections(),
  });
  await app
    .listen({ host: config.HOST, port: config.PORT })
    .catch((error: unknown) => refuseAddress(error, config));

  const { port } = app.server.address() as AddressInfo;
  const urls = urlsOf(config.HOST, port, config.TLS);
  const links = createLinks({ file: config.KEYS_FILE });
  const firstLink = config.AUTH === 'key' ? await openFirstLink(links, urls[0], config, log) : undefined;
  if (process.getuid?.() === 0) {
    log.warn(
      'The server runs as root, which it does not need: give it a user of its own (docs/production.md)',
    );
  }
  if (config.AUTH === 'none')
    log.warn('AUTH=none: anybody who can reach this server may enrol and delete people');
  const { snapshot } = gallery.info();
  const mapped = snapshot && { snapshot: snapshot.number, recall: snapshot.recall };
  log.info({ urls, pack: pack.id, ...mapped, ms: Math.round(process.uptime() * 1000) }, 'Ready');
  if (firstLink && !process.stdout.isTTY) {
    // Logs are kept for years and read by many: they say where the link is, not what it is.
    const where = { file: links.linkFile, minutes: LINK_MINUTES };
    log.warn(where, 'First start: this file holds an address that signs in as administrator, once');
  }
  if (process.stdout.isTTY) {
    const { banner } = await import('./banner.js');
    // The phone gets a link of its own: each works once.
    const phone = firstLink && (await links.make(firstLink.link.key.id));
    const text = await banner({
      pack,
      gallery: gallery.info(),
      urls,
      selfSigned: config.TLS && !config.TLS_CERT,
      asksForKey: config.AUTH === 'key',
      link: firstLink?.url,
      phoneToken: phone?.token,
    });
    process.stdout.write(text);
  }
  // pm2's wait_ready: only now may the worker that this one replaces end.
  if (process.connected) process.send?.('ready');
}

/** The link of a first start, when there is no key yet to sign in with. @returns undefined when there is one */
async function openFirstLink(links: Links, url: string, config: Config, log: Logger) {
  const { KEYS_FILE, AUDIT_FILE: file } = config;
  const first = await links
    .first((token) => signInUrl(url, token))
    .catch((error: unknown) => {
      const cause = error instanceof KaomonError && error.cause instanceof Error ? error.cause.message : '';
      throw new KaomonError('SETUP', `The keys in ${KEYS_FILE} cannot be used: ${cause || String(error)}.`, {
        cause: error,
      });
    });
  if (!first?.isNew) return first;
  const { id, name } = first.link.key;
  const audit = createAudit({ file, log });
  const done = { ...FIRST_START, outcome: 'done' } as const;
  const whom = { id, name, role: 'admin', groups: 'all' };
  if (first.madeKey) void audit.record({ ...done, action: 'key added', whom });
  await audit.record({ ...done, action: 'sign-in link', whom: { id, name } });
  return first;
}

/** Like Promise.all, but when one fails the others have ended too: nothing opens behind a shutdown's back. */
async function together<A, B>(first: Promise<A>, second: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([first, second]);
  return [await first, await second];
}

function openVision(config: Config, pack: ReadyPack, log: Logger): Promise<VisionPool> {
  return createVisionPool({
    pack,
    providers: config.EXECUTION_PROVIDERS.split(','),
    // As they do not spin, several threads per run halve a single frame's time and cost a busy machine nothing.
    threads: config.NETWORK_THREADS,
    gpuDevice: config.GPU_DEVICE_ID,
    cacheDir: config.CACHE_DIR,
    maxPixels: config.MAX_PIXELS,
    minFaceSize: config.MIN_FACE_SIZE,
    kernels: config.DETECTOR_KERNELS,
    poolThreads: config.VISION_THREADS,
    queueLength: config.VISION_QUEUE,
    callerShare: config.CALLER_SHARE / 100,
    maxFaces: config.MAX_FACES,
    onDeath: (err, left) => log.error({ err, left }, 'A vision thread died'),
    atOnce: config.VISION_BATCH > 0 ? config.VISION_BATCH : undefined,
  });
}

function openSharedGallery(
  config: Config,
  pack: ReadyPack,
  log: Logger,
  shutdown: Shutdown,
): Promise<OpenedGallery> {
  const warn = (message: string) => log.warn(message);
  const index = chooseIndex(config, pack.embedder.length, warn);
  shutdown.add({ name: 'index', close: () => index.close() });
  const note = (message: string) => log.info(message);
  return openGallery(config, { pack, index, warn, note, follow: true, signal: shutdown.signal });
}

// What most starts do not need is loaded only when it is needed.

function openFetchers(config: Config): Fetchers {
  const load = async () => {
    const { createFetchers } = await import('./models/weights/fetchers.js');
    return createFetchers({ ...fetchSettings(config), hurry: true });
  };
  let loaded: ReturnType<typeof load> | undefined;
  const fetchers = () => (loaded ??= load());
  return {
    fetchSource: async (...what) => (await fetchers()).fetchSource(...what),
    fetchPackage: async (...what) => (await fetchers()).fetchPackage(...what),
  };
}

async function openDetectLog(
  config: Config,
  log: Logger,
  shutdown: Shutdown,
): Promise<DetectLog | undefined> {
  if (!config.ENABLE_DETECT_DB) return undefined;
  const { createDetectLog } = await import('./identity/detect-log.js');
  const { DETECT_IDX: database, DETECT_EXPIRE: expire } = config;
  const detectLog = createDetectLog({ redis: await redisSettings(config), database, expire, log });
  shutdown.add({ name: 'detection results', close: () => detectLog.close() });
  return detectLog;
}

async function openNoticesOf(
  config: Config,
  whatHappens: Pick<NoticesOptions, 'gallery' | 'pack' | 'sightings'>,
  log: Logger,
  shutdown: Shutdown,
): Promise<Notices | undefined> {
  if (!config.WEBHOOKS && !config.MQTT_URL) return undefined;
  const { openNotices } = await import('./notices/open.js');
  const notices = await openNotices(config, {
    ...whatHappens,
    warn: (message) => log.warn(message),
    note: (message) => log.info(message),
  });
  if (notices) shutdown.add({ name: 'notices', close: () => notices.close() });
  return notices;
}

/** Logs a line when a step begins and at every tenth of it. */
function progressLines(log: Logger): (progress: Progress) => void {
  let last = '';
  return ({ message, fraction }) => {
    const line = fraction === undefined ? message : `${message} ${Math.floor(fraction * 10) * 10} %`;
    if (line !== last) log.info(line);
    last = line;
  };
}

/** @throws KaomonError SETUP that says what to do */
function refuseAddress(error: unknown, { HOST, PORT }: Config): never {
  const { code = '' } = error as NodeJS.ErrnoException;
  const sentences: Record<string, string> = {
    EADDRINUSE: `Port ${PORT} is in use: stop the program that uses it, or choose another port, as in PORT=${PORT + 1} npm start.`,
    EACCES: `This user may not listen on port ${PORT}: choose one above 1023, as in PORT=8443 npm start.`,
    EADDRNOTAVAIL: `HOST=${HOST} is not an address of this machine: leave it unset to listen on all of its addresses.`,
    ENOTFOUND: `HOST=${HOST} cannot be resolved: leave it unset to listen on all of this machine's addresses.`,
  };
  throw code in sentences ? new KaomonError('SETUP', sentences[code], { cause: error }) : error;
}
