import { clampToPicture, type PixelRect } from '../boxes.js';
import type { Runtime } from '../ort.js';
import { Resampler, toPlanes } from '../resample.js';
import { madeFaces } from '../self-check.js';
import type { Detection, Picture } from '../types.js';

const FACE_SIDE = 112;
/** Faces per run of the landmark network. */
const BATCH = 16;

export type Landmarks68 = Awaited<ReturnType<typeof createLandmarks68>>;

/**
 * face-api's network of 68 landmarks, for the boxes of any detector.
 * @param file path of `landmarks.onnx` (see ReadyDetector)
 * @throws KaomonError NO_MODEL when it cannot be run
 */
export async function createLandmarks68(runtime: Runtime, file: string) {
  const face = 3 * FACE_SIDE * FACE_SIDE;
  const faces = new Float32Array(BATCH * face);
  const bytes = new Uint8Array(face);
  const resampler = new Resampler();
  const network = await runtime.open(file, { faces: madeFaces(FACE_SIDE) });
  return {
    /** Sets `landmarks68` of each detection whose box meets the picture. */
    async add(picture: Picture, detections: readonly Detection[]): Promise<void> {
      for (let from = 0; from < detections.length; from += BATCH) {
        const batch = detections.slice(from, from + BATCH);
        const rects = batch.map(({ box }) => clampToPicture(box, picture));
        rects.forEach((rect, i) => {
          if (rect) placeFace(resampler, picture, rect, faces, i, bytes);
        });
        const shape = [batch.length, 3, FACE_SIDE, FACE_SIDE];
        const { landmarks } = await network.run({
          faces: { data: faces.subarray(0, batch.length * face), shape },
        });
        batch.forEach((detection, i) => {
          const rect = rects[i];
          if (rect) detection.landmarks68 = toPicture(landmarks.subarray(i * 136, (i + 1) * 136), rect);
        });
      }
    },
    release: () => network.release(),
  };
}

/**
 * Centres a face in a black square, as face-api feeds its landmark network.
 * @param faces the batch's input; face `index` of it is written
 * @param bytes scratch, at least 112 * 112 * 3
 */
export function placeFace(
  resampler: Resampler,
  picture: Picture,
  rect: PixelRect,
  faces: Float32Array,
  index: number,
  bytes: Uint8Array,
): void {
  const start = index * 3 * FACE_SIDE * FACE_SIDE;
  const scale = FACE_SIDE / Math.max(rect.width, rect.height);
  const width = Math.max(1, Math.round(rect.width * scale));
  const height = Math.max(1, Math.round(rect.height * scale));
  const left = (FACE_SIDE - width) >> 1;
  const top = (FACE_SIDE - height) >> 1;
  resampler.resize(picture, rect, width, height, bytes);
  faces.fill(0, start, start + 3 * FACE_SIDE * FACE_SIDE);
  toPlanes(bytes, width, height, faces, { side: FACE_SIDE, left, top, start });
}

/** Points 0 to 1 of the square that {@link placeFace} made, in pixels of the picture. */
function toPicture(points: Float32Array, rect: PixelRect): Float32Array {
  const side = Math.max(rect.width, rect.height);
  const left = rect.x - (side - rect.width) / 2;
  const top = rect.y - (side - rect.height) / 2;
  return points.map((value, i) => value * side + (i % 2 === 0 ? left : top));
}
