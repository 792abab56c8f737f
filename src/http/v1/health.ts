import { Type } from 'typebox';
import { VERSION } from '../../platform/version.js';
import type { App } from '../app-type.js';
import { ErrorSchema, errorsOf, Nullable, ThresholdsSchema, TimeSchema } from '../schemas.js';
import type { Services } from '../services.js';
import { summaryOf } from './notices.js';
import { sightingFigures, SightingFiguresSchema } from './sighting-figures.js';
import { statusOf, troubleOf, TroubleSchema } from '../trouble.js';

const count = Type.Integer({ minimum: 0 });

const HealthSchema = Type.Object({
  status: Type.Enum(['ok', 'degraded', 'unavailable']),
  trouble: Type.Optional(TroubleSchema),
  version: Type.Optional(Type.String()),
  uptime: Type.Optional(Type.Number({ minimum: 0, description: 'Seconds since this process began.' })),
  pack: Type.Optional(
    Type.Object({
      id: Type.String(),
      title: Type.String(),
      licence: Type.String(),
      detector: Type.String(),
      embedder: Type.String(),
      precision: Type.String({ description: 'Numbers that the embedder computes in.' }),
    }),
  ),
  thresholds: Type.Optional(ThresholdsSchema),
  keepFaces: Type.Optional(
    Type.Boolean({
      description:
        'Whether a thumbnail is kept of each face that is enrolled now (`KEEP_FACES`). Those kept before can be shown either way.',
    }),
  ),
  vision: Type.Optional(
    Type.Object({
      threads: count,
      queued: count,
      running: count,
      provider: Type.String(),
      refusedProviders: Type.Array(Type.Object({ provider: Type.String(), reason: Type.String() })),
      kernels: Type.Optional(
        Type.String({
          description:
            "What runs the detector's networks: `onnx` for ONNX Runtime, or the registers of the loops that do (`avx512`, `avx2`, `neon`, `plain`).",
        }),
      ),
      deaths: Type.Optional(
        Type.Integer({ minimum: 0, description: 'Threads that died since the start; the log says why.' }),
      ),
      note: Type.Optional(
        Type.String({ description: 'How the settings were followed, where it is not plain.' }),
      ),
    }),
  ),
  gallery: Type.Optional(
    Type.Object({
      pack: Type.String(),
      people: count,
      faces: count,
      groups: count,
      corrections: Type.Integer({ minimum: 0, description: 'Faces that are said not to be somebody’s.' }),
      otherPacks: Type.Record(Type.String(), count),
      setAside: Type.Integer({
        minimum: 0,
        description: 'Damaged files or keys that were set aside or passed over; the log names them.',
      }),
      obstacle: Type.Optional(Type.String({ description: 'What keeps the gallery from being written.' })),
      index: Type.String({ description: 'How nearly everybody is searched.' }),
      snapshot: Type.Optional(
        Type.Object(
          {
            number: Type.Integer({ minimum: 0 }),
            recall: Type.Number({
              minimum: 0,
              maximum: 1,
              description: 'How often its search finds whom an exact one finds first.',
            }),
            newer: Type.Integer({
              minimum: 0,
              description: 'People who were added, changed or deleted since; they are in memory.',
            }),
            newerIndex: Type.String({ description: 'How those are searched.' }),
          },
          {
            description: 'What of the gallery is mapped from the disk; absent where all of it is in memory.',
          },
        ),
      ),
    }),
  ),
  notices: Type.Optional(
    Type.Object(
      {
        receivers: count,
        failing: Type.Integer({ minimum: 0, description: 'Receivers that take nothing at the moment.' }),
        delivered: count,
        dropped: Type.Integer({ minimum: 0, description: 'Notices that were older than `EVENT_MAX_AGE`.' }),
        failed: Type.Integer({ minimum: 0, description: 'Attempts that failed; they are made again.' }),
        waitingSince: Nullable({
          ...TimeSchema,
          description: 'When the oldest thing happened that a receiver has yet to take; null: all take all.',
        }),
      },
      { description: 'What others are told (docs/notices.md); absent where nobody is.' },
    ),
  ),
  sightings: Type.Optional(SightingFiguresSchema),
  events: Type.Optional(
    Type.Object(
      {
        log: Type.Enum(['file', 'redis']),
        behind: Type.Integer({ minimum: 0, description: 'Events read that are not in the index yet.' }),
        manager: Type.Enum(['running', 'restarting']),
        trouble: Type.Union([Type.String(), Type.Null()], {
          description:
            'Why the log cannot be followed at the moment: enrolments are refused, recognition goes on.',
        }),
      },
      { description: 'How changes of other workers arrive; absent with `EVENT_LOG=none`.' },
    ),
  ),
});

/**
 * `GET /api/v1/health`: whether this worker can work (503 when it cannot) and, for callers with a key, what it consists
 * of.
 */
export function healthRoutes(app: App, services: Services): void {
  const { config, vision, gallery, pack, decision, events, notices, sightings } = services;
  app.get(
    '/api/v1/health',
    {
      config: { access: 'public' },
      schema: {
        summary: 'What this server is made of',
        description: '503 when it cannot see.',
        tags: ['operation'],
        response: { 200: HealthSchema, 503: HealthSchema, ...errorsOf(ErrorSchema, 500) },
      },
    },
    ({ caller }, reply) => {
      const { id, title, licence, detector, embedder } = pack;
      const state = vision.info();
      const able = state.threads > 0;
      reply.status(able ? 200 : 503);
      const trouble = troubleOf(services);
      const status = statusOf(able, trouble);
      if (caller.via === 'nothing') return { status };
      return {
        status,
        trouble: trouble.length > 0 ? trouble : undefined,
        version: VERSION,
        uptime: Math.round(process.uptime()),
        pack: {
          id,
          title,
          licence,
          detector: detector.kind,
          embedder: embedder.name,
          precision: embedder.precision ?? 'float32',
        },
        thresholds: decision.meaning(caller.groups),
        keepFaces: config.KEEP_FACES,
        vision: state,
        gallery: gallery.info(caller.groups),
        events: events?.info(),
        notices: notices && summaryOf(notices.info().receivers),
        sightings: sightingFigures(sightings, caller),
      };
    },
  );
}
