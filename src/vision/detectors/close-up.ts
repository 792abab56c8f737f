/**
 * Close-ups: a face that fills the picture, or that the picture's edge cuts.
 *
 * MTCNN judges a candidate by its square, of which it takes what lies in the picture and stretches that to the
 * network's input; what the network says of the stretched face is then read as if it spoke of the whole square. So the
 * more of the square lies outside, the wider box and points become, until the face is lost. A second pass, with a grey
 * border in the place of what is not there, has nothing to stretch.
 */
import { boxArea, boxSize, clampToPicture, intersection, iou } from '../boxes.js';
import type { Resampler } from '../resample.js';
import type { Box, Detection, KnownFace, Landmarks, Picture } from '../types.js';
import { type Bordered, BorderDrawer, toDrawing, toLarge } from './bordered.js';
import { type Detector, type DetectOptions, largestFirst } from './detector.js';

/** When and how a detector makes a second pass. */
export interface SecondPass {
  /** Whether a face of the first pass is to be detected anew. */
  isDoubted: (face: Detection, picture: Picture) => boolean;
  /** Faces of a picture that are, the largest ones. */
  most: number;
  /** The part around a face: so many times its side, drawn so that the side has at most so many pixels. */
  around: { times: number; pixels: number };
  /** Whether that costs little, so that also a camera's every frame can have it. */
  isCheap: boolean;
}

/** A square that reaches outside by more of its side is stretched by more than the views of an embedder differ. */
const OUTSIDE = 0.05;
/** Smaller faces at the edge are not worth a second pass: nobody is recognised by them. */
const SMALLEST = 32;
/** SSD's boxes end at the picture's edge: so near to it, pixels, a face is cut. */
const EDGE = 1;

/** A few runs of R-Net and O-Net; and the picture as a whole, where no face of it is sure. */
export const MTCNN_SECOND_PASS: SecondPass = {
  isDoubted: (face, picture) => !fits(face) || (isCut(face.box, picture) && boxSize(face.box) >= SMALLEST),
  most: 4,
  around: { times: 2, pixels: 128 },
  isCheap: true,
};

/**
 * A pass is a whole run of SSD, so only the face that fills half of the picture or more has one. What the edge cuts of
 * its box the network of 68 points misses: they come to lie a tenth of the eyes' distance off, in the border a thirtieth.
 * (Where SSD finds nothing it tries with a border by itself.)
 */
export const SSD_SECOND_PASS: SecondPass = {
  isDoubted: ({ box }, { width, height }) =>
    boxSize(box) >= Math.min(width, height) / 2 &&
    (Math.min(box.x1, box.y1) < EDGE || box.x2 > width - EDGE || box.y2 > height - EDGE),
  most: 1,
  around: { times: 2.4, pixels: 213 },
  isCheap: false,
};

/** A pass over the whole picture: border on each side and smallest face, parts of the shorter side; pixels of the face. */
const WHOLE = { border: 0.3, face: 1 / 2, pixels: 48, longer: 1 / 8 };
/** MTCNN is surer than this of 99 of 100 faces of ordinary photographs; below it, the face may be an eye. */
const SURE = 0.94;
/** A face that only the second pass finds must be at least as probable. */
const NEW_FACE = 0.9;
/** Boxes of one face in the two passes overlap by this at least (IoU). */
const SAME = 0.3;
/** What lies in another face by more than this part is a part of it (the overlap that MTCNN's last stage allows). */
const PART = 0.7;
/** Less of a face than this in the picture is a guess. */
const SEEN = 0.4;

/**
 * Limits of five points against their box, whose side is the root of its area. In 1,406 faces of Labeled Faces in the
 * Wild MTCNN's eyes lie 0.21 to 0.47 apart, the middle of the mouth 0.35 to 0.56 from theirs, and no point lies outside
 * by more than 0.01; the limits are half and one and a half of that.
 */
const EYES = { least: 0.1, most: 0.7 };
const MOUTH = { least: 0.17, most: 0.84 };
const BEYOND = 0.15;

/** Whether five points can be those of the face in the box: nowhere outside it, in order, in proportion. */
export function pointsFit(points: Landmarks, box: Box): boolean {
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
  // The mouth lies to the right hand of who goes from the left eye to the right one, however the head is turned.
  const isInOrder = eyes.x * mouth.y - eyes.y * mouth.x > 0;
  const isWithin = (value: number, { least, most }: typeof EYES) => value >= least && value <= most;
  return isInOrder && isWithin(apart, EYES) && isWithin(below, MOUTH) && beyond <= BEYOND * side;
}

/** Whether the square about a box, as MTCNN judges it, reaches far enough outside the picture to be stretched. */
export function isCut(box: Box, { width, height }: Pick<Picture, 'width' | 'height'>): boolean {
  const square = squareAbout(box, 1);
  const outside = Math.max(-square.x1, -square.y1, square.x2 - width, square.y2 - height);
  return outside > OUTSIDE * (square.x2 - square.x1);
}

/** The square about a box whose side is so many times its longer one. */
function squareAbout({ x1, y1, x2, y2 }: Box, times: number): Box {
  const half = (Math.max(x2 - x1, y2 - y1) * times) / 2;
  const [x, y] = [(x1 + x2) / 2, (y1 + y2) / 2];
  return { x1: x - half, y1: y - half, x2: x + half, y2: y + half };
}

const isPlace = ({ box, landmarks }: Detection) =>
  [box.x1, box.y1, box.x2, box.y2].every(Number.isFinite) && (landmarks?.every(Number.isFinite) ?? true);

const fits = ({ box, landmarks }: Detection) => !landmarks || pointsFit(landmarks, box);

/** Part of the smaller box that lies in the other one. */
function partOf(a: Box, b: Box): number {
  return intersection(a, b) / Math.min(boxArea(a), boxArea(b));
}

/** Whether enough of a face is in the picture, its middle among it: nobody lives in the border. */
function isSeen({ box }: Detection, picture: Picture): boolean {
  const inside = clampToPicture(box, picture);
  const [x, y] = [(box.x1 + box.x2) / 2, (box.y1 + box.y2) / 2];
  const isMiddleIn = x >= 0 && y >= 0 && x <= picture.width && y <= picture.height;
  return isMiddleIn && inside !== undefined && inside.width * inside.height >= SEEN * boxArea(box);
}

/**
 * Gives a detector a second pass. Where it changes nothing, the answer is the detector's own.
 *
 * The picture as a whole has a second pass where no face is sure: drawn small, for large faces alone, that costs a few
 * hundredths of a search. Around each face that the edge cuts, or whose points do not fit it, a square has
 * one, which costs a few runs of the smaller networks; four of a picture at most.
 */
export function withCloseUps(detector: Detector, pass: SecondPass, resampler: Resampler): Detector {
  const { around, isCheap } = pass;
  const drawer = new BorderDrawer(resampler);

  /** Large faces of the whole picture in its border. */
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

  /** The face of a box, detected in a square about it; not one of `others`. */
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
  /** The face of the first pass that it was detected for; left out: the first pass did not find it. */
  insteadOf?: Detection;
}

/**
 * One list for the two passes: a face of the second one replaces the face that it was detected for, and whatever is a
 * part of it: an eye, a mouth.
 * @returns largest first
 */
export function mergePasses(first: readonly Detection[], second: readonly Redetected[]): Detection[] {
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
