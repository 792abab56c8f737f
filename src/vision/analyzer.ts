import sharp from 'sharp';
import type { ReadyPack } from '../models/types.js';
import { cutFace } from './align.js';
import { boxSize, clampToPicture } from './boxes.js';
import { type Detector, largestFirst } from './detectors/detector.js';
import { MTCNN_LOOKS, SSD_LOOKS, withCloseUps } from './detectors/close-up.js';
import { placeFace } from './detectors/landmarks.js';
import { createMtcnnDetector } from './detectors/mtcnn.js';
import { createSsdDetector } from './detectors/ssd.js';
import { MTCNN_JUDGE, SSD_JUDGE, withTurns } from './detectors/turned.js';
import { createEmbedder } from './embedder.js';
import { unfitBy } from './fitness.js';
import { findKeptFace } from './kept-face.js';
import { decodeImage } from './image.js';
import { type RefusedProvider, Runtime, type SessionOptions } from './ort.js';
import { measureQuality } from './quality.js';
import { Resampler } from './resample.js';
import type { ThreadOptions } from './messages.js';
import { madeFaces } from './self-check.js';
import { onlySound, refuseNonsense } from './sound.js';
import { isStopped, type Stop, throwIfStopped } from './stop.js';
import { ALONE, type Team } from './team.js';
import { associate, type Found, isFound, likeness, lookOf, sceneOf } from './track.js';
import { isPlain, meanEmbedding, PLAIN } from './views.js';
import { asRead } from './turn.js';
import type { AnalysedFace, Analysis, Detection, Picture, StageTimes } from './types.js';

const AGE_SIDE = 112;
/** A known face whose look is less like its last one than this is embedded anew (docs/performance.md). */
const CHANGED = 0.8;

export interface AnalyzerSettings extends Omit<SessionOptions, 'selfCheck'> {
  pack: ReadyPack;
  maxPixels: number;
  /** Shorter side of the smallest face to look for, pixels; a call may say another. */
  minFaceSize: number;
  /** Faces of one picture that are looked at, the largest. Default: all. */
  maxFaces?: number;
}

/** An encoded picture, only read, and what to look for in it. */
export interface AskedPicture {
  bytes: Uint8Array;
  options: ThreadOptions;
  stop?: Stop;
}

/** A picture whose faces are found and cut out. */
interface Look {
  options: ThreadOptions;
  stop: Stop | undefined;
  leftOut: number;
  picture: Picture;
  detections: Detection[];
  faces: AnalysedFace[];
  /** Which of the faces are to be embedded: they have a crop. */
  isEmbedded: boolean[];
  crops: (Uint8Array | undefined)[];
  times: StageTimes;
  detected: number;
}

/** One vision thread's work: pictures in, faces out. One call at a time. */
export interface Analyzer {
  /**
   * @param asked one picture, or several, whose faces are then embedded together
   * @returns what became of each, in their order: nobody's failure is another's
   */
  analyze(asked: readonly AskedPicture[]): Promise<PromiseSettledResult<Analysis>[]>;
  readonly provider: string;
  readonly refusedProviders: readonly RefusedProvider[];
  release(): Promise<void>;
}

/**
 * Loads a pack's networks and holds what each answers to a made picture to what it should answer: all of them on the
 * first execution provider that answers rightly.
 * @param team the other vision threads
 * @throws KaomonError NO_MODEL naming the network that answers wrongly even on the CPU, SETUP
 */
export async function createAnalyzer(settings: AnalyzerSettings, team: Team = ALONE): Promise<Analyzer> {
  const { pack } = settings;
  const { size } = pack.embedder;
  const runtime = new Runtime({ ...settings, selfCheck: true });
  const resampler = new Resampler();
  const { detector, embedder, ageGender } = await runtime.openAll(async () => {
    team.forget();
    return {
      detector: await createDetector(runtime, pack, team, resampler),
      embedder: await createEmbedder(runtime, pack.embedder, team),
      ageGender: await openAgeGender(runtime, pack),
    };
  });
  // Where a GPU does the work there is nothing to share.
  if (runtime.provider !== 'cpu') team.close();

  /** Searches the whole picture, or follows known faces, or both. */
  async function find(picture: Picture, options: ThreadOptions, stop?: Stop): Promise<Found[]> {
    const { track } = options;
    const detectOptions = {
      minFaceSize: options.minFaceSize ?? settings.minFaceSize,
      ...(options.minProbability !== undefined && { minProbability: options.minProbability }),
      ...(settings.maxFaces !== undefined && { most: settings.maxFaces }),
      ...(stop && { stop }),
      ...(track?.closeUps !== undefined && { closeUps: track.closeUps }),
    };
    const { minFaceSize } = detectOptions;
    if (options.kept) {
      const detect = (shown: Picture) => detector.detect(shown, detectOptions);
      return [{ detection: await findKeptFace(detect, picture, options.kept), known: undefined }];
    }
    // What is no number is for onlySound to refuse.
    const isLarge = ({ box }: Detection) => !(boxSize(box) < minFaceSize);
    const searched = track?.search === false ? [] : await detector.detect(picture, detectOptions);
    const found = associate(searched.filter(isLarge), track?.faces ?? []);
    if (!track) return found;
    // A face that turned away is missed by a search, and still seen near where it was.
    const missed = [...track.faces.keys()].filter((index) => found.every(({ known }) => known !== index));
    const followed = await detector.follow(
      picture,
      missed.map((index) => track.faces[index]),
    );
    followed.forEach((detection, i) => {
      if (detection && isLarge(detection) && !isFound(detection, found))
        found.push({ detection, known: missed[i] });
    });
    return found.sort((a, b) => largestFirst(a.detection, b.detection));
  }

  /** Everything up to the embeddings. */
  async function look({ bytes, options, stop }: AskedPicture): Promise<Look> {
    throwIfStopped(stop);
    const start = performance.now();
    const picture = await decodeImage(bytes, settings);
    throwIfStopped(stop);
    const decoded = performance.now();
    const all = onlySound(await find(picture, options, stop), picture).slice(0, options.maxFaces);
    throwIfStopped(stop);
    const found = all.slice(0, settings.maxFaces);
    const leftOut = all.length - found.length;
    const detections = found.map(({ detection }) => detection);
    const detected = performance.now();

    const faces = detections.map(({ box, probability, landmarks }): AnalysedFace => ({
      ...{ box, probability, landmarks },
    }));
    if (options.track) remember(picture, faces, found);
    const isEmbedded = faces.map((face) => (options.embed ?? true) && isNews(face, options));
    const crops = faces.map((_, i) => {
      if (!isEmbedded[i] && !options.quality && !options.crops) return undefined;
      const crop = new Uint8Array(3 * size * size);
      cutFace(pack.embedder, picture, detections[i], resampler, crop);
      return crop;
    });
    const times = { queue: 0, decode: decoded - start, detect: detected - decoded, embed: 0 };
    return { options, stop, leftOut, picture, detections, faces, isEmbedded, crops, times, detected };
  }

  async function finish(looked: Look): Promise<Analysis> {
    const { options, stop, leftOut, picture, detections, faces, crops, times, detected } = looked;
    throwIfStopped(stop);
    crops.forEach((crop, i) => {
      if (!crop || !(options.quality || looked.isEmbedded[i])) return;
      const { contrast, ...quality } = measureQuality(detections[i], crop, size);
      faces[i].quality = quality;
      const unfit = unfitBy({ ...quality, contrast, side: size, grain: picture.grain }, detections[i]);
      if (unfit) faces[i].unfit = unfit;
    });
    if (options.ageGender && ageGender) await ageGender.describe(picture, detections, faces, stop);
    if (options.crops) {
      const pngs = await Promise.all(crops.map(async (crop) => (crop ? await toPng(crop, size) : undefined)));
      pngs.forEach((png, i) => {
        if (png) faces[i].crop = png;
      });
    }
    const { width, height } = picture;
    times.embed = performance.now() - detected;
    const more = { ...(leftOut > 0 && { leftOut }), ...(options.track && { scene: sceneOf(picture) }) };
    return { width, height, faces, times, ...more };
  }

  /** A face through the pack's views; its crop is the plain one. */
  function viewsOf({ options, picture, detections }: Look, index: number, crop: Uint8Array): Uint8Array[] {
    const views = (options.views ? pack.embedder.views : undefined) ?? PLAIN;
    return views.map((view) => {
      if (isPlain(view)) return crop;
      const other = new Uint8Array(crop.length);
      cutFace(pack.embedder, picture, detections[index], resampler, other, view);
      return other;
    });
  }

  /** The faces of all pictures in one go. */
  async function embedAll(looks: readonly Look[]): Promise<void> {
    const wanted = looks.flatMap((looked) =>
      looked.faces.flatMap((face, i) => {
        const crop = looked.isEmbedded[i] && !isStopped(looked.stop) ? looked.crops[i] : undefined;
        return crop ? [{ face, views: viewsOf(looked, i, crop) }] : [];
      }),
    );
    // Of several, one that is gone is a part of the others' batches.
    const only = looks.length === 1 ? looks[0].stop : undefined;
    const crops = wanted.flatMap(({ views }) => views);
    const embeddings = await embedder.embed(crops, only);
    let from = 0;
    for (const { face, views } of wanted) {
      const ofFace = embeddings.slice(from, (from += views.length));
      face.embedding = ofFace.length > 1 ? meanEmbedding(ofFace) : ofFace[0];
    }
  }

  return {
    get provider() {
      return runtime.provider;
    },
    refusedProviders: runtime.refused,

    async analyze(asked) {
      const looks: PromiseSettledResult<Look>[] = [];
      // One after the other: the networks keep their buffers.
      for (const one of asked) looks.push(...(await Promise.allSettled([look(one)])));
      const good = looks.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      const [together] = await Promise.allSettled([embedAll(good)]);
      const results: PromiseSettledResult<Analysis>[] = [];
      for (const looked of looks) {
        if (looked.status === 'rejected') {
          results.push(looked);
          continue;
        }
        const { value } = looked;
        const done = async () => {
          if (together.status === 'rejected') {
            if (good.length === 1) throw together.reason;
            // One of several has failed: each gets another try, by itself.
            await embedAll([value]);
          }
          return await finish(value);
        };
        results.push(...(await Promise.allSettled([done()])));
      }
      return results;
    },

    async release() {
      await detector.release();
      await embedder.release();
      await ageGender?.release();
    },
  };
}

/** Notes which known face each is and what it looks like. */
function remember(picture: Picture, faces: AnalysedFace[], found: readonly Found[]): void {
  faces.forEach((face, i) => {
    const { known } = found[i];
    if (known !== undefined) face.known = known;
    face.look = lookOf(picture, face);
  });
}

/** Whether a face must be embedded: always, unless it is a known one that looks as it did. */
function isNews({ known, look }: AnalysedFace, { track }: ThreadOptions): boolean {
  const before = known === undefined ? undefined : track?.faces[known];
  if (!before || before.embed || !before.look || !look) return true;
  return likeness(look, before.look) < CHANGED;
}

async function createDetector(
  runtime: Runtime,
  { detector, embedder }: ReadyPack,
  team: Team,
  resampler: Resampler,
): Promise<Detector> {
  if (detector.kind === 'mtcnn') {
    const mtcnn = await createMtcnnDetector(runtime, detector, {}, team);
    return withTurns(withCloseUps(mtcnn, MTCNN_LOOKS, resampler), MTCNN_JUDGE);
  }
  const ssd = await createSsdDetector(runtime, detector);
  // Where the 68 points came to lie, and so how the square was cut, is what people are enrolled with in the older pack.
  const found = embedder.alignment === 'faceapi' ? ssd : withCloseUps(ssd, SSD_LOOKS, resampler);
  return withTurns(found, SSD_JUDGE);
}

/** Age and gender as face-api estimates them, from the detector's box. */
async function openAgeGender(runtime: Runtime, pack: ReadyPack) {
  if (!pack.ageGender) return undefined;
  const face = 3 * AGE_SIDE * AGE_SIDE;
  const input = new Float32Array(face);
  const scratch = new Uint8Array(face);
  const resampler = new Resampler();
  const shape = [1, 3, AGE_SIDE, AGE_SIDE];
  const network = await runtime.open(pack.ageGender, { faces: madeFaces(AGE_SIDE) });
  return {
    async describe(
      picture: Picture,
      detections: readonly Detection[],
      faces: AnalysedFace[],
      stop?: Stop,
    ): Promise<void> {
      for (const [i, detection] of detections.entries()) {
        throwIfStopped(stop);
        const upright = asRead(picture, detection);
        const rect = clampToPicture(upright.face.box, upright.picture);
        if (!rect) continue;
        placeFace(resampler, upright.picture, rect, input, 0, scratch);
        const { age, female } = await network.run({ faces: { data: input, shape } });
        if (!Number.isFinite(age[0] + female[0])) refuseNonsense('age-gender');
        faces[i].age = age[0];
        const isFemale = female[0] >= 0.5;
        faces[i].gender = {
          value: isFemale ? 'female' : 'male',
          probability: isFemale ? female[0] : 1 - female[0],
        };
      }
    },
    release: () => network.release(),
  };
}

function toPng(crop: Uint8Array, size: number): Promise<Uint8Array> {
  return sharp(crop, { raw: { width: size, height: size, channels: 3 } })
    .png()
    .toBuffer();
}
