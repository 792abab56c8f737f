import type { ReadyPack } from '../models/types.js';
import { boxSize } from './boxes.js';
import { MTCNN_SECOND_PASS, SSD_SECOND_PASS, withCloseUps } from './detectors/close-up.js';
import { type Detector, type DetectOptions, largestFirst } from './detectors/detector.js';
import { createLandmarks68 } from './detectors/landmarks.js';
import { chooseMtcnnEngine } from './detectors/mtcnn-choice.js';
import { createMtcnnOn } from './detectors/mtcnn.js';
import { createSsdDetector } from './detectors/ssd.js';
import { MTCNN_UPRIGHT, SSD_UPRIGHT, withTurns } from './detectors/turned.js';
import { findKeptFace } from './kept-face.js';
import type { Runtime } from './ort.js';
import type { Resampler } from './resample.js';
import type { Stop } from './stop.js';
import { associate, followedTo, type Found, isCutTwin, isFound, isStep } from './track.js';
import type { Detection, Picture, ThreadOptions } from './types.js';
import { onlyValid } from './valid-output.js';
import type { WorkSharing } from './work-sharing.js';

/** The defaults of a call. */
export interface FinderSettings {
  /** Shorter side of the smallest face to look for, pixels. */
  minFaceSize: number;
  /** Faces that everything is computed of, the largest. Default: all. */
  maxFaces?: number;
  /** What runs MTCNN's networks on a CPU: `auto`, `onnx`, or the name of a kernel (native/detector). Default `auto`. */
  kernels?: string;
}

/** What runs the detector's networks. */
export interface DetectorRuns {
  /** `onnx` for ONNX Runtime, or the registers that our own loops use: `avx512`, `avx2`, `neon`, `plain`. */
  kernels: string;
  /** Why it is ONNX Runtime where our own loops were wanted. */
  refusal?: string;
}

/** Finds the faces of a picture. One call at a time. */
export interface FaceFinder {
  /**
   * Searches the whole picture, or follows known faces, or both.
   * @returns largest first, each with its known face, if any
   * @throws KaomonError CLIENT_GONE by `stop`; INTERNAL when the detector answers numbers that are not finite
   */
  find(picture: Picture, options: ThreadOptions, stop?: Stop): Promise<Found[]>;
  readonly runs: DetectorRuns;
  release(): Promise<void>;
}

/** @throws KaomonError NO_MODEL when a network of the pack's detector cannot be run */
export async function createFaceFinder(
  runtime: Runtime,
  pack: ReadyPack,
  { minFaceSize: leastSize, maxFaces: most, kernels }: FinderSettings,
  sharing: WorkSharing,
  resampler: Resampler,
): Promise<FaceFinder> {
  const { detector, runs } = await createDetector(runtime, pack, kernels, sharing, resampler);

  async function follow(picture: Picture, found: Found[], track: Track, minFaceSize: number): Promise<void> {
    // A search misses a face that turns away, which can still be found near its last place; and of one that the frame cuts
    // it may answer a box of quite another size.
    const at = track.faces.map((face, known) => ({ face, own: found.find((one) => one.known === known) }));
    const missed = [...at.keys()].filter((known) => {
      const { face, own } = at[known];
      return !own || (!isStep(face.box, own.detection.box) && isCutTwin(face, own.detection, picture));
    });
    if (missed.length === 0) return;
    const followed = await detector.follow(
      picture,
      missed.map((known) => track.faces[known]),
    );
    missed.forEach((known, i) => {
      const { face, own } = at[known];
      const now = followedTo(face, followed[i], picture);
      if (!now || !isLarge(now, minFaceSize)) return;
      if (own) {
        own.detection = now;
        return;
      }
      if (isFound(now, found)) return;
      const twin = found.findIndex(
        (one) => one.known === undefined && isCutTwin(one.detection, now, picture),
      );
      if (twin >= 0) found.splice(twin, 1);
      found.push({ detection: now, known });
    });
    found.sort((a, b) => largestFirst(a.detection, b.detection));
  }

  return {
    async find(picture, { track, kept, minProbability, minFaceSize = leastSize }, stop) {
      const options: DetectOptions = { minFaceSize, minProbability, most, stop, closeUps: track?.closeUps };
      if (kept) {
        const detection = await findKeptFace((shown) => detector.detect(shown, options), picture, kept);
        return onlyValid([{ detection, known: undefined }], picture);
      }
      const searched = track?.search === false ? [] : await detector.detect(picture, options);
      const found = associate(
        searched.filter((face) => isLarge(face, minFaceSize)),
        track?.faces ?? [],
      );
      if (track) await follow(picture, found, track, minFaceSize);
      return onlyValid(found, picture);
    },
    runs,
    release: () => detector.release(),
  };
}

type Track = NonNullable<ThreadOptions['track']>;

/** True for NaN as well, which {@link onlyValid} then refuses. */
const isLarge = ({ box }: Detection, minFaceSize: number) => !(boxSize(box) < minFaceSize);

async function createDetector(
  runtime: Runtime,
  { detector, embedder }: ReadyPack,
  kernels: string | undefined,
  sharing: WorkSharing,
  resampler: Resampler,
): Promise<{ detector: Detector; runs: DetectorRuns }> {
  if (detector.kind === 'mtcnn') {
    const { engine, refusal } = await chooseMtcnnEngine(runtime, detector, kernels);
    const landmarks68 = detector.landmarks ? await createLandmarks68(runtime, detector.landmarks) : undefined;
    const mtcnn = withCloseUps(createMtcnnOn(engine, landmarks68, {}, sharing), MTCNN_SECOND_PASS, resampler);
    return { detector: withTurns(mtcnn, MTCNN_UPRIGHT), runs: { kernels: engine.kernels, refusal } };
  }
  const ssd = await createSsdDetector(runtime, detector);
  // The older pack's people were enrolled with crops of the first pass's landmarks, which a second pass would move.
  const found = embedder.alignment === 'faceapi' ? ssd : withCloseUps(ssd, SSD_SECOND_PASS, resampler);
  return { detector: withTurns(found, SSD_UPRIGHT), runs: { kernels: 'onnx' } };
}
