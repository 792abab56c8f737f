import path from 'node:path';
import type { FastifyBaseLogger } from 'fastify';
import { type Checkup, createCheckup } from '../checkup/checkup.js';
import { type Audit, AUTOMATIC, createAudit } from '../access/audit.js';
import { startPruning } from '../access/audit-file.js';
import { createKeys, type Keys } from '../access/keys.js';
import { createLastUse, type LastUse } from '../access/last-use.js';
import { createSessions, type Sessions } from '../access/sessions.js';
import { createJournalEraser } from '../batch/erase-journals.js';
import { type Eraser, withErasers } from '../gallery/erased.js';
import { splitFaceId } from '../gallery/ids.js';
import type { EventState } from '../gallery/open.js';
import type { Face, Gallery } from '../gallery/types.js';
import { createAutoEnroller } from '../identity/auto-enrol.js';
import { type Corrector, createCorrector } from '../identity/corrections.js';
import { type CountedWork, createEnrolments, createSearches } from '../identity/counted-work.js';
import { createDecision, type Decision } from '../identity/decision.js';
import type { DetectLog } from '../identity/detect-log.js';
import { createEnroller, type Enroller } from '../identity/enrol.js';
import { startExpiry } from '../identity/expiry.js';
import { createIdentifier, type Identifier } from '../identity/identify.js';
import { type Announcer, createAnnouncer } from '../identity/recognised.js';
import type { Notices } from '../notices/open.js';
import { createVerifier, type Verifier } from '../identity/verify.js';
import { createMetrics, type Metrics } from '../metrics/metrics.js';
import type { ReadyPack } from '../models/types.js';
import { createShares, type Shares } from '../platform/shares.js';
import { giveWay } from '../platform/turns.js';
import { createNaming, type Naming } from '../sightings/unknowns/naming.js';
import { type Config, enrolLimits } from '../settings/config.js';
import { withSightings } from '../sightings/follow-gallery.js';
import type { LeftSightings } from '../sightings/left.js';
import type { Sightings } from '../sightings/open.js';
import type { VisionPool } from '../vision/types.js';
import { pictureBodyLimit } from './intake/pictures.js';
import { JSON_WEIGHT } from './plugins/in-flight.js';
import { createReceipts, type Receipts } from './receipts.js';

/** What a server is made from. Who opened these closes them. */
export interface ServicesDeps {
  config: Config;
  vision: VisionPool;
  gallery: Gallery;
  pack: ReadyPack;
  /** How the gallery follows other workers. */
  events?: EventState | undefined;
  log: FastifyBaseLogger;
  /** Told of who was recognised. */
  detectLog?: DetectLog | undefined;
  /** Who came by; undefined: nobody is kept. */
  sightings?: Sightings | undefined;
  /** Sightings that are only erased any more. */
  leftSightings?: readonly LeftSightings[];
  /** Tells others what happens. */
  notices?: Notices | undefined;
  /** Who may call. Default: the keys in `KEYS_FILE`. */
  keys?: Keys;
}

/** All that routes and plugins work with, made once a server by {@link createServices}. */
export interface Services {
  config: Config;
  pack: ReadyPack;
  /** Measured, as searches of the gallery are. */
  vision: VisionPool;
  gallery: Gallery;
  events: EventState | undefined;
  metrics: Metrics;
  decision: Decision;
  /** Searches and enrolments in flight, shared among the callers. */
  searches: CountedWork;
  enrolments: CountedWork;
  identifier: Identifier;
  enroller: Enroller;
  /** Says what a deletion has erased. */
  receipts: Receipts;
  verifier: Verifier;
  corrector: Corrector;
  checkup: Checkup;
  announcer: Announcer;
  /** Who came by; undefined: nobody is kept. */
  sightings: Sightings | undefined;
  /** undefined where nobody is told. */
  notices: Notices | undefined;
  /** Who strangers are; with `sightings`. */
  naming: Naming | undefined;
  keys: Keys;
  sessions: Sessions;
  lastUse: LastUse;
  audit: Audit;
  /** Bytes that the bodies of requests and the frames of streams may take together. */
  bytes: Shares;
  /** The part that one caller may have of whatever is bounded, 0 to 1. */
  share: number;
  /** Ends what these services do by themselves. */
  close(): Promise<void>;
}

/** The one place where services are made. */
export function createServices(deps: ServicesDeps): Services {
  const { config, pack, events, detectLog, sightings, log } = deps;
  const gallery = galleryOf(deps);
  const metrics = createMetrics({
    ...deps,
    sharing:
      config.WORKERS > 1
        ? {
            folder: path.join(config.CACHE_DIR, 'metrics'),
            warn: (message) => log.warn(message),
          }
        : undefined,
  });
  // From here on all that is asked of them is measured.
  const { vision, nearest } = metrics;
  const { keys = createKeys({ file: config.KEYS_FILE }) } = deps;
  const audit = createAudit({ file: config.AUDIT_FILE, log });
  const share = config.CALLER_SHARE / 100;
  const hasPictures = () => {
    const { running, queued } = deps.vision.info();
    return running + queued > 0;
  };
  const searches = createSearches({ most: config.MAX_SEARCHES, share }, hasPictures);
  const endGivingWay = giveWay(hasPictures);
  const enrolments = createEnrolments({ most: config.MAX_ENROLMENTS, share });
  metrics.watchWork('searches', 'Searches', searches);
  metrics.watchWork('enrolments', 'Enrolments and changes', enrolments);
  if (sightings) metrics.watchSightings(sightings);
  const decision = createDecision({ pack, config, gallery });
  const enroller = createEnroller({
    vision,
    gallery,
    nearest,
    searches,
    enrolments,
    limits: enrolLimits(config),
    decision,
    doubleSeconds: config.DOUBLE_REGISTRATION_SECONDS,
    keepFaces: config.KEEP_FACES,
    needsConsent: config.CONSENT === 'required',
  });
  const upkeep = [
    startExpiry({
      ...{ gallery, log, record: (entry) => audit.record(entry) },
      lockFile: path.join(config.EMBEDDINGS_DIR, '.expiry.lock'),
    }),
    ...(config.AUDIT_DAYS > 0 ? [startPruning(config.AUDIT_FILE, config.AUDIT_DAYS, { log })] : []),
  ];
  const autoEnroller = config.AUTO_ENROL
    ? createAutoEnroller({
        gallery,
        enroller,
        // Nobody is saved who is not named, in the whole gallery, wherever was searched.
        distance: () => Math.min(config.SAVE_DISTANCE ?? decision.sure(), decision.threshold()),
        interval: config.SAVE_INTERVAL,
        minimum: config.SAVE_MINIMUM,
        maximum: config.SAVE_MAXIMUM,
        log,
        onSaved: (face) => void audit.record(automaticEnrolment(face)),
      })
    : undefined;
  const announcer = createAnnouncer();
  return {
    config,
    pack,
    vision,
    gallery,
    events,
    metrics,
    decision,
    searches,
    enrolments,
    identifier: createIdentifier({
      vision,
      gallery,
      nearest,
      searches,
      decision,
      announcer,
      autoEnroller,
      detectLog,
      observer: sightings?.observer,
    }),
    enroller,
    verifier: createVerifier({
      vision,
      nearest,
      searches,
      decision,
      pack: { id: pack.id, length: pack.embedder.length },
    }),
    checkup: createCheckup({
      cacheDir: config.CACHE_DIR,
      pack: { id: pack.id, length: pack.embedder.length },
      ...{ gallery, searches, decision, log },
    }),
    corrector: createCorrector({
      vision,
      gallery,
      enrolments,
      pack: { id: pack.id, length: pack.embedder.length },
      keepFaces: config.KEEP_FACES,
    }),
    announcer,
    receipts: createReceipts({ ...deps, gallery }),
    sightings,
    notices: deps.notices,
    naming:
      sightings && createNaming({ store: sightings.store, gallery, enroller, keepFaces: config.KEEP_FACES }),
    keys,
    sessions: createSessions({ keys, days: config.SESSION_DAYS }),
    lastUse: createLastUse({ file: path.join(config.CACHE_DIR, 'key-use.json') }),
    audit,
    bytes: createShares({
      total: Math.max(config.MAX_BYTES_IN_FLIGHT, JSON_WEIGHT * pictureBodyLimit(config.MAX_UPLOAD_BYTES)),
      share,
      retryAfter: 2,
      full: 'Too much is being sent to this server at the moment',
      mine: 'This caller is sending too much at once',
    }),
    share,
    async close() {
      endGivingWay();
      for (const one of upkeep) await one.close();
    },
  };
}

/** Whoever deletes somebody is answered when what is kept of them beside the gallery is erased, too. */
function galleryOf({ config, gallery, sightings, leftSightings = [], detectLog }: ServicesDeps): Gallery {
  const erasers: Eraser[] = [createJournalEraser(path.join(config.CACHE_DIR, 'batch'))];
  if (detectLog)
    erasers.push({
      async after(faceids) {
        const detections = await detectLog.erase(faceids);
        return detections === undefined ? {} : { detections };
      },
    });
  const followers = [...(sightings ? [sightings] : []), ...leftSightings];
  return withErasers(followers.reduce(withSightings, gallery), erasers);
}

function automaticEnrolment({ faceid, id }: Face) {
  const whom = { ...splitFaceId(faceid), faces: [id] };
  return { ...AUTOMATIC, action: 'enrol', whom, outcome: 'done' } as const;
}
