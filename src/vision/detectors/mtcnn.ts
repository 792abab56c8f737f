import type { Runtime } from '../ort.js';
import { throwIfStopped } from '../stop.js';
import { SERIAL, type WorkSharing } from '../work-sharing.js';
import type { Detection, KnownFace } from '../types.js';
import { type Detector, type DetectOptions, largestFirst } from './detector.js';
import { createLandmarks68, type Landmarks68 } from './landmarks.js';
import { Candidates } from './mtcnn-candidates.js';
import { chooseMtcnnEngine } from './mtcnn-choice.js';
import { CELL, type MtcnnEngine, type MtcnnFiles } from './mtcnn-engine.js';
import { createMtcnnNetworks } from './mtcnn-networks.js';

/** The cascade's settings; the defaults are facenet-pytorch's. */
export interface MtcnnSettings {
  /** Shorter side of the smallest face to look for, pixels. */
  minFaceSize: number;
  /** Smallest probability after P-, R- and O-Net. */
  thresholds: readonly [number, number, number];
  /** Ratio of each scale of the pyramid to the one before. */
  factor: number;
  /** Overlap above which the less probable box is dropped: within a scale, across scales, after R-Net, after O-Net. */
  overlaps: readonly [number, number, number, number];
}

export const MTCNN_DEFAULTS: MtcnnSettings = {
  minFaceSize: 20,
  thresholds: [0.6, 0.7, 0.7],
  factor: 0.709,
  overlaps: [0.5, 0.7, 0.7, 0.7],
};

/**
 * Least probabilities of a followed face: lower than those of a search, because a face that was there a moment ago needs
 * less proof than a new one, and may turn its head.
 */
const FOLLOW = { refined: 0.5, output: 0.6 };
const NO_MOVE = new Float32Array(4);

/**
 * The most windows, by probability: of a scale before suppression, of all scales for R-Net, and for O-Net. A frame has
 * hundreds, a photograph of 25 megapixels a few thousand; without a limit a malicious picture with thousands of small faces
 * would take minutes.
 */
const MOST = { windows: 32_768, proposed: 8192, refined: 2048 };

/**
 * MTCNN in the best engine of this machine.
 * @param files paths of the networks (see ReadyDetector)
 * @param sharing with idle threads
 * @throws KaomonError NO_MODEL when a network cannot be run
 */
export async function createMtcnnDetector(
  runtime: Runtime,
  files: MtcnnFiles,
  settings: Partial<MtcnnSettings> = {},
  sharing: WorkSharing = SERIAL,
): Promise<Detector> {
  const { engine } = await chooseMtcnnEngine(runtime, files);
  const landmarks68 = files.landmarks ? await createLandmarks68(runtime, files.landmarks) : undefined;
  return createMtcnnOn(engine, landmarks68, settings, sharing);
}

/** MTCNN (Zhang et al. 2016) as facenet-pytorch runs it. @param engine released with the detector */
export function createMtcnnOn(
  engine: MtcnnEngine,
  landmarks68: Landmarks68 | undefined,
  settings: Partial<MtcnnSettings> = {},
  sharing: WorkSharing = SERIAL,
): Detector {
  const defaults = { ...MTCNN_DEFAULTS, ...settings };
  const { factor, overlaps } = defaults;
  const networks = createMtcnnNetworks(engine, sharing);
  const boxes = new Candidates();

  /** R-Net and O-Net from where the face was. */
  async function followOne({ box }: KnownFace): Promise<Detection | undefined> {
    boxes.clear();
    boxes.add(box, 1, NO_MOVE, 0, 0);
    boxes.square();
    await networks.score('rnet', boxes);
    boxes.keepAbove(FOLLOW.refined);
    boxes.regress(true);
    boxes.square();
    await networks.score('onet', boxes);
    boxes.keepAbove(FOLLOW.output);
    boxes.placeLandmarks();
    boxes.regress(true);
    return boxes.detections().at(0);
  }

  return {
    async detect(picture, options: DetectOptions = {}) {
      const minFaceSize = Math.max(CELL, options.minFaceSize ?? defaults.minFaceSize);
      const [proposed, refined, output] = defaults.thresholds;
      const { stop } = options;
      networks.load(picture);

      boxes.clear();
      const search = { minFaceSize, factor, threshold: proposed, most: MOST.windows, stop };
      await networks.propose(search, boxes, (first) =>
        boxes.suppress(overlaps[0], 'union', first, MOST.proposed),
      );
      boxes.suppress(overlaps[1], 'union', 0, MOST.proposed);
      boxes.regress(false);
      boxes.square();

      await networks.score('rnet', boxes, stop);
      boxes.keepAbove(refined);
      boxes.suppress(overlaps[2], 'union', 0, MOST.refined);
      boxes.regress(true);
      boxes.square();

      await networks.score('onet', boxes, stop);
      boxes.keepAbove(options.minProbability ?? output);
      boxes.placeLandmarks();
      boxes.regress(true);
      boxes.suppress(overlaps[3], 'smaller');

      networks.trim();
      const detections = boxes.detections().sort(largestFirst);
      throwIfStopped(stop);
      await landmarks68?.add(picture, detections.slice(0, options.most));
      return detections;
    },
    async follow(picture, faces) {
      if (faces.length === 0) return [];
      networks.load(picture);
      const found: (Detection | undefined)[] = [];
      // One by one: a batch saves nothing on a CPU, and lost faces would have to be matched to the others.
      for (const face of faces) found.push(await followOne(face));
      await landmarks68?.add(
        picture,
        found.filter((face) => face !== undefined),
      );
      networks.trim();
      return found;
    },
    async release() {
      await networks.release();
      await landmarks68?.release();
    },
  };
}
