/**
 * Close-ups: faces that fill the picture, or that its edge cuts.
 *
 * MTCNN takes the part of a candidate's square that lies in the picture and stretches it to the network's input, but reads
 * the answer as if it were about the whole square. So the more of the square lies outside, the wider box and points become,
 * until the face is lost. A second pass with a grey border around the picture needs no stretching.
 */
import { boxArea, boxSize, clampToPicture, intersection, iou } from '../boxes.js';
import type { Resampler } from '../resample.js';
import type { Box, Detection, KnownFace, Landmarks, Picture } from '../types.js';
import { type Bordered, BorderDrawer, toDrawing, toLarge } from './bordered.js';
import { type Detector, type DetectOptions, largestFirst } from './detector.js';

/** When and how a detector makes a second pass. */
export interface SecondPass {
  /** Whether to detect a face of the first pass again. */
  isDoubted: (face: Detection, picture: Picture) => boolean;
  /** The most faces of a picture to detect again, the largest ones. */
  most: number;
  /** The part around a face: its side, as a multiple of the face's, and the most pixels of the face's side in it. */
  around: { times: number; pixels: number };
  /** Whether it is cheap enough for every frame of a camera. */
  isCheap: boolean;
}

/** A square that is outside by more than this share of its side is stretched by more than an embedder tolerates. */
const OUTSIDE = 0.05;
/** Smaller faces at the edge are not worth a second pass: nobody is identified by them. */
const SMALLEST = 32;
/** SSD's boxes end at the picture's edge: a face this near to it is cut, pixels. */
const EDGE = 1;

/** A few runs of R-Net and O-Net around faces, and on the whole picture when none of its faces is sure. */
export const MTCNN_SECOND_PASS: SecondPass = {
  isDoubted: (face, picture) => !fits(face) || (isCut(face.box, picture) && boxSize(face.box) >= SMALLEST),
  most: 4,
  around: { times: 2, pixels: 128 },
  isCheap: true,
};

/**
 * A pass is a whole run of SSD, so only a face that fills at least half of the picture gets one. With a box cut by the edge
 * the 68 points are off by a tenth of the eyes' distance, with a border by a thirtieth. (When SSD finds nothing, it tries
 * with a border by itself.)
 */
export const SSD_SECOND_PASS: SecondPass = {
  isDoubted: ({ box }, { width, height }) =>
    boxSize(box) >= Math.min(width, height) / 2 &&
    (Math.min(box.x1, box.y1) < EDGE || box.x2 > width - EDGE || box.y2 > height - EDGE),
  most: 1,
  around: { times: 2.4, pixels: 213 },
  isCheap: false,
};

/** A pass over the whole picture: border and smallest face as shares of the shorter side, pixels of that face. */
const WHOLE = { border: 0.3, face: 1 / 2, pixels: 48, longer: 1 / 8 };
/** The probability that MTCNN gives 99 of 100 faces of ordinary photographs; below it, the face may be an eye. */
const SURE = 0.94;
/** A face that only the second pass finds must be at least as probable. */
const NEW_FACE = 0.9;
/** Boxes of one face in the two passes overlap by this at least (IoU). */
const SAME = 0.3;
/** A detection that overlaps a face by more than this share is a part of it (as in MTCNN's last stage). */
const PART = 0.7;
/** With less than this share of it in the picture a face is a guess. */
const SEEN = 0.4;

/**
 * Limits of five points against their box, whose side is the root of its area. In 1,406 faces of Labeled Faces in the
 * Wild MTCNN's eyes lie 0.21 to 0.47 apart, the middle of the mouth 0.35 to 0.56 from theirs, and no point lies outside
 * by more than 0.01; the limits are half and one and a half of that.
 */
const EYES = { least: 0.1, most: 0.7 };
const MOUTH = { least: 0.17, most: 0.84 };
const BEYOND = 0.15;

/** Whether five points can be those of the face in the box: inside it, in order, in proportion. */
function pointsFit(points: Landmarks, box: Box): boolean {
  const side = Math.sqrt(boxArea(box));
  const [leftX, leftY, rightX, rightY, , , mouthLeftX, mouthLeftY, mouthRightX, mouthRightY] = points;
  const eyes = { x: rightX - leftX, y: rightY - leftY };
  const mouth = {
    x: (mouthLeftX + mouthRightX - leftX - rightX) / 2,
    y: (mouthLeftY + mouthRightY - leftY - rightY) / 2,
  };
  const apart = Math.hypot(eyes.x, eyes.y) / side;
  const below = Math.hypot(mouth.x, mouth.y) / side;
  let beyond = -Infinity;
  for (let i = 0; i < 10; i += 2) {
    const [x, y] = [points[i], points[i + 1]];
    beyond = Math.max(beyond, box.x1 - x, x - box.x2, box.y1 - y, y - box.y2);
  }
  // The mouth is to the right of the line from the left eye to the right one, however the head is turned.
  const isInOrder = eyes.x * mouth.y - eyes.y * mouth.x > 0;
  const isWithin = (value: number, { least, most }: typeof EYES) => value >= least && value <= most;
  return isInOrder && isWithin(apart, EYES) && isWithin(below, MOUTH) && beyond <= BEYOND * side;
}

/** Whether MTCNN's square around a box reaches far enough outside the picture to be stretched noticeably. */
export function isCut(box: Box, { width, height }: Pick<Picture, 'width' | 'height'>): boolean {
  const square = squareAbout(box, 1);
  const outside = Math.max(-square.x1, -square.y1, square.x2 - width, square.y2 - height);
  return outside > OUTSIDE * (square.x2 - square.x1);
}

/** The square around a box; its side is `times` the box's longer one. */
function squareAbout({ x1, y1, x2, y2 }: Box, times: number): Box {
  const half = (Math.max(x2 - x1, y2 - y1) * times) / 2;
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  return { x1: x - half, y1: y - half, x2: x + half, y2: y + half };
}

const isPlace = ({ box, landmarks }: Detection) =>
  [box.x1, box.y1, box.x2, box.y2].every(Number.isFinite) && (landmarks?.every(Number.isFinite) ?? true);

const fits = ({ box, landmarks }: Detection) => !landmarks || pointsFit(landmarks, box);

/** The share of the smaller box that lies in the other one. */
function partOf(a: Box, b: Box): number {
  return intersection(a, b) / Math.min(boxArea(a), boxArea(b));
}

/** Whether enough of a face, with its middle, is in the picture and not in the border. */
function isSeen({ box }: Detection, picture: Picture): boolean {
  const inside = clampToPicture(box, picture);
  const [x, y] = [(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2];
  const isMiddleIn = x >= 0 && y >= 0 && x <= picture.width && y <= picture.height;
  return isMiddleIn && inside !== undefined && inside.width * inside.height >= SEEN * boxArea(box);
}

/**
 * Gives a detector a second pass. Where it changes nothing, the answer is the detector's own.
 *
 * When no face is sure, the whole picture gets a second pass: drawn small and for large faces only, it costs a few hundredths
 * of a search. Each face that the edge cuts, or whose points do not fit it, gets one in the square around it, which costs a
 * few runs of the smaller networks.
 */
export function withCloseUps(detector: Detector, pass: SecondPass, resampler: Resampler): Detector {
  const { around, isCheap } = pass;
  const drawer = new BorderDrawer(resampler);

  /** Detects large faces in the whole picture with a border. */
  async function detectWhole(picture: Picture, options: DetectOptions): Promise<Detection[]> {
    const { width, height } = picture;
    const shorter = Math.min(width, height);
    const smallest = Math.max(
      shorter * WHOLE.face,
      Math.max(width, height) * WHOLE.longer,
      options.minFaceSize ?? 0,
    );
    const margin = Math.round(WHOLE.border * shorter);
    const part = { x1: -margin, y1: -margin, x2: width + margin, y2: height + margin };
    const drawn = drawer.draw(picture, part, Math.min(1, WHOLE.pixels / smallest), true);
    return drawn ? await detectIn(drawn, picture, smallest, options) : [];
  }

  /** Detects the face of a box in a square around it, but none of `others`. */
  async function detectAround(
    box: Box,
    picture: Picture,
    options: DetectOptions,
    others: readonly Detection[],
  ): Promise<Detection | undefined> {
    const square = squareAbout(box, around.times);
    const side = (square.x2 - square.x1) / around.times;
    const drawn = drawer.draw(picture, square, Math.min(1, around.pixels / side));
    const found = drawn ? await detectIn(drawn, picture, side / 2, options) : [];
    return found
      .map((face) => ({ face, overlap: iou(face.box, box) }))
      .filter(
        ({ face, overlap }) => overlap >= SAME && others.every((other) => iou(face.box, other.box) < overlap),
      )
      .sort((a, b) => b.overlap - a.overlap)
      .at(0)?.face;
  }

  async function followCut(face: KnownFace, picture: Picture): Promise<Detection | undefined> {
    const drawn = drawer.draw(
      picture,
      squareAbout(face.box, around.times),
      Math.min(1, around.pixels / boxSize(face.box)),
    );
    if (!drawn) return undefined;
    const [found] = await detector.follow(drawn.picture, [{ ...face, box: toDrawing(drawn, face.box) }]);
    const there = found && toLarge(drawn, found);
    return there && isPlace(there) && isSeen(there, picture) ? there : undefined;
  }

  async function detectIn(
    drawn: Bordered,
    picture: Picture,
    smallest: number,
    options: DetectOptions,
  ): Promise<Detection[]> {
    const minFaceSize = (smallest * drawn.to.width) / drawn.from.width;
    const found = await detector.detect(drawn.picture, { ...options, minFaceSize });
    return found
      .map((face) => toLarge(drawn, face))
      .filter((face) => isPlace(face) && fits(face) && isSeen(face, picture));
  }

  return {
    async detect(picture, options = {}) {
      const first = (await detector.detect(picture, options)).filter(isPlace);
      const { closeUps = true } = options;
      const doubted = isCheap || closeUps ? first.filter((face) => pass.isDoubted(face, picture)) : [];
      const isUnsure = isCheap && closeUps && first.every((face) => face.probability < SURE || !fits(face));
      if (doubted.length === 0 && !isUnsure) return first;
      const second: Redetected[] = [];
      for (const face of doubted.slice(0, pass.most)) {
        const others = first.filter((other) => other !== face);
        const found = await detectAround(face.box, picture, options, others);
        if (found) second.push({ face: found, insteadOf: face });
      }
      const unknown = isUnsure ? await detectWhole(picture, options) : [];
      for (const { box } of unknown
        .filter(({ probability }) => probability >= NEW_FACE)
        .slice(0, pass.most)) {
        if ([...first, ...second.map(({ face }) => face)].some((face) => iou(face.box, box) >= SAME))
          continue;
        const found = await detectAround(box, picture, options, []);
        if (found && found.probability >= NEW_FACE) second.push({ face: found });
      }
      return mergePasses(first, second);
    },

    async follow(picture, faces) {
      const whole = faces.filter(({ box }) => !(isCheap && isCut(box, picture)));
      const followed = await detector.follow(picture, whole);
      const found: (Detection | undefined)[] = [];
      for (const face of faces) {
        const at = whole.indexOf(face);
        found.push(at >= 0 ? followed[at] : await followCut(face, picture));
      }
      return found;
    },

    release: () => detector.release(),
  };
}

/** A face of the second pass. */
export interface Redetected {
  face: Detection;
  /** The face of the first pass that it replaces; undefined when the first pass did not find it. */
  insteadOf?: Detection;
}

/**
 * Merges the two passes: a face of the second one replaces the face that it was detected for, and any that is a part of it,
 * such as an eye.
 * @returns largest first
 */
function mergePasses(first: readonly Detection[], second: readonly Redetected[]): Detection[] {
  const replaced = new Set(second.map(({ insteadOf }) => insteadOf));
  const kept: Detection[] = [];
  for (const { face } of [...second].sort((a, b) => b.face.probability - a.face.probability)) {
    if (!kept.some((other) => partOf(face.box, other.box) > PART)) kept.push(face);
  }
  const rest = first.filter(
    (face) => !replaced.has(face) && !kept.some((other) => partOf(face.box, other.box) > PART),
  );
  return [...rest, ...kept].sort(largestFirst);
}
