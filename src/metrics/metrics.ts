import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Gallery } from '../gallery/types.js';
import type { VisionPool } from '../vision/types.js';
import { processRegistry } from './process.js';
import { createSharedFigures } from './shared.js';
import { createRate, createWindow } from './window.js';

/** Where a request's time goes, in order. */
export const STAGES = ['queue', 'decode', 'detect', 'embed', 'search'] as const;
export type Stage = (typeof STAGES)[number];

/** Bounds of the latency histograms, seconds. */
const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** The status page's percentiles are of so many samples, of the last so many milliseconds. */
const SAMPLES = 1000;
const SAMPLES_LAST = 5 * 60_000;
const RATE_SECONDS = 60;

export interface MetricsDeps {
  vision: VisionPool;
  gallery: Gallery;
  /** How far this worker is behind the event log; left out where it follows none. */
  events?: { info: () => { behind: number } };
  /** What others are told; left out where nobody is. */
  notices?: { info: () => { receivers: readonly ToldFigures[] } } | undefined;
  /** Where the workers of this machine share their figures; left out: this one is alone. */
  sharing?: { folder: string; warn: (message: string) => void };
}

/** What is shown of sightings: see src/sightings/observer.ts and figures.ts. */
export interface WatchedSightings {
  info: () => {
    seen: number;
    open: number;
    waiting: number;
    written: number;
    dropped: number;
    trouble?: string;
  };
  kept: () =>
    | { sightings: number; strangers: number; unknowns: number; oldest: number | null; bytes: number }
    | undefined;
}

/** How far a receiver of notices was told. */
interface ToldFigures {
  delivered: number;
  dropped: number;
  failed: number;
  failing: object | null;
  /** ISO 8601. */
  waitingSince: string | null;
}

/** This worker's figures; see {@link createMetrics}. */
export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Measures the vision threads and the gallery's search: callers use them through `vision` and `nearest` of the result,
 * and need no code of their own for it.
 */
export function createMetrics({ vision, gallery, events, notices, sharing }: MetricsDeps) {
  const registry = new Registry();
  const registers = [registry];
  const windows = new Map(STAGES.map((stage) => [stage, createWindow(SAMPLES, SAMPLES_LAST)]));
  const rate = createRate(RATE_SECONDS);
  let total = 0;
  let errors = 0;
  const frameRate = createRate(RATE_SECONDS);
  const streams = { open: 0, frames: 0, errors: 0 };

  const named = (name: string, help: string) => ({ name, help, registers });
  const requests = new Counter({
    ...named('kaomon_requests_total', 'Requests answered.'),
    labelNames: ['method', 'route', 'status'] as const,
  });
  const durations = new Histogram({
    ...named('kaomon_request_duration_seconds', 'From a request to its answer.'),
    labelNames: ['route'] as const,
    buckets: BUCKETS,
  });
  const frames = new Counter({
    ...named('kaomon_stream_frames_total', 'Frames of streams, by how they were answered.'),
    labelNames: ['outcome'] as const,
  });
  const stages = new Histogram({
    ...named('kaomon_stage_duration_seconds', 'Where the time of a picture goes.'),
    labelNames: ['stage'] as const,
    buckets: BUCKETS,
  });
  /** @param aggregator how the workers' numbers are combined */
  const gauge = (name: string, help: string, aggregator: 'sum' | 'max', read: () => number) =>
    new Gauge({
      ...named(name, help),
      aggregator,
      collect() {
        this.set(read());
      },
    });
  gauge(
    'kaomon_vision_queue_length',
    'Pictures waiting for a vision thread.',
    'sum',
    () => vision.info().queued,
  );
  gauge('kaomon_streams_open', 'Streams that are open.', 'sum', () => streams.open);
  gauge('kaomon_vision_running', 'Pictures being worked on.', 'sum', () => vision.info().running);
  gauge('kaomon_vision_threads', 'Vision threads that run.', 'sum', () => vision.info().threads);
  new Counter({
    ...named('kaomon_vision_thread_deaths_total', 'Vision threads that died.'),
    collect() {
      this.reset();
      this.inc(vision.info().deaths ?? 0);
    },
  });
  // Every worker has the whole gallery, and an alarm must hear of the worst of them.
  gauge('kaomon_gallery_people', 'People enrolled.', 'max', () => gallery.info().people);
  gauge('kaomon_gallery_faces', 'Pictures enrolled.', 'max', () => gallery.info().faces);
  gauge('kaomon_corrections', 'Faces said not to be theirs.', 'max', () => gallery.info().corrections);
  if (notices) watchNotices(() => notices.info().receivers);
  if (events) gauge('kaomon_events_behind', 'Events not yet applied.', 'max', () => events.info().behind);

  /** Every worker knows what all have delivered. */
  function watchNotices(receivers: () => readonly ToldFigures[]): void {
    const sum = (of: (one: ToldFigures) => number) => () =>
      receivers().reduce((total, one) => total + of(one), 0);
    const age = (at: string | null) => (at === null ? 0 : Math.max(0, (Date.now() - Date.parse(at)) / 1000));
    for (const what of ['delivered', 'dropped', 'failed'] as const)
      gauge(
        `kaomon_notices_${what}`,
        `Notices ${what}, as far as was written down.`,
        'max',
        sum((one) => one[what]),
      );
    gauge(
      'kaomon_notices_receivers_failing',
      'Receivers that take none.',
      'max',
      () => receivers().filter(({ failing }) => failing !== null).length,
    );
    gauge('kaomon_notices_oldest_seconds', 'How old the oldest notice is that waits.', 'max', () =>
      Math.max(0, ...receivers().map(({ waitingSince }) => age(waitingSince))),
    );
  }

  const registries = [processRegistry(), registry];
  const shared =
    sharing &&
    createSharedFigures({
      ...sharing,
      collect: async () => (await Promise.all(registries.map((one) => one.getMetricsAsJSON()))).flat(),
    });

  function observe(stage: Stage, ms: number): void {
    stages.observe({ stage }, ms / 1000);
    windows.get(stage)?.add(ms);
  }

  const watchedVision: VisionPool = {
    async analyze(bytes, options) {
      const analysis = await vision.analyze(bytes, options);
      const { times } = analysis;
      for (const stage of ['queue', 'decode', 'detect', 'embed'] as const) observe(stage, times[stage]);
      return analysis;
    },
    info: () => vision.info(),
    close: () => vision.close(),
  };

  const nearest: Gallery['nearest'] = async (...asked) => {
    const started = performance.now();
    const matches = await gallery.nearest(...asked);
    observe('search', performance.now() - started);
    return matches;
  };

  /** Shows work that callers share (identity/counted-work.ts). @param name in the figures' names @param what it is, in words */
  function watchWork(
    name: string,
    what: string,
    work: { info: () => { inFlight: number; refused: Record<string, number> } },
  ): void {
    const inFlight = () => work.info().inFlight;
    gauge(`kaomon_${name}_in_flight`, `${what} that run or wait.`, 'sum', inFlight);
    new Counter({
      ...named(
        `kaomon_${name}_refused_total`,
        `${what} refused: \`busy\` (503) or the \`caller\` has its share (429).`,
      ),
      labelNames: ['reason'] as const,
      collect() {
        this.reset();
        for (const [reason, count] of Object.entries(work.info().refused)) this.inc({ reason }, count);
      },
    });
  }

  /** Shows what is kept of who came by (src/sightings). */
  function watchSightings({ info, kept }: WatchedSightings): void {
    const counter = (name: string, help: string, read: () => number) =>
      new Counter({
        ...named(name, help),
        collect() {
          this.reset();
          this.inc(read());
        },
      });
    counter('kaomon_visits_seen_total', 'Visits seen.', () => info().seen);
    counter('kaomon_visits_written_total', 'How often a visit was written.', () => info().written);
    counter('kaomon_visits_dropped_total', 'Faces and visits that were not kept.', () => info().dropped);
    gauge('kaomon_visits_open', 'Visits that go on.', 'sum', () => info().open);
    gauge('kaomon_visits_waiting', 'Visits that wait to be written.', 'sum', () => info().waiting);
    const isFailing = () => (info().trouble === undefined ? 0 : 1);
    gauge('kaomon_sightings_failing', '1 while sightings cannot be written.', 'max', isFailing);
    // The workers of a machine share the file.
    const ofFile = (
      name: string,
      help: string,
      read: (all: NonNullable<ReturnType<typeof kept>>) => number,
    ) =>
      gauge(name, help, 'max', () => {
        const all = kept();
        return all ? read(all) : 0;
      });
    ofFile('kaomon_sightings', 'Sightings that are kept.', ({ sightings }) => sightings);
    ofFile('kaomon_sightings_of_strangers', 'Those of strangers.', ({ strangers }) => strangers);
    ofFile('kaomon_unknowns', 'Strangers whose sightings stand together.', ({ unknowns }) => unknowns);
    ofFile('kaomon_sightings_bytes', 'Size of their file.', ({ bytes }) => bytes);
    ofFile(
      'kaomon_sightings_oldest_seconds',
      'When the oldest one ended, seconds since 1970; 0: there is none.',
      ({ oldest }) => (oldest ?? 0) / 1000,
    );
  }

  return {
    vision: watchedVision,
    watchWork,
    watchSightings,
    /** The gallery's search. */
    nearest,

    /** Counts an answer. @param route its pattern, never a path that a caller wrote */
    answered(method: string, route: string, status: number, ms: number): void {
      total += 1;
      if (status >= 500) errors += 1;
      rate.add();
      requests.inc({ method, route, status: String(status) });
      durations.observe({ route }, ms / 1000);
    },

    /** A stream was opened, or has ended. */
    streamOpened: () => void (streams.open += 1),
    streamEnded: () => void (streams.open -= 1),

    /** Counts a frame of a stream. @param outcome `skipped`: a newer one came before its turn; `failed`: by our fault */
    frameAnswered(outcome: 'answered' | 'skipped' | 'refused' | 'failed'): void {
      frames.inc({ outcome });
      if (outcome === 'skipped') return;
      streams.frames += 1;
      if (outcome === 'failed') streams.errors += 1;
      frameRate.add();
    },

    contentType: registry.contentType,

    /** Everything in Prometheus's format; of all workers of this machine if there are several. */
    async text(): Promise<string> {
      return await (shared?.text() ?? Registry.merge(registries).metrics());
    },

    /** Milliseconds by stage, over the last five minutes and at most 1,000 samples. */
    stages: () =>
      Object.fromEntries(STAGES.map((stage) => [stage, windows.get(stage)?.summary()])) as Record<
        Stage,
        { count: number; p50: number | null; p95: number | null }
      >,

    requests: () => ({ total, errors, perSecond: rate.perSecond() }),

    /** The streams of this worker, and their frames: those that were skipped are not counted. */
    streams: () => ({ ...streams, perSecond: frameRate.perSecond() }),

    async close(): Promise<void> {
      await shared?.close();
    },
  };
}
