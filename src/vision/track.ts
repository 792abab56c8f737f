import { boxArea, clampToPicture, intersection, iou } from './boxes.js';
import type { Box, Detection, KnownFace, Picture } from './types.js';

/** Cells along each side of a thumbnail, and pixels sampled along each side of a cell. */
const THUMBNAIL_SIDE = 16;
const SAMPLES = 3;
/** Cells of a scene, across and down. */
export const SCENE = { columns: 32, rows: 18 } as const;
/** A cell changes by more grey levels than a camera's noise makes of the mean of 16 pixels; so many cells may. */
const QUIET = { change: 8, cells: 1 };
/** Least overlap (IoU) of a face's boxes in two successive frames. */
const MIN_OVERLAP = 0.3;
/** Two boxes that overlap by more are one face. */
const SAME_FACE = 0.5;
/** Of two boxes of a face that the frame cuts, the smaller lies in the other by this share; and it is so much smaller at most. */
const INSIDE = 0.8;
const MOST_LARGER = 9;
/** A face's side grows and shrinks from frame to frame by this at most: more is a detector's mistake. */
const MAX_GROWTH = 1.4;
/** The border of the frame, as a share of its side, in which a detector's boxes end that should end outside. */
const EDGE = 0.03;
/** A face that is cut by the frame is where it was while its thumbnail correlates so much with its last one. */
const STILL = 0.8;

/**
 * A face's box in 16 x 16 grey levels, less their mean, scaled to unit length. Cheap enough for every frame; compared by
 * {@link correlation}.
 */
export function thumbnailOf(picture: Picture, { box }: Pick<Detection, 'box'>): Float32Array {
  const thumbnail = new Float32Array(THUMBNAIL_SIDE * THUMBNAIL_SIDE);
  const rect = clampToPicture(box, picture);
  if (!rect) return thumbnail;
  const { data, width: stride } = picture;
  const step = THUMBNAIL_SIDE * SAMPLES;
  for (let y = 0; y < step; y++) {
    const row = (rect.y + Math.floor(((y + 0.5) * rect.height) / step)) * stride;
    const cells = Math.floor(y / SAMPLES) * THUMBNAIL_SIDE;
    for (let x = 0; x < step; x++) {
      const at = (row + rect.x + Math.floor(((x + 0.5) * rect.width) / step)) * 3;
      thumbnail[cells + Math.floor(x / SAMPLES)] += data[at] + 2 * data[at + 1] + data[at + 2];
    }
  }
  const mean = thumbnail.reduce((sum, value) => sum + value, 0) / thumbnail.length;
  let squares = 0;
  for (let i = 0; i < thumbnail.length; i++) squares += (thumbnail[i] -= mean) ** 2;
  const scale = 1 / Math.sqrt(squares || 1);
  for (let i = 0; i < thumbnail.length; i++) thumbnail[i] *= scale;
  return thumbnail;
}

/** The correlation of two thumbnails, -1 to 1. */
export function correlation(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

/** The frame in 32 x 18 grey levels, row by row: enough to see that something moved. */
export function sceneOf({ data, width, height }: Picture): Uint8Array {
  const { columns, rows } = SCENE;
  const scene = new Uint8Array(columns * rows);
  const reads = 4;
  for (let cell = 0; cell < scene.length; cell++) {
    const left = cell % columns;
    const top = Math.floor(cell / columns);
    let sum = 0;
    for (let i = 0; i < reads * reads; i++) {
      const x = Math.floor(((left + ((i % reads) + 0.5) / reads) * width) / columns);
      const y = Math.floor(((top + (Math.floor(i / reads) + 0.5) / reads) * height) / rows);
      const at = (y * width + x) * 3;
      sum += data[at] + 2 * data[at + 1] + data[at + 2];
    }
    scene[cell] = sum / (4 * reads * reads);
  }
  return scene;
}

/**
 * Whether a scene is as another one was, but for a camera's noise. Stricter than what makes a stream with known faces
 * search again (stream/motion.ts): where nobody is known, a far face that comes in must not go unseen.
 */
export function isSameScene(before: Uint8Array, now: Uint8Array): boolean {
  let changed = 0;
  for (let cell = 0; cell < now.length; cell++)
    if (Math.abs(now[cell] - before[cell]) > QUIET.change) changed += 1;
  return changed <= QUIET.cells;
}

/** A detection, and which known face it is. */
export interface Found {
  detection: Detection;
  /** Index in the known faces; undefined for a new face. */
  known: number | undefined;
}

/** Assigns known faces to detections, those that overlap most first, each once. */
export function associate(detections: readonly Detection[], known: readonly KnownFace[]): Found[] {
  const pairs = detections.flatMap(({ box }, detection) =>
    known
      .map((face, index) => ({ detection, index, overlap: iou(box, face.box) }))
      .filter(({ overlap }) => overlap >= MIN_OVERLAP),
  );
  const found: Found[] = detections.map((detection) => ({ detection, known: undefined }));
  const taken = new Set<number>();
  for (const { detection, index } of pairs.sort((a, b) => b.overlap - a.overlap)) {
    if (found[detection].known !== undefined || taken.has(index)) continue;
    found[detection].known = index;
    taken.add(index);
  }
  return found;
}

/** Whether a detection is a face that was found already. */
export function isFound({ box }: Detection, found: readonly Found[]): boolean {
  return found.some(({ detection }) => iou(detection.box, box) > SAME_FACE);
}

/** Whether the frame cuts a box, or all but does. */
function isCut({ x1, y1, x2, y2 }: Box, { width, height }: Picture): boolean {
  return x1 < EDGE * width || y1 < EDGE * height || x2 > width * (1 - EDGE) || y2 > height * (1 - EDGE);
}

/** Whether two detections are of one face that the frame cuts: the detector sees too little of it to agree with itself. */
export function isCutTwin(
  { box: a }: Pick<Detection, 'box'>,
  { box: b }: Pick<Detection, 'box'>,
  picture: Picture,
): boolean {
  if (!isCut(a, picture) && !isCut(b, picture)) return false;
  const [smaller, larger] = [boxArea(a), boxArea(b)].sort((one, other) => one - other);
  return intersection(a, b) > INSIDE * smaller && larger < MOST_LARGER * smaller;
}

/** Whether a face can be so much larger or smaller one frame later. True for NaN, which is refused later. */
export function isStep(before: Box, now: Box): boolean {
  const growth = Math.sqrt(boxArea(now) / boxArea(before));
  return !(growth > MAX_GROWTH || growth < 1 / MAX_GROWTH);
}

/**
 * Where a followed face is now. The detector sees nothing of the edges of a face that is larger than the frame: it loses
 * it, or answers boxes that grow with every frame. Such a face is where it was, as long as it looks the same there.
 * @param found as the detector answers
 */
export function followedTo(
  known: KnownFace,
  found: Detection | undefined,
  picture: Picture,
): Detection | undefined {
  if (found && isStep(known.box, found.box)) return found;
  const { box, probability, landmarks, thumbnail } = known;
  if (!thumbnail || !isCut(box, picture)) return undefined;
  return correlation(thumbnail, thumbnailOf(picture, known)) >= STILL
    ? { box, probability, landmarks }
    : undefined;
}
