import { type Static, Type } from 'typebox';
import sharp from 'sharp';
import { STAGES } from '../../metrics/metrics.js';
import { keepsFromSearching } from '../../platform/files/obstacles.js';
import { loopDelayP99 } from '../../platform/loop-delay.js';
import { VERSION } from '../../platform/version.js';
import type { Config } from '../../settings/config.js';
import { daysOf } from '../../sightings/retention.js';
import type { App } from '../app-type.js';
import { onBehalfOf } from '../on-behalf.js';
import { ErrorSchema, errorsOf, Nullable, ThresholdsSchema } from '../schemas.js';
import type { Services } from '../services.js';
import { statusOf, troubleOf, TroubleSchema } from '../trouble.js';
import { sightingFigures, SightingFiguresSchema } from './sighting-figures.js';

const tags = ['operation'];
const count = Type.Integer({ minimum: 0 });
const ms = Type.Number({ minimum: 0, description: 'Milliseconds.' });

/** Most damaged files and keys that are listed. */
const MOST_NAMED = 100;

const StageSchema = Type.Object({ count, p50: Nullable(ms), p95: Nullable(ms) });
const StatusSchema = Type.Object({
  version: Type.String(),
  uptime: Type.Number({ minimum: 0, description: 'Seconds since this process began.' }),
  pid: count,
  workers: Type.Integer({ minimum: 1 }),
  pack: Type.String(),
  title: Type.String({ description: "The pack's name." }),
  thresholds: ThresholdsSchema,
  offer: Type.Optional(
    Type.Object(
      { pack: Type.String(), title: Type.String(), command: Type.String() },
      {
        description:
          'A better pack that this machine has, while people are enrolled with another one. The command makes its gallery from the pictures that were kept; whoever has none is enrolled again.',
      },
    ),
  ),
  provider: Type.String(),
  refusedProviders: Type.Array(Type.Object({ provider: Type.String(), reason: Type.String() })),
  vision: Type.Object({
    threads: count,
    queued: count,
    running: count,
    kernels: Type.Optional(Type.String({ description: 'As in /api/v1/health.' })),
    note: Type.Optional(
      Type.String({ description: 'How the settings were followed, where it is not plain.' }),
    ),
  }),
  gallery: Type.Record(Type.String(), Type.Unknown(), { description: 'As in /api/v1/health.' }),
  requests: Type.Object({ total: count, errors: count, perSecond: Type.Number({ minimum: 0 }) }),
  streams: Type.Object(
    { open: count, frames: count, errors: count, perSecond: Type.Number({ minimum: 0 }) },
    { description: 'Streams that are open, and the frames of all streams; a stream is one of `requests`.' },
  ),
  stages: Type.Object(Object.fromEntries(STAGES.map((stage) => [stage, StageSchema])), {
    description: 'Of the last five minutes.',
  }),
  memory: Type.Object({ rss: count }),
  eventLoop: Type.Object({
    p99: Type.Number({ minimum: 0, description: 'How late it turns, milliseconds.' }),
  }),
  events: Type.Optional(Type.Object({ behind: count })),
  retention: Type.Object(
    {
      consent: Type.Enum(['optional', 'required'], { description: '`CONSENT`' }),
      facePictures: Type.Boolean({ description: '`KEEP_FACES`' }),
      sightingsDays: Nullable(Type.Number({ description: '`SIGHTINGS_DAYS`; null: nobody is kept.' })),
      unknownsDays: Nullable(Type.Number({ description: '`UNKNOWNS_DAYS`' })),
      sightingPicturesDays: Nullable(
        Type.Number({ description: '`SIGHTING_PICTURES_DAYS`; null: no pictures are kept.' }),
      ),
      auditDays: Nullable(Type.Number({ description: '`AUDIT_DAYS`; null: for ever.' })),
      detectSeconds: Nullable(Type.Number({ description: '`DETECT_EXPIRE`; null: there is no detect log.' })),
      eventSeconds: Nullable(Type.Number({ description: '`EVENT_MAX_AGE`; null: there is no event log.' })),
    },
    { description: 'What is kept, and how long (docs/privacy.md).' },
  ),
  sightings: Type.Optional(SightingFiguresSchema),
  trouble: Type.Optional(TroubleSchema),
  damaged: Type.Optional(
    Type.Array(Type.Object({ what: Type.String(), reason: Type.String() }), {
      description:
        'Files and keys that could not be read and were set aside or passed over; for administrators of all groups, because files are named after people.',
    }),
  ),
});

const WorksSchema = Type.Object({
  status: Type.Enum(['ok', 'degraded', 'unavailable']),
  trouble: Type.Optional(TroubleSchema),
});
const SelfTestSchema = Type.Object({
  status: Type.Literal('ok'),
  width: count,
  height: count,
  faces: count,
  times: Type.Record(Type.String(), ms),
});

/** `GET /api/v1/live`, `/ready`, `/selftest` and `/status`. */
export function statusRoutes(app: App, services: Services): void {
  const { config, vision, gallery, pack, decision, metrics, events, sightings } = services;

  app.get(
    '/api/v1/live',
    {
      config: { access: 'public', rateLimit: false },
      schema: {
        summary: 'Whether this process answers',
        tags,
        response: { 200: WorksSchema, ...errorsOf(ErrorSchema, 500) },
      },
    },
    () => ({ status: 'ok' as const }),
  );

  app.get(
    '/api/v1/ready',
    {
      config: { access: 'public', rateLimit: false },
      schema: {
        summary: 'Whether this worker can recognise',
        description:
          '503 when it cannot, as while Milvus is away that searches faces. `degraded` (200) when it can, but the disk is full or read-only, say: `trouble` says what.',
        tags,
        response: { 200: WorksSchema, 503: WorksSchema, ...errorsOf(ErrorSchema, 500) },
      },
    },
    (_request, reply) => {
      // The app is built once the networks have run and the gallery is read; after that only a thread can fail, or an
      // engine outside that searches faces.
      const able = vision.info().threads > 0 && !keepsFromSearching(gallery.info().obstacle);
      const trouble = troubleOf(services);
      reply.status(able ? 200 : 503);
      return { status: statusOf(able, trouble), trouble: trouble.length > 0 ? trouble : undefined };
    },
  );

  app.get(
    '/api/v1/selftest',
    {
      config: { access: 'recognise', rateLimit: { max: 10, timeWindow: 60_000 } },
      exposeHeadRoute: false,
      schema: {
        summary: 'Run the networks on a made picture',
        tags,
        response: { 200: SelfTestSchema, ...errorsOf(ErrorSchema, 500, 503) },
      },
    },
    async (request) => {
      const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const;
      const picture = await sharp({
        create: { width: 320, height: 240, channels: 3, background: '#808080', noise },
      })
        .jpeg()
        .toBuffer();
      const { width, height, faces, times } = await vision.analyze(picture, onBehalfOf(request));
      return { status: 'ok' as const, width, height, faces: faces.length, times: { ...times } };
    },
  );

  app.get(
    '/api/v1/status',
    {
      config: { access: 'recognise' },
      schema: {
        summary: "This worker's figures",
        tags,
        response: { 200: StatusSchema, ...errorsOf(ErrorSchema, 500) },
      },
    },
    ({ caller }) => {
      const { provider, refusedProviders, threads, queued, running, kernels, note } = vision.info();
      const trouble = troubleOf(services);
      const damaged = caller.role === 'admin' && !caller.groups ? gallery.damaged().slice(0, MOST_NAMED) : [];
      return {
        version: VERSION,
        uptime: Math.round(process.uptime()),
        pid: process.pid,
        workers: config.WORKERS,
        pack: pack.id,
        title: pack.title,
        thresholds: decision.meaning(caller.groups),
        offer: pack.offer,
        provider,
        refusedProviders,
        vision: { threads, queued, running, kernels, note },
        gallery: { ...gallery.info(caller.groups) },
        retention: retentionOf(config),
        trouble: trouble.length > 0 ? trouble : undefined,
        damaged: damaged.length > 0 ? damaged : undefined,
        requests: metrics.requests(),
        streams: metrics.streams(),
        stages: metrics.stages(),
        memory: { rss: process.memoryUsage.rss() },
        eventLoop: { p99: loopDelayP99() },
        events: events && { behind: events.info().behind },
        sightings: sightingFigures(sightings, caller),
      };
    },
  );
}

function retentionOf(config: Config): Static<typeof StatusSchema>['retention'] {
  const { people, strangers, pictures } = daysOf(config);
  return {
    consent: config.CONSENT,
    facePictures: config.KEEP_FACES,
    sightingsDays: config.SIGHTINGS ? people : null,
    unknownsDays: config.SIGHTINGS ? strangers : null,
    sightingPicturesDays: config.SIGHTINGS && config.KEEP_SIGHTINGS ? pictures : null,
    auditDays: config.AUDIT_DAYS || null,
    detectSeconds: config.ENABLE_DETECT_DB ? config.DETECT_EXPIRE : null,
    eventSeconds: config.EVENT_LOG === 'none' ? null : config.EVENT_MAX_AGE,
  };
}
