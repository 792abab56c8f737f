import path from 'node:path';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { type AppDeps, buildApp } from '../../src/app.js';
import { type Config, loadConfig } from '../../src/settings/config.js';
import { throwIfGone } from '../../src/platform/errors.js';
import { createFileStore } from '../../src/gallery/store/file-store.js';
import { createGallery } from '../../src/gallery/gallery.js';
import { openGallery } from '../../src/gallery/open.js';
import { createExactIndex } from '../../src/gallery/index/exact-index.js';
import type { Gallery } from '../../src/gallery/types.js';
import type { App } from '../../src/http/app-type.js';
import type { ReadyPack } from '../../src/models/types.js';
import { QUIET_ERRORS } from '../../src/platform/log.js';
import { groupingFor } from '../../src/sightings/unknowns/grouping-for.js';
import { openSightings, type Sightings } from '../../src/sightings/open.js';
import { decodeImage } from '../../src/vision/image.js';
import { associate, SCENE } from '../../src/vision/track.js';
import type { AnalysedFace, AnalyzeOptions, VisionInfo, VisionPool } from '../../src/vision/types.js';
import { temporaryFolder } from './temporary.js';

const LENGTH = 4;

/** A pack by name only: nothing of it is on disk. */
export const PACK: ReadyPack = {
  id: 'tiny',
  title: 'A pack for tests',
  licence: 'MIT',
  detector: { kind: 'ssd', ssd: '/nowhere', landmarks: '/nowhere' },
  embedder: {
    name: 'tiny',
    network: '/nowhere',
    length: LENGTH,
    size: 32,
    colour: 'rgb',
    mean: 0,
    scale: 1,
    alignment: 'box',
  },
  ageGender: undefined,
  thresholds: { identical: 0.5, sure: 0.25 },
};

/** A unit vector at the squared L2 distance `distance` (0 to 4) from `unitVector(0)`. */
export function unitVector(distance: number): Float32Array {
  const cosine = 1 - distance / 2;
  return Float32Array.of(cosine, Math.sqrt(Math.max(0, 1 - cosine ** 2)), 0, 0);
}

/** A square face at (10, 10). */
export function face(size = 100, distance = 0): AnalysedFace {
  return {
    box: { x1: 10, y1: 10, x2: 10 + size, y2: 10 + size },
    probability: 0.99,
    landmarks: undefined,
    embedding: unitVector(distance),
  };
}

/** Really decodes, then answers the faces it was told to. */
export interface ScriptedVision extends VisionPool {
  /** What the next pictures hold. */
  faces: AnalysedFace[];
  /** Thrown instead, when set. */
  failure: Error | undefined;
  /** Awaited before each answer. */
  gate: Promise<void>;
  state: VisionInfo;
  asked: AnalyzeOptions[];
  /** For whom each was asked. */
  askedFor: Pick<AnalyzeOptions, 'caller' | 'signal'>[];
}

export function scriptedVision(maxPixels: number): ScriptedVision {
  const vision: ScriptedVision = {
    faces: [],
    failure: undefined,
    gate: Promise.resolve(),
    state: { threads: 1, queued: 0, running: 0, provider: 'cpu', refusedProviders: [], kernels: 'avx2' },
    asked: [],
    askedFor: [],
    async analyze(bytes, { caller, signal, ...options } = {}) {
      vision.asked.push(options);
      vision.askedFor.push({ ...(caller !== undefined && { caller }), ...(signal && { signal }) });
      const { faces } = vision;
      const answered = new AbortController();
      const gone = signal && once(signal, 'abort', { signal: answered.signal }).catch(() => undefined);
      await (gone ? Promise.race([vision.gate, gone]) : vision.gate);
      answered.abort();
      throwIfGone(signal);
      if (vision.failure) throw vision.failure;
      const { width, height } = await decodeImage(bytes, { maxPixels });
      return {
        ...{ width, height, scene: new Uint8Array(SCENE.columns * SCENE.rows) },
        faces: options.track ? asTracked(faces, options.track) : faces,
        times: { queue: 0, decode: 1, detect: 2, embed: 3 },
      };
    },
    info: () => vision.state,
    close: () => Promise.resolve(),
  };
  return vision;
}

/** What a vision thread answers of these faces to a call that tracks: known ones are embedded when that is asked for. */
export function asTracked(
  faces: readonly AnalysedFace[],
  track: NonNullable<AnalyzeOptions['track']>,
): AnalysedFace[] {
  return associate(
    faces.map((face) => ({ ...face, landmarks: undefined })),
    track.faces,
  ).flatMap(({ known }, i) => {
    if (known === undefined) return track.search ? [faces[i]] : [];
    const { embedding, ...face } = faces[i];
    const isEmbedded = embedding && track.faces[known].embed;
    return [{ ...face, known, ...(isEmbedded && { embedding: embedding.slice() }) }];
  });
}

export interface TestApp {
  app: App;
  vision: ScriptedVision;
  gallery: Gallery;
  /** Opened where `SIGHTINGS` is set; else nobody who came by is kept. */
  sightings: Sightings | undefined;
  /** The settings in force, folders of the test's own among them. */
  config: Config;
  /** The log's lines so far. */
  log: Record<string, unknown>[];
}

/** A gallery that no other worker changes. */
async function openOwn(folder: string): Promise<Gallery> {
  const store = createFileStore({ folder, pack: PACK.id, length: LENGTH, warn: () => undefined });
  return createGallery({ pack: PACK.id, store, index: createExactIndex(LENGTH), templates: true });
}

/**
 * The galleries of some workers of one machine, who hear of each other's changes.
 * @param count how many
 */
export async function workersGalleries(t: Pick<TestContext, 'after'>, count: number): Promise<Gallery[]> {
  const folder = await temporaryFolder(t);
  const config = loadConfig({ EMBEDDINGS_DIR: path.join(folder, 'embeddings'), CACHE_DIR: folder });
  const galleries: Gallery[] = [];
  for (let i = 0; i < count; i++) {
    const { gallery } = await openGallery(config, {
      ...{ pack: PACK, index: createExactIndex(LENGTH), follow: true, warn: () => undefined },
    });
    t.after(() => gallery.close());
    galleries.push(gallery);
  }
  return galleries;
}

/** The whole app over a scripted vision and a gallery, in a folder of the test's own unless it is given. */
export async function testApp(
  t: Pick<TestContext, 'after'>,
  settings: Partial<Config> = {},
  deps: Partial<AppDeps> = {},
): Promise<TestApp> {
  const opened: { app?: App; sightings?: Sightings } = {};
  // Before the folder goes: closing still writes the audit.
  t.after(() => opened.app?.close());
  t.after(() => opened.sightings?.close());
  const folder = await temporaryFolder(t);
  // Keys are asked for where a test says so; how busy the machine is says nothing about the app.
  const own = { AUTH: 'none', MAX_EVENT_LOOP_DELAY: 0, MAX_PIXELS: 1_000_000 } as const;
  const folders = { EMBEDDINGS_DIR: folder, CACHE_DIR: await temporaryFolder(t) };
  const config = { ...loadConfig(folders), ...own, ...settings };
  const vision = scriptedVision(config.MAX_PIXELS);
  const gallery = deps.gallery ?? (await openOwn(folder));
  const log: Record<string, unknown>[] = [];
  const sink = { write: (line: string) => log.push(JSON.parse(line) as Record<string, unknown>) };
  const logger = pino({ ...QUIET_ERRORS, level: 'debug' }, sink);
  const { identical: pair } = PACK.thresholds;
  if (config.SIGHTINGS)
    opened.sightings = await openSightings({
      ...{ config, pack: PACK.id, pair, gallery, log: logger },
      unknowns: groupingFor(PACK, config),
    });
  const { sightings } = opened;
  const app = await buildApp({ config, vision, gallery, sightings, pack: PACK, logger, ...deps });
  opened.app = app;
  await app.ready();
  return { app, vision, gallery, sightings, config, log };
}
