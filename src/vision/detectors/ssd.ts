import { boxSize, suppress } from '../boxes.js';
import type { Runtime } from '../ort.js';
import { Resampler, toPlanes } from '../resample.js';
import { madeFaces } from '../self-check.js';
import { refuseInvalidOutput } from '../valid-output.js';
import { throwIfStopped } from '../stop.js';
import { correlation, thumbnailOf } from '../track.js';
import type { Box, Detection, KnownFace, Landmarks, Picture } from '../types.js';
import { GREY } from './bordered.js';
import { type Detector, type DetectOptions, largestFirst } from './detector.js';
import { fiveOf68 } from '../five-of-68.js';
import { createLandmarks68 } from './landmarks.js';

const SIDE = 512;
/** Lower than face-api's 0.5: half of a camera's blurred faces lie in between. */
const MIN_PROBABILITY = 0.4;
/** face-api's own. */
const MAX_OVERLAP = 0.5;
/** Grey border for close-ups on each side, as a share of the width (see docs/thresholds.md). */
const BORDER = 0.7;
/** A face cannot grow (as a factor) or move (in radii of its landmarks) by more from one frame to the next. */
const MAX_GROWTH = 1.4;
const MAX_JUMP = 1.5;
/** Where the thumbnails of the face and of its new place correlate by less, the face is gone. */
const GONE = 0.4;

/** Where the picture lies in the square input. */
interface Placement {
  /** Input pixels a picture pixel. */
  scale: number;
  left: number;
  top: number;
}

/**
 * SSD MobileNet v1 with face-api's 68-point landmarks. It misses a face that fills the frame (a passport photo, a webcam
 * held close): when nothing is found, the picture is searched again, smaller and with a grey border.
 * @param files paths of the two networks (see ReadyDetector)
 * @throws KaomonError NO_MODEL when a network cannot be run
 */
export async function createSsdDetector(
  runtime: Runtime,
  files: { ssd: string; landmarks: string },
): Promise<Detector> {
  const image = new Float32Array(3 * SIDE * SIDE);
  const ssd = await runtime.open(files.ssd, { image: madeFaces(SIDE) });
  const landmarks = await createLandmarks68(runtime, files.landmarks);
  const resampler = new Resampler();
  const bytes = new Uint8Array(3 * SIDE * SIDE);

  /** Writes the picture into the network's input and says where it went. */
  function place(picture: Picture, border: number): Placement {
    const { width, height } = picture;
    const margin = border * width;
    const scale = SIDE / Math.max(width + 2 * margin, height + 2 * margin);
    const inner = {
      width: Math.max(1, Math.round(width * scale)),
      height: Math.max(1, Math.round(height * scale)),
    };
    // Without a border the picture lies in the corner and the rest is black, as face-api has it.
    const left = Math.min(Math.round(margin * scale), SIDE - inner.width);
    const top = Math.min(Math.round(margin * scale), SIDE - inner.height);
    resampler.resize(picture, { x: 0, y: 0, width, height }, inner.width, inner.height, bytes);
    image.fill(border > 0 ? GREY : 0);
    toPlanes(bytes, inner.width, inner.height, image, { side: SIDE, left, top });
    return { scale, left, top };
  }

  async function pass(picture: Picture, border: number, options: DetectOptions): Promise<Detection[]> {
    const placement = place(picture, border);
    const { boxes, scores } = await ssd.run({ image: { data: image, shape: [1, 3, SIDE, SIDE] } });
    const found = candidates(boxes, scores, placement, picture, options.minProbability ?? MIN_PROBABILITY);
    const smallest = options.minFaceSize ?? 0;
    return suppress(found, MAX_OVERLAP).filter(({ box }) => boxSize(box) >= smallest);
  }

  return {
    async detect(picture, options = {}) {
      let detections = await pass(picture, 0, options);
      if (detections.length === 0 && options.closeUps !== false)
        detections = await pass(picture, BORDER, options);
      detections.sort(largestFirst);
      throwIfStopped(options.stop);
      await landmarks.add(picture, detections.slice(0, options.most));
      for (const detection of detections) {
        if (detection.landmarks68) detection.landmarks = fiveOf68(detection.landmarks68);
      }
      return detections;
    },
    async follow(picture, faces) {
      const moved = faces.map((face): Detection => {
        const { box, probability } = face;
        return { box, probability, landmarks: face.landmarks };
      });
      await landmarks.add(picture, moved);
      return moved.map((detection, i) => {
        if (detection.landmarks68) detection.landmarks = fiveOf68(detection.landmarks68);
        const { thumbnail, landmarks: before } = faces[i];
        // Without landmarks of the previous frame there is no movement to compute.
        if (!before) return detection;
        const now = moveBox(detection, faces[i]);
        return now && thumbnail && correlation(thumbnail, thumbnailOf(picture, now)) < GONE ? undefined : now;
      });
    },
    async release() {
      await ssd.release();
      await landmarks.release();
    },
  };
}

/**
 * Moves and scales a face's box as its landmarks moved, so that it stays around them over many frames. The landmark
 * network does not say whether there is a face: a jump shows that it is gone.
 */
function moveBox({ landmarks, landmarks68 }: Detection, before: KnownFace): Detection | undefined {
  if (!landmarks || !landmarks68 || !before.landmarks) return undefined;
  const from = spreadOf(before.landmarks);
  const to = spreadOf(landmarks);
  const growth = to.radius / from.radius;
  const jump = Math.hypot(to.x - from.x, to.y - from.y) / from.radius;
  if (!(growth > 1 / MAX_GROWTH && growth < MAX_GROWTH && jump < MAX_JUMP)) return undefined;
  const { x1, y1, x2, y2 } = before.box;
  const box = {
    x1: to.x + (x1 - from.x) * growth,
    y1: to.y + (y1 - from.y) * growth,
    x2: to.x + (x2 - from.x) * growth,
    y2: to.y + (y2 - from.y) * growth,
  };
  return { box, probability: before.probability, landmarks, landmarks68 };
}

/** Centre of five points and their mean distance from it, pixels. */
function spreadOf(points: Landmarks): { x: number; y: number; radius: number } {
  let [x, y, radius] = [0, 0, 0];
  for (let i = 0; i < 10; i += 2) {
    x += points[i] / 5;
    y += points[i + 1] / 5;
  }
  for (let i = 0; i < 10; i += 2) radius += Math.hypot(points[i] - x, points[i + 1] - y) / 5;
  return { x, y, radius };
}

/** Candidates over the threshold, in picture pixels, clipped to what the network saw of the picture. */
function candidates(
  boxes: Float32Array,
  scores: Float32Array,
  { scale, left, top }: Placement,
  picture: Picture,
  minProbability: number,
): Detection[] {
  const found: Detection[] = [];
  const unplace = (value: number, offset: number, limit: number) =>
    Math.min(limit, Math.max(0, (value * SIDE - offset) / scale));
  for (let i = 0; i < scores.length; i++) {
    if (scores[i] < minProbability) continue;
    const [y1, x1, y2, x2] = boxes.subarray(i * 4, i * 4 + 4);
    if (!Number.isFinite(scores[i] + y1 + x1 + y2 + x2)) refuseInvalidOutput('ssd');
    const box: Box = {
      x1: unplace(x1, left, picture.width),
      y1: unplace(y1, top, picture.height),
      x2: unplace(x2, left, picture.width),
      y2: unplace(y2, top, picture.height),
    };
    if (box.x2 - box.x1 >= 1 && box.y2 - box.y1 >= 1) {
      found.push({ box, probability: scores[i], landmarks: undefined });
    }
  }
  return found;
}
