import sharp from 'sharp';
import type { ReadyPack } from '../models/types.js';
import { createAgeGender } from './age-gender.js';
import { cutFace } from './align.js';
import { createEmbedder } from './embedder.js';
import { answerAsEmpty, emptySceneOf, withoutQuietSearch } from './empty-scene.js';
import { createFaceFinder, type DetectorRuns, type FinderSettings } from './face-finder.js';
import { unfitBy } from './fitness.js';
import { decodeImage, type ImageLimits } from './image.js';
import { type RefusedProvider, Runtime, type SessionOptions } from './ort.js';
import { measureQuality } from './quality.js';
import { Resampler } from './resample.js';
import { isStopped, type Stop, throwIfStopped } from './stop.js';
import { correlation, sceneOf, thumbnailOf } from './track.js';
import type {
  AnalysedFace,
  Analysis,
  Detection,
  EmptyScene,
  Picture,
  StageTimes,
  ThreadOptions,
} from './types.js';
import { isPlain, meanEmbedding, PLAIN } from './views.js';
import { SERIAL, type WorkSharing } from './work-sharing.js';

/** A known face whose thumbnail correlates less with its last one is embedded again (docs/performance.md). */
const CHANGED = 0.8;

export interface AnalyzerSettings extends Omit<SessionOptions, 'selfCheck'>, FinderSettings, ImageLimits {
  pack: ReadyPack;
}

/** An encoded picture, which is only read, and what to look for in it. */
export interface AskedPicture {
  bytes: Uint8Array;
  options: ThreadOptions;
  stop?: Stop;
}

/** A picture whose faces were found and cut out. */
interface CutPicture {
  options: ThreadOptions;
  stop: Stop | undefined;
  picture: Picture;
  faces: CutFace[];
  leftOut: number;
  times: StageTimes;
  detectedAt: number;
  /** Of a frame. */
  scene: Uint8Array | undefined;
  /** Of a frame that was searched for whoever is new and shows nobody. */
  empty: EmptyScene | undefined;
}

interface CutFace {
  detection: Detection;
  /** The answer for it. */
  face: AnalysedFace;
  isEmbedded: boolean;
  /** The embedder's input; undefined when neither embedding, quality nor crop is wanted. */
  crop: Uint8Array | undefined;
}

/** One vision thread's work: pictures in, faces out. One call at a time. */
export interface Analyzer {
  /**
   * @param asked one picture, or several, whose faces are embedded together
   * @returns the outcome of each, in order: one's failure does not affect the others
   */
  analyze(asked: readonly AskedPicture[]): Promise<PromiseSettledResult<Analysis>[]>;
  readonly provider: string;
  readonly refusedProviders: readonly RefusedProvider[];
  /** What runs the detector's networks. */
  readonly detector: DetectorRuns;
  release(): Promise<void>;
}

/**
 * Loads a pack's networks on the first execution provider on which all of them pass the self-check.
 * @param sharing with the other vision threads
 * @throws KaomonError NO_MODEL naming a network that fails even on the CPU, SETUP
 */
export async function createAnalyzer(
  settings: AnalyzerSettings,
  sharing: WorkSharing = SERIAL,
): Promise<Analyzer> {
  const { pack, maxFaces } = settings;
  const { size } = pack.embedder;
  const runtime = new Runtime({ ...settings, selfCheck: true });
  const resampler = new Resampler();
  const { finder, embedder, ageGender } = await runtime.openAll(async () => {
    sharing.forget();
    return {
      finder: await createFaceFinder(runtime, pack, settings, sharing, resampler),
      embedder: await createEmbedder(runtime, pack.embedder, sharing),
      ageGender: await createAgeGender(runtime, pack),
    };
  });
  // Where a GPU does the work there is nothing to share.
  if (runtime.provider !== 'cpu') sharing.close();

  /** Everything up to the embeddings. */
  async function cutFaces({ bytes, options: asked, stop }: AskedPicture): Promise<CutPicture> {
    throwIfStopped(stop);
    const start = performance.now();
    const picture = await decodeImage(bytes, settings);
    throwIfStopped(stop);
    const decodedAt = performance.now();
    const scene = asked.track && sceneOf(picture);
    const options = withoutQuietSearch(asked, scene);
    const all = (await finder.find(picture, options, stop)).slice(0, options.maxFaces);
    throwIfStopped(stop);
    const found = all.slice(0, maxFaces);
    const isEmpty = options.track?.search === true && all.length === 0;
    const empty =
      scene && isEmpty && asked.track?.keepEmpty ? emptySceneOf(bytes, picture, scene) : undefined;
    const detectedAt = performance.now();

    const faces = found.map(({ detection, known }): CutFace => {
      const { box, probability, landmarks } = detection;
      const face: AnalysedFace = { box, probability, landmarks };
      if (options.track) {
        if (known !== undefined) face.known = known;
        face.thumbnail = thumbnailOf(picture, face);
      }
      const isEmbedded = (options.embed ?? true) && mustBeEmbedded(face, options);
      let crop: Uint8Array | undefined;
      if (isEmbedded || options.quality || options.crops) {
        crop = new Uint8Array(3 * size * size);
        cutFace(pack.embedder, picture, detection, resampler, crop);
      }
      return { detection, face, isEmbedded, crop };
    });
    const times = { queue: 0, decode: decodedAt - start, detect: detectedAt - decodedAt, embed: 0 };
    const leftOut = all.length - found.length;
    return { options, stop, picture, faces, leftOut, times, detectedAt, scene, empty };
  }

  /** A frame that shows nobody, as one before it, is answered at once. */
  const look = async (one: AskedPicture) => answerAsEmpty(one.bytes, one.options) ?? (await cutFaces(one));

  /** A face's crops for the pack's views. @param crop the plain one */
  function viewsOf({ options, picture }: CutPicture, detection: Detection, crop: Uint8Array): Uint8Array[] {
    const views = (options.views ? pack.embedder.views : undefined) ?? PLAIN;
    return views.map((view) => {
      if (isPlain(view)) return crop;
      const other = new Uint8Array(crop.length);
      cutFace(pack.embedder, picture, detection, resampler, other, view);
      return other;
    });
  }

  /** Embeds the faces of all pictures together. */
  async function embedAll(pictures: readonly CutPicture[]): Promise<void> {
    const wanted = pictures.flatMap((cut) =>
      cut.faces.flatMap(({ face, detection, isEmbedded, crop }) =>
        crop && isEmbedded && !isStopped(cut.stop) ? [{ face, views: viewsOf(cut, detection, crop) }] : [],
      ),
    );
    // One of several pictures that is no longer wanted must not stop the batch.
    const only = pictures.length === 1 ? pictures[0].stop : undefined;
    const crops = wanted.flatMap(({ views }) => views);
    const embeddings = await embedder.embed(crops, only);
    let from = 0;
    for (const { face, views } of wanted) {
      const ofFace = embeddings.slice(from, (from += views.length));
      face.embedding = ofFace.length > 1 ? meanEmbedding(ofFace) : ofFace[0];
    }
  }

  async function describe({ options, stop, picture, faces, ...cut }: CutPicture): Promise<Analysis> {
    throwIfStopped(stop);
    for (const { face, detection, isEmbedded, crop } of faces) {
      if (crop && (options.quality || isEmbedded)) {
        const { contrast, ...quality } = measureQuality(detection, crop, size);
        face.quality = quality;
        const unfit = unfitBy(
          { ...quality, contrast, side: size, quantisation: picture.quantisation },
          detection,
        );
        if (unfit) face.unfit = unfit;
        else if (options.aligned && isEmbedded) face.aligned = crop;
      }
      if (options.ageGender && ageGender) {
        throwIfStopped(stop);
        await ageGender.describe(picture, detection, face);
      }
    }
    if (options.crops) await Promise.all(faces.map((one) => drawCrop(one, size)));
    const { width, height } = picture;
    const analysis: Analysis = { width, height, faces: faces.map(({ face }) => face), times: cut.times };
    if (cut.leftOut > 0) analysis.leftOut = cut.leftOut;
    if (options.track) {
      analysis.scene = cut.scene;
      analysis.empty = cut.empty;
      analysis.searched = options.track.search;
    }
    analysis.times.embed = performance.now() - cut.detectedAt;
    return analysis;
  }

  return {
    get provider() {
      return runtime.provider;
    },
    refusedProviders: runtime.refused,
    detector: finder.runs,

    async analyze(asked) {
      const looked: PromiseSettledResult<CutPicture | Analysis>[] = [];
      // One after the other: the networks reuse their buffers.
      for (const one of asked) looked.push(await settle(look(one)));
      const good = looked.flatMap((result) =>
        result.status === 'fulfilled' && isCut(result.value) ? [result.value] : [],
      );
      const embedded = await settle(embedAll(good));
      const results: PromiseSettledResult<Analysis>[] = [];
      for (const result of looked) {
        if (result.status === 'rejected') results.push(result);
        else results.push(await settle(finish(result.value)));
      }

      async function finish(one: CutPicture | Analysis): Promise<Analysis> {
        if (!isCut(one)) return one;
        if (embedded.status === 'rejected') {
          if (good.length === 1) throw embedded.reason;
          // One of several has failed: each is tried again by itself.
          await embedAll([one]);
        }
        return describe(one);
      }
      return results;
    },

    async release() {
      await finder.release();
      await embedder.release();
      await ageGender?.release();
    },
  };
}

async function settle<T>(work: Promise<T>): Promise<PromiseSettledResult<T>> {
  const [result] = await Promise.allSettled([work]);
  return result;
}

const isCut = (one: CutPicture | Analysis): one is CutPicture => 'picture' in one;

/** Whether a face must be embedded: always, unless it is a known one that has not changed. */
function mustBeEmbedded({ known, thumbnail }: AnalysedFace, { track }: ThreadOptions): boolean {
  const before = known === undefined ? undefined : track?.faces[known];
  if (!before || before.embed || !before.thumbnail || !thumbnail) return true;
  return correlation(thumbnail, before.thumbnail) < CHANGED;
}

async function drawCrop({ face, crop }: CutFace, size: number): Promise<void> {
  if (!crop) return;
  const image = sharp(crop, { raw: { width: size, height: size, channels: 3 } });
  face.crop = await image.png().toBuffer();
}
